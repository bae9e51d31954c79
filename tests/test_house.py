"""The rules of the house, as CONTRIBUTING gives them: which file is a command, which folder may import which."""

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("dags", "jobs", "local", "ml", "schemas")
MAY_IMPORT = {
    "schemas": {"schemas"},
    "jobs": {"jobs", "schemas"},
    "ml": {"ml", "schemas"},
    "dags": {"dags", "schemas"},
    "local": {"local", "schemas"},
}
"""Who may import whom; `local` calls jobs, ml and dags by command or over REST."""


def module_name(path: Path) -> str:
    """The dotted name of a file: ``schemas/lake/lake.py`` is ``schemas.lake.lake``."""
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


MODULES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}


def imports(path: Path, *, at_import: bool = False) -> Iterator[str]:
    """The modules that a file imports, inside functions too; with `at_import`, only those that its own import needs."""
    tree = ast.parse(path.read_text())
    deferred: set[ast.AST] = set()
    for node in ast.walk(tree):
        deferred_body = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        )
        if deferred_body:
            deferred.update(child for child in ast.walk(node) if child is not node)
    for node in ast.walk(tree):
        if at_import and node in deferred:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                full = f"{node.module}.{name.name}"
                yield full if full in MODULES else node.module


@cache
def arrows() -> frozenset[tuple[str, str]]:
    """Each import of one module of the project by another."""
    named = ((name, target) for name, path in MODULES.items() for target in imports(path))
    return frozenset((name, target) for name, target in named if target in MODULES and target != name)


def folder(name: str) -> str:
    """The folder of a module; an ``__init__`` belongs to its own folder."""
    return module_name(MODULES[name].parent / "x").removesuffix(".x")


def circles(edges: Collection[tuple[str, str]]) -> list[list[str]]:
    """The groups of nodes that reach each other."""
    graph = networkx.DiGraph(edges)
    return sorted(sorted(group) for group in networkx.strongly_connected_components(graph) if len(group) > 1)


@pytest.mark.parametrize("package", ["jobs", "ml"])
def test_nothing_imports_a_command(package: str) -> None:
    commands = {name for name, path in MODULES.items() if path.parent == ROOT / package and path.name != "__init__.py"}
    lacking = [name for name in sorted(commands) if "def main(" not in MODULES[name].read_text()]
    assert lacking == []
    assert [(source, target) for source, target in arrows() if target in commands and source != f"{target}"] == []


def test_packages_import_each_other_in_the_agreed_direction() -> None:
    wrong = [(a, b) for a, b in arrows() if b.split(".")[0] not in MAY_IMPORT[a.split(".")[0]]]
    assert wrong == []


def test_files_do_not_import_each_other_in_circles() -> None:
    assert circles(arrows()) == []


def test_folders_do_not_import_each_other_in_circles() -> None:
    edges = {(folder(a), folder(b)) for a, b in arrows() if folder(a) != folder(b)}
    assert circles({(a, b) for a, b in edges if "." in a and "." in b}) == []


@pytest.mark.parametrize("package", ["dags", "ml"])
def test_pyspark_is_not_imported_with_a_module(package: str) -> None:
    found = [
        name
        for name, path in MODULES.items()
        if name.split(".")[0] == package and any(target.split(".")[0] == "pyspark" for target in imports(path, at_import=True))
    ]
    assert found == []
