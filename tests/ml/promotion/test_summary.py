"""The summary of the evidence: names from the registry stay words in the Markdown that the approval shows."""

import re

import pytest

from ml.promotion.summary import links, markdown
from schemas.runtime.settings import Settings
from tests.ml.test_gate import champion, evidence, row

HOSTILE = (
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "![x](http://tracker.example/x)",
    "a | b\n# c",
    "`code`",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_make_no_link_picture_cell_or_html(name: str) -> None:
    models = {name: row(0.2, 0.19, None), "popularity": row(0.1, 0.09, 0.1)}
    found = evidence(models=models, recipe=name, champion=champion(recipe=name))
    text = markdown(found) + links(Settings(mlflow_tracking_uri="file:x"), name, found)
    assert "<" not in text
    assert not re.search(r"(?<!\\)\]\(|(?<!\\)`|^#", text, re.MULTILINE)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} <= {4, 6}
