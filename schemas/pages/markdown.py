"""Text from data in Markdown, as Airflow and MLflow render it."""

import html
import re

SPECIAL = re.compile(r"([\\`*\[\]|~!#])")
"""Characters that begin code, emphasis, links, pictures, cells of a table and headings (GitHub Flavored Markdown 0.29)."""


def plain(text: object) -> str:
    """A text that Markdown shows as it is, on one line: no link, picture, table cell or HTML.

    >>> plain("item_knn"), plain("[a](javascript:x) <b>|")
    ('item_knn', '\\\\[a\\\\](javascript:x) &lt;b&gt;\\\\|')
    """
    return SPECIAL.sub(r"\\\1", html.escape(" ".join(str(text).split()), quote=False))
