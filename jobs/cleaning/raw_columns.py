"""Raw columns of a frame as a mapping wants them: trimmed, joined and filled, with ids written alike."""

import polars as pl

from jobs.cleaning.number_texts import exact_ids
from jobs.landing.mapped import value_of
from jobs.landing.readers.frames import ELEMENT, IDS, WITHIN
from schemas.source import Source


def raw_columns(raw: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """The mapped columns of a frame of a reader: trimmed, joined and filled, and which ids are rounded numbers.

    Args:
        raw: a frame of a reader.
        source: the mapping.
    """
    exact, rounded = with_exact_ids(trimmed_texts(raw, source))
    return assembled(exact, source), rounded


def trimmed_texts(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Texts without surrounding blanks; blank texts and the source's markers for a missing value become null."""
    texts = [name for name, kind in raw.schema.items() if kind == pl.String and name not in ("line", "problem", WITHIN)]
    bare = pl.col(texts).str.strip_chars()
    return raw.with_columns(pl.when(~bare.is_in(["", *source.nothing])).then(bare))


def assembled(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
    """One raw column for each mapped column, with parts joined and constants and defaults filled in."""
    columns = [value_of(name, column, raw) for name, column in source.columns.items()]
    place = [pl.col(name) if name in raw.columns else pl.lit(0, pl.Int32).alias(name) for name in ("line_number", ELEMENT)]
    raw = raw.select(*place, "problem", "line", *columns, *([WITHIN] if WITHIN in raw.columns else []))
    return _with_ids_of_elements(raw, source) if WITHIN in raw.columns else raw


def _with_ids_of_elements(raw: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Event ids of a line or an outer element get the number of the element: several events have that id."""
    if "event_id" in source.columns and source.id_level < source.depth:
        numbered = pl.concat_str(pl.col("event_id").cast(pl.String), pl.lit("#"), pl.col(WITHIN))
        raw = raw.with_columns(event_id=pl.coalesce(numbered, pl.col("event_id").cast(pl.String)))
    return raw.drop(WITHIN)


def with_exact_ids(raw: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.Series]]:
    """Ids with whole numbers written alike, and for each id with rounded numbers which they are."""
    rounded = dict[str, pl.Series]()
    for name in raw.columns:
        of = name.split(".")[0]
        if of in IDS:
            texts, flags = exact_ids(raw[name])
            raw = raw.with_columns(texts.alias(name))
            if flags is not None:
                rounded[of] = rounded[of] | flags if of in rounded else flags
    return raw, rounded
