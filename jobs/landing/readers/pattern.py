"""Lines of text in a fixed form, such as web server logs: a regular expression with a named group for each field."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import polars as pl

from jobs.landing.readers.frames import frame_of, problem_frame
from jobs.landing.readers.lines import Block, blocks, not_decoded, text_of
from jobs.landing.readers.problems import Problem
from schemas.source import Source
from schemas.source_parts import WHOLE_LINE, whole_line


def read_pattern(path: Path, source: Source, wanted: Mapping[str, str]) -> Iterator[pl.DataFrame]:
    """The frames of a file in which each line must match the source's pattern as a whole. Blank lines are ignored.

    Args:
        path: the file.
        source: the mapping, with the pattern and the encoding.
        wanted: field -> name of the group.
    """
    kinds = dict.fromkeys(wanted, pl.String)
    whole = whole_line(source.pattern or "")
    for block in blocks(path, encoding=source.encoding):
        if block.problem is not None:
            yield problem_frame([block.first], block.problem, [text_of(block.content)], kinds)
            continue
        texts, frames = _decoded(block, source.encoding, kinds)
        if source.comment is not None:
            is_comment = texts["line"].str.starts_with(source.comment)
            comments, texts = texts.filter(is_comment), texts.filter(~is_comment)
            frames.append(problem_frame(comments["line_number"], Problem.COMMENT, comments["line"], kinds))
        groups = texts["line"].str.extract_groups(whole).struct.unnest()
        matches = groups[WHOLE_LINE].is_not_null()
        found, other = groups.filter(matches), texts.filter(~matches)
        numbers = texts.filter(matches)["line_number"]
        frames.append(frame_of(numbers, {name: _nonempty(found[where]) for name, where in wanted.items()}))
        if len(other):
            frames.append(problem_frame(other["line_number"], Problem.NO_MATCH, other["line"], kinds))
        yield pl.concat(frames).sort("line_number") if len(frames) > 1 else frames[0]


def _nonempty(texts: pl.Series) -> pl.Series:
    return texts.replace("", None)


def _decoded(block: Block, encoding: str, kinds: Mapping[str, type[pl.DataType]]) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """The lines of a block with their numbers, and a frame of those that cannot be decoded."""
    broken: list[tuple[int, str]] = []
    try:
        lines: list[str | None] = list(block.content.decode().split("\n")[:-1])
    except UnicodeDecodeError:
        lines = []
        for number, raw in enumerate(block.content.split(b"\n")[:-1], block.first):
            try:
                lines.append(raw.decode())
            except UnicodeDecodeError:
                lines.append(None)
                broken.append((number, text_of(raw)))
    texts = pl.DataFrame({"line": pl.Series(lines, dtype=pl.String)}).with_columns(
        line_number=pl.int_range(block.first, block.first + len(lines), dtype=pl.Int64),
        line=pl.col("line").str.strip_chars_end("\r"),
    )
    numbers, excerpts = [number for number, _ in broken], [text for _, text in broken]
    frames = [problem_frame(numbers, not_decoded(encoding), excerpts, kinds)] if broken else []
    return texts.filter(pl.col("line").str.strip_chars() != ""), frames
