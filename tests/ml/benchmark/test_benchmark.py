"""The comparison of recipes on a file, from the command line to the JSON."""

import json
from pathlib import Path

import pytest

from ml.benchmark.__main__ import main
from schemas.runtime.errors import ConfigError
from tests.ml.conftest import walk_events

pytestmark = pytest.mark.slow

QUICK = "popularity,markov,cooccurrence"


@pytest.fixture
def sequences(tmp_path: Path) -> Path:
    path = tmp_path / "walk.txt"
    lines = [" ".join([user, *rows["item_id"]]) for user, rows in walk_events().groupby("user_id")]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def timed(tmp_path: Path) -> Path:
    path = tmp_path / "walk.inter"
    rows = walk_events().assign(timestamp=lambda frame: frame["event_time"] / 1e6)
    rows[["user_id", "item_id", "timestamp"]].to_csv(path, sep="\t", index=False)
    return path


def test_leave_one_out(sequences: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.json"
    arguments = ["--sequences", str(sequences), "--split", "leave-one-out", "--models", QUICK, "--json", str(out)]
    result = main(arguments)
    found = json.loads(out.read_text())
    assert found["queries"] == {"validation": 120, "test": 120}
    assert result["cooccurrence"]["strict"] > result["popularity"]["strict"] + 0.1
    best = found["models"][found["against"]]
    assert best["lead"]["ndcg"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "users": 120}
    popular = found["models"]["popularity"]
    assert popular["lead"]["ndcg"]["high"] < 0  # significantly worse
    assert popular["strict"]["ndcg"]["low"] < popular["strict"]["ndcg"]["mean"] < popular["strict"]["ndcg"]["high"]
    # A second run gives the same results, and the printed table shows them.
    assert main(arguments) == result
    printed = capsys.readouterr().out
    assert f"| popularity | {popular['validation']['ndcg']['mean']:.4f} |" in printed


@pytest.mark.parametrize("ask", ["next", "window"])
def test_by_global_time(timed: Path, tmp_path: Path, ask: str) -> None:
    out = tmp_path / "out.json"
    arguments = ["--sequences", str(timed), "--ask", ask, "--valid-days", "7", "--test-days", "7", "--models", QUICK]
    main([*arguments, "--json", str(out), "--against", "popularity"])
    found = json.loads(out.read_text())
    assert found["against"] == "popularity"
    assert found["interactions"]["fit"] < found["interactions"]["refit"] < len(walk_events())
    slices = found["models"]["cooccurrence"]["slices"]
    assert {"new", "short"} <= slices.keys()
    assert all(slice_name["lead"]["users"] > 0 for slice_name in slices.values())


def test_invalid_options_are_errors(sequences: Path, timed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"has no header with user_id, item_id, timestamp.*use --split leave-one-out"):
        main(["--sequences", str(sequences), "--split", "time"])
    with pytest.raises(ConfigError, match="there are 0 events to fit on"):
        main(["--sequences", str(timed), "--test-days", "400", "--models", QUICK])
    with pytest.raises(SystemExit):
        main(["--sequences", str(timed), "--models", QUICK, "--against", "transformer"])
    assert "--against transformer is not among --models" in capsys.readouterr().err
