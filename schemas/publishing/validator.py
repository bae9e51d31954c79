"""Runs Great Expectations: batches, validations, and the Data Docs of an audit."""

import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
# Great Expectations imports PySpark if it is installed; this takes a second and is not needed here.
if without_spark := "pyspark" not in sys.modules:
    sys.modules["pyspark"] = None  # type: ignore[assignment]

import great_expectations as gx
import numpy as np
import polars as pl
import pyarrow as pa
from great_expectations.core import RunIdentifier
from great_expectations.expectations.expectation import Expectation

if without_spark:
    del sys.modules["pyspark"]

from schemas.contract import Contract
from schemas.lake.storage import read_rows, rows_of
from schemas.publishing.audit_record import RuleResult
from schemas.publishing.expectations import columns_expectation, count_expectation, row_expectations, suite, unique_expectation
from schemas.publishing.staging import StagedFile, StagedTable
from schemas.rules import TableRule, TableRuleKind
from schemas.runtime.cli import one_line
from schemas.runtime.errors import ConfigError

SITE = "audit"
ROWS = "rows"
NO_VALUES = {"result_format": "SUMMARY", "partial_unexpected_count": 0}
"""Counts only. Samples of the values that break a rule would put personal texts and scripts of rejected lines into pages: Great
Expectations does not escape them, and neither an erasure nor the retention of ``rejects`` finds them there."""
OPEN = "open: "
"""Prefix of a column that says which candidates an expectation counts."""
KEY_ROWS = 4
"""Parts of key columns have this many times more rows than parts of whole rows, as keys are narrow."""


class Auditor:
    """A Great Expectations context for one audit, so its Data Docs hold only this audit.

    Large tables are audited in parts to bound memory, with exact results: row rules run on groups of files; key rules run on
    rows partitioned by a hash of the key, so all rows of a key are in one part; row counts come from the manifest.

    Args:
        docs: folder of the Data Docs; it is emptied.
        part_rows: maximum number of rows of a part.
    """

    def __init__(self, docs: Path, part_rows: int) -> None:
        self.docs = docs
        self.part_rows = part_rows
        shutil.rmtree(docs, ignore_errors=True)
        docs.mkdir(parents=True)
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        self.context = gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = {"globally": False}
        self.source = self.context.data_sources.add_pandas("staged")
        folder = str(docs).replace("$", "\\$")  # Great Expectations replaces $NAME by a variable of the environment
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": folder}
        for existing in list(self.context.get_docs_sites_urls()):
            if existing.get("site_name"):
                self.context.delete_data_docs_site(str(existing["site_name"]))
        self.context.add_data_docs_site(
            SITE,
            {
                "class_name": "SiteBuilder",
                "store_backend": store,
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            },
        )

    # ---- validations ---------------------------------------------------------------------------------------------

    def validate(self, contract: Contract, table: StagedTable, figures: dict[str, Any]) -> list[RuleResult]:
        """Check every rule of a contract on the staged rows.

        Args:
            contract: contract of the table.
            table: the staged rows.
            figures: the figures that the job noted, such as ``records``; percentages refer to them.
        """
        name, parts = contract.name, parts_of(table.files, self.part_rows)
        of_rows = [columns_expectation(contract), *row_expectations(contract)]
        unique = [rule for rule in contract.table_rules if rule.kind is TableRuleKind.UNIQUE]
        counts = [rule for rule in contract.table_rules if rule.kind is not TableRuleKind.UNIQUE]
        if len(parts) == 1:
            of_table = [*map(unique_expectation, unique), *(count_expectation(rule, figures) for rule in counts)]
            results = self._run(name, read_rows(parts[0], contract.arrow_schema), [*of_rows, *of_table])
        else:
            results = []
            for part, paths in enumerate(parts, 1):
                results += self._run(f"{name}, part {part} of {len(parts)}", read_rows(paths, contract.arrow_schema), of_rows)
            for rule in unique:
                for part, keys in enumerate(_keys(contract, rule, table, KEY_ROWS * self.part_rows), 1):
                    results += self._run(f"{name}, {rule.id}, part {part}", keys, [unique_expectation(rule)])
            of_files = pa.table({ROWS: [file.rows for file in table.files]})
            results += self._run(f"{name}, files", of_files, [count_expectation(rule, figures, ROWS) for rule in counts])
        severity = {rule.id: rule.severity for rule in contract.table_rules}
        sentences = {**contract.sentences, "table.columns": "the columns must be those of the contract"}
        return _together([_rule_result(result, sentences, severity) for result in results])

    def quarantine(self, contract: Contract, rejects: StagedTable) -> tuple[Counter[str], Counter[str]]:
        """Count the violations of row rules by rejected candidates, and the reasons given in ``rejects``.

        Args:
            contract: contract of the table that the candidates were meant for.
            rejects: the staged rows of ``rejects``.

        Returns:
            Number of candidates that break each rule, and number of rows with each reason.
        """
        schema = pa.schema([("reasons", pa.list_(pa.string())), ("candidate", pa.struct(list(contract.arrow_schema)))])
        seen, reasons = Counter[str](), Counter[str]()
        parts = parts_of(rejects.files, self.part_rows)
        for part, paths in enumerate(parts, 1):
            rows = read_rows(paths, schema)
            reasons.update(rows["reasons"].combine_chunks().flatten().to_pylist())
            readable = rows.filter(rows["candidate"].is_valid())
            candidates = pa.Table.from_struct_array(readable["candidate"].combine_chunks()).cast(contract.arrow_schema)
            given = pl.Series(readable["reasons"].combine_chunks())
            open_rules = unexplained(contract, given)
            for name, is_open in open_rules.items():
                candidates = candidates.append_column(f"{OPEN}{name}", is_open.to_arrow())
            name = f"{contract.name} (rejected candidates)" + (f", part {part} of {len(parts)}" if len(parts) > 1 else "")
            expectations = [
                _where(e, f"{OPEN}{e.meta['rule']}" if e.meta["rule"] in open_rules else None)
                for e in row_expectations(contract)
            ]
            results = self._run(name, candidates, expectations)
            seen.update({_rule_id(r): int(r.result["unexpected_count"]) for r in results})
        return seen, reasons

    def _run(self, name: str, rows: pa.Table, expectations: list[Expectation]) -> list[Any]:
        if not expectations:
            return []
        definition = self.source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
        made = self.context.suites.add(suite(name, expectations))
        validation = self.context.validation_definitions.add(gx.ValidationDefinition(name=name, data=definition, suite=made))
        result = validation.run(
            batch_parameters={"dataframe": rows.to_pandas()},
            result_format=NO_VALUES,
            run_id=RunIdentifier(run_name=self.docs.name),
        )
        kept = self.source.get_execution_engine().batch_manager
        kept.reset_batch_cache()
        kept.batch_data_cache.clear()  # otherwise all parts stay in memory
        if len(result.results) != len(expectations):
            raise ConfigError(
                f"Great Expectations answered {len(result.results)} of {len(expectations)} expectations; "
                f"for {name}; this is a defect of the suite: do not publish"
            )
        return list(result.results)

    def write_docs(self) -> Path:
        """Write the Data Docs.

        Returns:
            Path of the index page.
        """
        self.context.build_data_docs(site_names=[SITE])
        return self.docs / "index.html"


def parts_of(files: list[StagedFile], rows: int) -> list[list[str]]:
    """Group files into parts of at most ``rows`` rows. Files are not split, and there is at least one part.

    Args:
        files: staged files.
        rows: maximum number of rows of a part; only a larger single file exceeds it.

    Returns:
        The paths of each part.

    >>> files = [StagedFile(path=name, sha256="", rows=2, value="") for name in "abc"]
    >>> parts_of(files, 4), parts_of([], 4)
    ([['a', 'b'], ['c']], [[]])
    """
    parts: list[list[str]] = [[]]
    filled = 0
    for file in files:
        if parts[-1] and filled + file.rows > rows:
            parts.append([])
            filled = 0
        parts[-1].append(file.path)
        filled += file.rows
    return parts


def _keys(contract: Contract, rule: TableRule, table: StagedTable, rows: int) -> Iterator[pa.Table]:
    """The key columns of a rule in parts of about ``rows`` rows, with all rows of a key in the same part."""
    columns, number = list(rule.columns), -(-table.rows // rows)
    schema = pa.schema([contract.arrow_schema.field(name) for name in columns])
    for part in range(number):
        of_part = pl.struct(columns).hash(seed=0) % number == part
        batches = rows_of(table.paths, schema).to_batches(columns=columns)
        keys = [pl.DataFrame(batch).filter(of_part) for batch in batches if batch.num_rows]
        yield pl.concat(keys).to_arrow().cast(schema) if keys else schema.empty_table()


def unexplained(contract: Contract, reasons: pl.Series) -> dict[str, pl.Series]:
    """For each rule that another reason may explain, the candidates of which no other reason explains it.

    A time that cannot be read is null, and so are the values computed from it: its own reason explains them.

    Args:
        contract: contract of the table that the candidates were meant for.
        reasons: the reasons of each candidate.

    >>> from schemas.contract import load_contract
    >>> given = pl.Series([["event_time.unreadable"], ["event_time.required"], ["value.range"]])
    >>> unexplained(load_contract("events"), given)["event_time.required"].to_list()
    [False, True, True]
    """
    if not len(reasons):
        return {}
    rules = {rule.id for rule in contract.rules}
    frame, found = reasons.alias("reasons").to_frame(), {}
    listed = frame["reasons"].explode().drop_nulls().unique().to_list()
    for rule in contract.rules:
        columns = contract.together(rule.column)
        others = [r for r in listed if r != rule.id and r.split(".")[0] in columns and (r not in rules or len(columns) > 1)]
        if others:
            by_other = pl.col("reasons").list.eval(pl.element().is_in(others)).list.any()
            found[rule.id] = frame.select(pl.col("reasons").list.contains(rule.id) | ~by_other).to_series()
    return found


def _where(expectation: Expectation, flag: str | None) -> Expectation:
    """An expectation that applies only to rows with a flag."""
    if flag is None:
        return expectation
    return expectation.copy(update={"row_condition": f"`{flag}` == True", "condition_parser": "pandas"})


def _together(results: list[RuleResult]) -> list[RuleResult]:
    """Combine the results of parts into one result per rule."""
    found: dict[str, RuleResult] = {}
    for result in results:
        known = found.setdefault(result.rule, result)
        if known is not result:
            error = known.error or result.error
            whole = {"passed": known.passed and result.passed, "broken": known.broken + result.broken, "error": error}
            found[result.rule] = known.model_copy(update={**whole, "severity": "error" if error else known.severity})
    return list(found.values())


def _rule_id(result: Any) -> str:
    return str(result.expectation_config.meta["rule"])


def _rule_result(result: Any, sentences: dict[str, str], severity: dict[str, str]) -> RuleResult:
    rule = _rule_id(result)
    error = _exception(result.exception_info)
    details = result.result or {}
    return RuleResult(
        rule=rule,
        sentence=sentences[rule],
        severity="error" if error else severity.get(rule, "error"),
        passed=bool(result.success) and error is None,
        observed=_plain(details.get("observed_value")),
        broken=int(details.get("unexpected_count") or 0),
        error=error,
    )


def _plain(observed: Any) -> Any:
    """An observed value if it is a number; a text could be a value of a row."""
    observed = observed.item() if isinstance(observed, np.generic) else observed
    return observed if isinstance(observed, int | float | None) else None


def _exception(info: Any) -> str | None:
    """The message of an exception that an expectation raised; Great Expectations nests it differently by case."""
    if not isinstance(info, dict):
        return None
    entries = [info, *(value for value in info.values() if isinstance(value, dict))]
    messages = [str(e.get("exception_message")) for e in entries if e.get("raised_exception")]
    return f"the expectation raised an error: {one_line(messages[0])[:200]}" if messages else None
