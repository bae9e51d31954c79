"""A mapping takes over the skip and bot rules of another one, under its own names of the values."""

from pathlib import Path
from typing import Any

import pytest

from schemas.runtime.errors import ConfigError
from schemas.source import Source, load_source, read_source

PLAIN: dict[str, Any] = {
    "name": "shop",
    "columns": {"user_id": {"path": "who"}, "event_type": {"constant": "view"}, "event_time": {"path": "at"}},
    "event_types": {"view": "view"},
}


def source(**changes: Any) -> Source:
    return Source.model_validate({**PLAIN, **changes})


def test_rules_are_taken_over_with_the_names_of_the_mapping() -> None:
    web_log = load_source("web_log")
    found = source(rules_like={"source": "web_log", "paths": {"page": "url.path", "agent": "browser"}})
    assert found.robots is not None
    assert web_log.robots is not None
    assert (found.robots.path, found.robots.pattern) == ("browser", web_log.robots.pattern)
    assert {rule.path for rule in found.skip.values()} == {"url.path"}
    assert found.skip["account"].pattern == web_log.skip["account"].pattern
    assert found.skip["account"].private
    assert {"url.path", "browser"} <= found.paths


def test_without_names_all_rules_are_taken_over() -> None:
    web_log = load_source("web_log")
    found = source(rules_like={"source": "web_log"})
    assert (found.skip, found.robots) == (web_log.skip, web_log.robots)


def test_the_rules_of_the_mapping_itself_win() -> None:
    own = {"not_served": {"path": "code", "unless": "^2"}, "staff": {"path": "who", "pattern": "^staff"}}
    found = source(
        rules_like={"source": "web_log", "paths": {"status": "code"}}, skip=own, robots={"path": "ua", "pattern": "bot"}
    )
    assert (found.skip["not_served"].unless, list(found.skip)) == ("^2", ["not_served", "staff"])
    assert found.robots is not None
    assert found.robots.path == "ua"


def test_rules_can_be_left_out() -> None:
    found = source(rules_like={"source": "web_log", "paths": {"page": "key"}, "without": ["asset"]})
    assert "asset" not in found.skip
    assert "account" in found.skip


@pytest.mark.parametrize(
    ("like", "problem"),
    [
        ({"source": "web_log", "without": ["assets"]}, "web_log has no rule assets; it has account, address, asset"),
        ({"source": "web_logs"}, "no mapping 'web_logs' to take rules from; known are alb"),
        ({"source": "../web_log"}, "no mapping '../web_log' to take rules from"),
        (
            {"source": "web_log", "paths": {"pages": "x"}},
            "web_log has no rule on pages; it has rules on agent, method, page, status",
        ),
        ({"paths": {"page": "x"}}, "Field required; at rules_like.source"),
        ("web_log", "valid dictionary"),
    ],
)
def test_errors(tmp_path: Path, like: Any, problem: str) -> None:
    import yaml

    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({**PLAIN, "rules_like": like}))
    with pytest.raises(ConfigError, match=problem):
        read_source(path)


def test_rules_that_were_taken_over_can_be_taken_over_again() -> None:
    """``nginx_json`` takes rules of ``web_log``, and this mapping those of ``nginx_json``."""
    found, between = source(rules_like={"source": "nginx_json"}), load_source("nginx_json")
    assert (found.skip, found.robots) == (between.skip, between.robots)
    assert "account" in found.skip
