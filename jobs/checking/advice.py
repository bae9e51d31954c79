"""The next steps after a check: for each cause that is known, the lines of the mapping that mend it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.checking.causes import bytes_in, clocks_in, delimiter_in, json_in, number_in
from jobs.checking.checked import Checked
from jobs.checking.items import ITEM
from jobs.checking.names import Absent
from jobs.landing.readers import Problem
from jobs.landing.readers.frames import measures
from schemas.contract import load_contract
from schemas.outcomes import Outcome
from schemas.privacy.personal_texts import personal_data_in
from schemas.source import NEEDED, NEEDED_OF_ITEMS, Source

MOST_WORDS = 20
LONGEST_WORD = 60


@dataclass(frozen=True)
class Case:
    """A check, and what is known of its file."""

    found: Checked
    source: Source
    path: Path
    lacking: Sequence[Absent]
    names: Sequence[str]

    def causes(self, *reasons: str) -> Counter[str]:
        """The raw texts behind some reasons."""
        return sum((self.found.causes.get(reason, Counter()) for reason in reasons), Counter())

    def may_lack(self, columns: Sequence[str]) -> bool:
        """Whether a line of the format may lack keys, and its table does not need these columns."""
        sparse = self.source.format == "json_lines"
        needed = NEEDED if self.found.table == "events" else NEEDED_OF_ITEMS
        return all((sparse and name not in needed) or self._is_optional(name) for name in columns)

    def _is_optional(self, name: str) -> bool:
        column = self.source.columns.get(name)
        return column is not None and (column.optional or column.default is not None)

    def place(self, column: str) -> str:
        """Where the mapping reads a column."""
        mapped = self.source.columns[column]
        return mapped.origins[0] if mapped.origins else column


def advice(found: Checked, source: Source, path: Path, lacking: Sequence[Absent], names: Sequence[str]) -> list[str]:
    """The next steps, the most important first; never empty.

    Args:
        found: what the check found.
        source: the mapping.
        path: the file.
        lacking: the places that the mapping reads and no line has.
        names: the names that the file has.
    """
    case = Case(found, source, path, lacking, names)
    steps = [step for advise in _ADVISERS for step in advise(case)]
    if steps:
        return [*steps, *_too_many_rejects(case), "Change the mapping, and run this check again."]
    return [*_perhaps_absent(case), *_too_many_rejects(case)] + ([] if _refuses(case) else [_go_live(case)])


def _nothing_read(case: Case) -> Iterator[str]:
    if not case.found.lines:
        yield "The file has no line. Give a file with some lines."


def _encoding(case: Case) -> Iterator[str]:
    unread = (Problem.NOT_UTF8, Problem.NO_HEADER, Problem.NOT_JSON, Problem.NO_MATCH, Problem.WRONG_ENCODING, Problem.UTF16)
    is_text = case.source.format != "parquet"
    encoding = bytes_in(case.path) if is_text and any(case.found.counts[problem] for problem in unread) else None
    if encoding is not None and encoding != case.source.encoding:
        yield f"The file is not in {case.source.encoding}: write `encoding: {encoding}`, or deliver UTF-8."


def _json(case: Case) -> Iterator[str]:
    problems = [name for name in case.found.causes if name.startswith("line.not_")]
    if case.source.format == "json_lines":
        yield from dict.fromkeys(filter(None, map(json_in, case.causes(*problems))))


def _delimiter(case: Case) -> Iterator[str]:
    texts = case.causes(Problem.WRONG_FIELDS, Problem.NO_HEADER)
    if case.source.format != "csv" or not texts:
        return
    found = delimiter_in([*case.names, *texts], case.source.delimiter)
    if found is not None:
        yield f"The lines seem to be divided by {found!r}, not by {case.source.delimiter!r}: write `delimiter: {found!r}`."
    elif case.found.counts[Problem.NO_HEADER]:
        wanted = ", ".join(sorted(case.source.paths))
        yield f"The first line is not a header with {wanted}: correct the paths, or give the names of the columns as `fields:`."


def _escape(case: Case) -> Iterator[str]:
    if case.source.escape is None and any('\\"' in text for text in case.causes(Problem.BROKEN_QUOTES)):
        yield 'A quote follows a backslash, as Spark, MySQL and Hive write it: write `escape: "\\\\"`.'


def _absent(case: Case) -> Iterator[str]:
    some = ", ".join(case.names[:MOST_WORDS]) or "no names"
    by_place: dict[str, list[str]] = {}
    for place in case.lacking:
        by_place.setdefault(place.path, []).append(place.column)
    nearest = {place.path: place.nearest for place in case.lacking}
    for path, columns in by_place.items():
        said = f"{', '.join(columns)}: no line has a value at {path!r}"
        if nearest[path] is not None:
            yield f"{said}; the file has {nearest[path]!r}: write `path: {nearest[path]}`."
        elif not case.may_lack(columns):
            yield f"{said}; the file has {some}: correct the path, or leave the column out."


def _perhaps_absent(case: Case) -> Iterator[str]:
    places = [place for place in case.lacking if place.nearest is None and case.may_lack([place.column])]
    if places:
        listed = ", ".join(dict.fromkeys(f"{place.column} ({place.path})" for place in places))
        yield f"No line of this file has a value for {listed}: look whether other lines have."


def _unknown_types(case: Case) -> Iterator[str]:
    words = [word for word, _ in case.causes("event_type.unknown").most_common() if personal_data_in(word) is None]
    if not words:
        return
    shown = [word[:LONGEST_WORD] for word in words[:MOST_WORDS]]
    allowed = next(rule.allowed for rule in load_contract("events").rules if rule.id == "event_type.allowed")
    lines = ", ".join(f"{word!r}: ..." for word in shown)
    either = "|".join(map(re.escape, shown))
    yield (
        f"event_types lacks {len(words)} of the source's words: add `event_types: {{{lines}}}`, each one of "
        f"{', '.join(map(str, allowed))}; or set lines that are not behaviour aside: "
        f"`skip: {{no_behaviour: {{path: {case.place('event_type')}, pattern: '^(?:{either})$', why: ...}}}}`."
    )


def _times(case: Case) -> Iterator[str]:
    texts = case.causes(*(name for name in case.found.causes if name.startswith(("event_time.", "lag_seconds."))))
    yield from clocks_in(texts, case.source)


def _numbers(case: Case) -> Iterator[str]:
    for column in sorted(measures()):
        step = number_in(case.causes(f"{column}.unreadable"))
        if step is not None:
            yield f"{column}: {step}"
            return


def _countries(case: Case) -> Iterator[str]:
    words = [word for word, _ in case.causes("country.pattern").most_common(MOST_WORDS) if personal_data_in(word) is None]
    if words:
        lines = ", ".join(f"{word[:LONGEST_WORD]}: ..." for word in words)
        yield (
            f"country is not the code of a country (ISO 3166): give the codes of the source's words with `values: {{{lines}}}` "
            "beside the path, or leave the column out."
        )


def _long_items(case: Case) -> Iterator[str]:
    if any("%" in text for text in case.causes("item_id.length")):
        yield "item_id holds percent-encoded letters and is too long: write `url_decoded: true` beside its path."


def _left_out(case: Case) -> Iterator[str]:
    if case.found.left_out:
        yield (
            f"{case.found.left_out} elements of lists are left out, because paths such as items[0] read one of them: "
            'write `each: "items[]"` for an event of each element, and items[].id for its values.'
        )


def _nobody(case: Case) -> Iterator[str]:
    if case.found.counts["user_id.required"] and not any(place.column == "user_id" for place in case.lacking):
        yield (
            f"{case.found.counts['user_id.required']} lines have no user: give every path that may name one as "
            "`user_id: {first_of: [...]}`, or set such lines aside with a rule `missing: true` under skip."
        )


def _catalogue(case: Case) -> Iterator[str]:
    items = case.source.items
    if case.found.table == "events" and not case.found.counts[Outcome.EVENT] and items is not None:
        places = {column.path for column in items.columns.values() if column.path is not None}
        if len(places & set(case.names)) > len(places) / 2:
            yield "The file looks like the catalogue: try `python -m jobs.clean --check-items` with the same arguments."


_ADVISERS: tuple[Callable[[Case], Iterator[str]], ...] = (
    _nothing_read,
    _catalogue,
    _encoding,
    _json,
    _delimiter,
    _escape,
    _absent,
    _times,
    _unknown_types,
    _nobody,
    _numbers,
    _countries,
    _long_items,
    _left_out,
)


def _limit() -> float:
    rule = next(rule for rule in load_contract("rejects").table_rules if rule.percent_of is not None)
    return rule.high or 0


def _refuses(case: Case) -> bool:
    """Whether a day of such lines has too many rejects."""
    found = case.found
    return found.table == "events" and 100 * (found.rejects - found.set_aside) > _limit() * found.records


def _too_many_rejects(case: Case) -> Iterator[str]:
    if _refuses(case):
        found, limit = case.found, _limit()
        counted = found.rejects - found.set_aside
        yield (
            f"{counted} of {found.records} records are rejects, more than {limit:g} %: a day of such lines is refused. Mend "
            "the reasons in the table; set lines that are not behaviour aside under `skip:`, where they do not count."
        )


def _go_live(case: Case) -> str:
    kept = case.found.counts[ITEM if case.found.table == "items" else Outcome.EVENT]
    if not kept:
        return "No line was kept. Read the reasons in the table, and correct the mapping or the file."
    counted = case.found.rejects - case.found.set_aside
    look = f"Look at the {counted} rejects: if they are right, n" if counted else "N"
    folder = case.source.items.folder if case.found.table == "items" and case.source.items else case.source.name
    return (
        f"{look}othing has to change. Look at the examples; then deliver files to <landing>/{folder}/arrived=YYYY-MM-DDTHH/, "
        f"and name the source in CLICKWRIGHT_SOURCES={case.source.name}."
    )
