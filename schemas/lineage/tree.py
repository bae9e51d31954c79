"""Print a lineage as a tree: one line per node, shortened. The JSON output has all details."""

from typing import Any

from rich.tree import Tree

from schemas.runtime.terminal import in_markup

SHORT = 10
MOST_RANGES = 8


def as_tree(node: dict[str, Any]) -> Tree:
    """Make a tree from the dictionary of ``Node.as_dict``."""
    tree = Tree(_label(node))
    for row in node.get("shown", [])[:SHORT]:
        tree.add(f"[dim]{in_markup(', '.join(f'{name} {value}' for name, value in row.items() if value is not None))}[/]")
    _grow(tree, node)
    return tree


def _grow(tree: Tree, node: dict[str, Any]) -> None:
    for source in node["made_from"]:
        _grow(tree.add(_label(source)), source)


def _label(node: dict[str, Any]) -> str:
    return _LABELS[node["kind"]](node)


def _rows(node: dict[str, Any]) -> str:
    snapshot = f" at snapshot {node['snapshot']}" + (" (expired: current rows shown)" if node.get("expired") else "")
    return f"[bold]{node['name']}[/]: {_count(node['count'], 'row')}{snapshot}"


def _commit(node: dict[str, Any]) -> str:
    (field, values), *_ = node["partitions"].items()
    span = values[0] if len(values) == 1 else f"{values[0]} to {values[-1]}"
    if "code_version" not in node:
        return f"{field} {in_markup(span)}: the commit is {in_markup(node['name'])}"
    job, run, code = (in_markup(node[name]) for name in ("job", "run", "code_version"))
    count = _count(node["count"], "row")
    return f"{field} {in_markup(span)} by [bold]{job}[/], run {run}, code {code}, {node['committed_at']}, {count}"


def _session(node: dict[str, Any]) -> str:
    return f"session {node['name'][:SHORT]}…, closed on {node['closed_on']}, {_count(node['count'], 'event')}"


def _model(node: dict[str, Any]) -> str:
    said = (("recipe", "{}"), ("train_until", "fitted on data before {}"), ("training", "training {}"))
    facts = [text.format(node[name]) for name, text in [*said, ("code_version", "code {}")] if node.get(name)]
    return f"model [bold]{in_markup(node['name'])}[/]: {in_markup(', '.join(facts))}"


def _file(node: dict[str, Any]) -> str:
    if "lines" not in node:
        return f"landing file {in_markup(node['name'])}: {_count(node['rows'], 'row')}"
    digest = f" ({node['bytes']:,} bytes, sha256 {node['sha256'][:SHORT]}…)" if "sha256" in node else ""
    return f"[bold]{in_markup(node['name'])}[/]{digest}: {_lines(node['lines'])}"


_LABELS = {"rows": _rows, "commit": _commit, "session": _session, "model": _model, "file": _file}


def _lines(numbers: list[int]) -> str:
    """Format line numbers as ranges.

    >>> _lines([3, 5, 6, 7])
    'lines 3, 5-7'
    """
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    texts = [f"{a}" if a == b else f"{a}-{b}" for a, b in ranges]
    more = f" and {len(texts) - MOST_RANGES} more" if len(texts) > MOST_RANGES else ""
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(texts[:MOST_RANGES])}{more}"


def _count(n: int, what: str) -> str:
    """Format a count with its noun.

    >>> _count(1, "row"), _count(1200, "event")
    ('1 row', '1,200 events')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"
