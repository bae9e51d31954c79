"""The one place that runs Great Expectations: batches, validations, and the Data Docs of an audit."""

import logging
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
# It imports PySpark where there is one, which takes a second, for an engine that is not used here.
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
KEY_ROWS = 4
"""A part of keys has so many times the rows of a part of whole rows: it has few columns."""


class Auditor:
    """A Great Expectations context of its own for one audit: its Data Docs hold that audit alone.

    A large table is audited in parts, so that memory stays bounded, and each figure stays exact: rules about a row by files;
    rules about keys by a digest of the key, so that a part has all rows of its keys; the number of rows from the files' own.

    Args:
        docs: folder of the Data Docs; emptied.
        part_rows: how many rows a part may have.
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
        store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)}
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
        """Every rule of a contract on the staged rows.

        Args:
            figures: what the job noted, such as ``lines_read``, for the rules that are a percentage of it.
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
        """For every row rule of a contract's table the number of rejected candidates that break it, and how often ``rejects``
        names each reason."""
        schema = pa.schema([("reasons", pa.list_(pa.string())), ("candidate", pa.struct(list(contract.arrow_schema)))])
        seen, reasons = Counter[str](), Counter[str]()
        parts = parts_of(rejects.files, self.part_rows)
        for part, paths in enumerate(parts, 1):
            rows = read_rows(paths, schema)
            reasons.update(rows["reasons"].combine_chunks().flatten().to_pylist())
            readable = rows.filter(rows["candidate"].is_valid())["candidate"].combine_chunks()
            candidates = pa.Table.from_struct_array(readable).cast(contract.arrow_schema)
            name = f"{contract.name} (rejected candidates)" + (f", part {part} of {len(parts)}" if len(parts) > 1 else "")
            results = self._run(name, candidates, row_expectations(contract))
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
            result_format="SUMMARY",
            run_id=RunIdentifier(run_name=self.docs.name),
        )
        kept = self.source.get_execution_engine().batch_manager
        kept.reset_batch_cache()
        kept.batch_data_cache.clear()  # else every part stays in memory
        if len(result.results) != len(expectations):
            raise ConfigError(
                f"Great Expectations answered {len(result.results)} of {len(expectations)} expectations; "
                f"for {name}; this is a fault of the suite: nothing may be published"
            )
        return list(result.results)

    def write_docs(self) -> Path:
        """Write the Data Docs.

        Returns:
            The index page.
        """
        self.context.build_data_docs(site_names=[SITE])
        return self.docs / "index.html"


def parts_of(files: list[StagedFile], rows: int) -> list[list[str]]:
    """The paths of some files, in parts of at most so many rows; a file is never split. At least one part, be it empty."""
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
    """The key columns of a rule in parts of about so many rows: a key has all its rows in one part."""
    columns, number = list(rule.columns), -(-table.rows // rows)
    schema = pa.schema([contract.arrow_schema.field(name) for name in columns])
    for part in range(number):
        of_part = pl.struct(columns).hash(seed=0) % number == part
        batches = rows_of(table.paths, schema).to_batches(columns=columns)
        keys = [pl.DataFrame(batch).filter(of_part) for batch in batches if batch.num_rows]
        yield pl.concat(keys).to_arrow().cast(schema) if keys else schema.empty_table()


def _together(results: list[RuleResult]) -> list[RuleResult]:
    """One result a rule, from those of its parts."""
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
    """Observed values that are figures; lists of columns or values are left to the Data Docs."""
    observed = observed.item() if isinstance(observed, np.generic) else observed
    return observed if isinstance(observed, int | float | str | None) else None


def _exception(info: Any) -> str | None:
    """The message of an expectation that raised, however Great Expectations nests it."""
    if not isinstance(info, dict):
        return None
    entries = [info, *(value for value in info.values() if isinstance(value, dict))]
    messages = [str(e.get("exception_message")) for e in entries if e.get("raised_exception")]
    return f"the expectation raised an error: {one_line(messages[0])[:200]}" if messages else None
