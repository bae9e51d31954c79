"""The one place that runs Great Expectations: batches, validations, and the Data Docs of an audit."""

import logging
import os
import shutil
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")

import great_expectations as gx
import pyarrow as pa
from great_expectations.core import RunIdentifier
from great_expectations.core.batch_definition import BatchDefinition
from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
from great_expectations.expectations.expectation import Expectation

from schemas.audit_record import RuleResult
from schemas.cli import one_line
from schemas.contract import Contract
from schemas.errors import ConfigError
from schemas.files import for_hadoop, read_rows
from schemas.settings import get_settings
from schemas.suite import row_expectations, suite, table_expectations

PANDAS, SPARK = "pandas", "spark"
SITE = "audit"


class Auditor:
    """A Great Expectations context of its own for one audit: its Data Docs hold that audit alone."""

    def __init__(self, docs: Path, rows: int) -> None:
        self.engine = PANDAS if rows <= get_settings().audit_pandas_rows else SPARK
        self.docs = docs
        shutil.rmtree(docs, ignore_errors=True)
        docs.mkdir(parents=True)
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        self.context = gx.get_context(mode="ephemeral")
        self.context.variables.progress_bars = {"globally": False}
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

    # ---- rows ----------------------------------------------------------------------------------------------------

    def rows(self, contract: Contract, paths: list[str]) -> Any:
        """The rows of some Parquet files, as a frame of the audit's engine."""
        if self.engine == SPARK:
            names = map(for_hadoop, paths)
            return _spark().read.schema(contract.spark_schema).parquet(*names) if paths else self._no_rows(contract)
        return read_rows(paths, contract.arrow_schema).to_pandas()

    def _no_rows(self, contract: Contract) -> Any:
        return _spark().createDataFrame([], contract.spark_schema)

    def quarantine(self, contract: Contract, reject_paths: list[str]) -> tuple[Any, Counter[str]]:
        """The rejected candidates of a contract's table, and how often ``rejects`` names each reason."""
        schema = pa.schema([("reasons", pa.list_(pa.string())), ("candidate", pa.struct(list(contract.arrow_schema)))])
        rejects = read_rows(reject_paths, schema)
        reasons = Counter(rejects["reasons"].combine_chunks().flatten().to_pylist())
        readable = rejects.filter(rejects["candidate"].is_valid())
        candidates = pa.Table.from_struct_array(readable["candidate"].combine_chunks()).cast(contract.arrow_schema)
        if self.engine == SPARK:
            return _spark().createDataFrame(candidates), reasons
        return candidates.to_pandas(), reasons

    # ---- validations ---------------------------------------------------------------------------------------------

    def validate(self, contract: Contract, rows: Any, figures: dict[str, Any]) -> list[RuleResult]:
        """Every rule of a contract on the staged rows."""
        expectations = [*row_expectations(contract), *table_expectations(contract, figures)]
        result = self._run(contract.name, rows, expectations)
        severity = {rule.id: rule.severity for rule in contract.table_rules}
        sentences = {**contract.sentences, "table.columns": "the columns must be those of the contract"}
        return [_rule_result(r, sentences, severity) for r in result.results]

    def count_broken(self, contract: Contract, candidates: Any) -> dict[str, int]:
        """For every row rule the number of rejected candidates that break it."""
        result = self._run(f"{contract.name} (rejected candidates)", candidates, row_expectations(contract))
        return {_rule_id(r): int(r.result["unexpected_count"]) for r in result.results}

    def _run(self, name: str, rows: Any, expectations: list[Expectation]) -> ExpectationSuiteValidationResult:
        definition = self._batch_definition(name, rows)
        made = self.context.suites.add(suite(name, expectations))
        validation = self.context.validation_definitions.add(gx.ValidationDefinition(name=name, data=definition, suite=made))
        result = validation.run(
            batch_parameters={"dataframe": rows},
            result_format="SUMMARY",
            run_id=RunIdentifier(run_name=self.docs.name),
        )
        if len(result.results) != len(expectations):
            raise ConfigError(
                f"Great Expectations answered {len(result.results)} of {len(expectations)} expectations; "
                f"for {name}; this is a fault of the suite: nothing may be published"
            )
        return result

    def _batch_definition(self, name: str, rows: Any) -> BatchDefinition[Any]:
        sources = self.context.data_sources
        known = sources.all()
        if self.engine == PANDAS:
            source: Any = known[PANDAS] if PANDAS in known else sources.add_pandas(PANDAS)
        else:
            source = known[SPARK] if SPARK in known else sources.add_spark(SPARK, persist=True)
        definition: BatchDefinition[Any] = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
        return definition

    def write_docs(self) -> Path:
        """Write the Data Docs.

        Returns:
            The index page.
        """
        self.context.build_data_docs(site_names=[SITE])
        return self.docs / "index.html"


def _spark() -> Any:
    from pyspark.sql import SparkSession

    return SparkSession.builder.appName("audit").config("spark.sql.session.timeZone", "UTC").getOrCreate()


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
    return observed if isinstance(observed, int | float | str | None) else None


def _exception(info: Any) -> str | None:
    """The message of an expectation that raised, however Great Expectations nests it."""
    if not isinstance(info, dict):
        return None
    entries = [info, *(value for value in info.values() if isinstance(value, dict))]
    messages = [str(e.get("exception_message")) for e in entries if e.get("raised_exception")]
    return f"the expectation raised an error: {one_line(messages[0])[:200]}" if messages else None
