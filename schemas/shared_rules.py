"""Rules on lines that several mappings share: `rules_like` takes over the `skip` and bot rules of another mapping.

The rules on pages of a web site (private pages, assets, bots) stand once, in ``sources/web_log.yaml``. Each mapping of pages
takes them over, and says under which names its lines have the values that they read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.strict_yaml import read_yaml

RULES_LIKE = "rules_like"
ROBOTS = "robots:"
"""The key of the bot rule among the `skip` rules; none of them can have this name."""


def with_shared_rules(mapping: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A mapping with the rules that it takes over from another; its own rules of the same name win.

    Args:
        mapping: the mapping as it is written.
        folder: the folder of the mappings.

    Raises:
        ValueError: the other mapping does not exist, or has no rule on a value that is renamed.

    >>> from schemas.source import SOURCES
    >>> like = {"rules_like": {"source": "web_log", "paths": {"status": "sc-status"}}}
    >>> with_shared_rules(like, SOURCES)["skip"]["not_served"]["path"]
    'sc-status'
    """
    wanted = mapping.get(RULES_LIKE)
    if not isinstance(wanted, Mapping) or not isinstance(wanted.get("source"), str):
        return dict(mapping)
    other = _rules_of(wanted["source"], folder)
    there = {rule["path"] for rule in other.values()}
    paths = wanted.get("paths")
    names: Mapping[str, str] = paths if isinstance(paths, Mapping) else {path: path for path in there}
    if unknown := sorted(set(names) - there):
        raise ValueError(f"{wanted['source']} has no rule on {', '.join(unknown)}; it has rules on {', '.join(sorted(there))}")
    without = wanted.get("without") or ()
    if unknown := sorted(set(without) - set(other)):
        raise ValueError(
            f"{wanted['source']} has no rule {', '.join(unknown)}; it has {', '.join(sorted(set(other) - {ROBOTS}))}"
        )
    kept = {name: rule for name, rule in other.items() if name not in without and rule["path"] in names}
    taken = {name: {**rule, "path": names[rule["path"]]} for name, rule in kept.items()}
    robots = taken.pop(ROBOTS, None)
    own = {"robots": robots} if robots is not None and mapping.get("robots") is None else {}
    return {**mapping, **own, "skip": {**taken, **(mapping.get("skip") or {})}}


def _rules_of(name: str, folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / f"{name}.yaml"
    if path.parent != folder or not path.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.yaml")))
        raise ValueError(f"no mapping {name!r} to take rules from; known are {known}")
    other = with_shared_rules(read_yaml(path.read_text(encoding="utf-8")), folder)
    robots = {ROBOTS: other["robots"]} if other.get("robots") else {}
    return {**(other.get("skip") or {}), **robots}
