"""Schema-on-read: convert rows of any minor version of a contract to this code's version, for Arrow, Polars and Spark.

Missing columns become null or the contract's default, unknown columns are dropped, and narrower types are widened.
"""

from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.expressions.visitors import bind, extract_field_ids
from pyiceberg.table import DataScan

from schemas.contract import Contract
from schemas.runtime.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

Rows = TypeVar("Rows", pa.Table, pa.RecordBatch)


def schema_of(contract: Contract, columns: "Sequence[str] | None" = None) -> pa.Schema:
    """The contract's Arrow schema, or the schema of some of its columns.

    Args:
        contract: contract of the table.
        columns: columns to select, in this order; default: all.
    """
    whole = contract.arrow_schema
    return whole if columns is None else pa.schema([whole.field(column) for column in columns])


def conformed(rows: Rows, contract: Contract, columns: "Sequence[str] | None" = None) -> Rows:
    """Convert rows of any minor version to this code's version of the contract.

    Args:
        rows: an Arrow table or record batch.
        contract: contract of the table.
        columns: columns to return, in this order; default: all.

    Raises:
        ConfigError: a value does not fit into the contract's type, because a newer version widened the column.
    """
    schema = schema_of(contract, columns)
    arrays = [_column(rows, field, contract.defaults.get(field.name), contract) for field in schema]
    return type(rows).from_arrays(arrays, schema=schema)


def _column(rows: Any, field: pa.Field, default: Any, contract: Contract) -> Any:
    if field.name not in rows.schema.names:
        return (
            pa.nulls(rows.num_rows, field.type) if default is None else pa.repeat(pa.scalar(default, field.type), rows.num_rows)
        )
    try:
        column = rows[field.name].cast(field.type)
    except pa.ArrowInvalid as error:
        raise ConfigError(
            f"a value of {field.name} does not fit into {field.type} ({str(error).splitlines()[0]}); in table {contract.name}; "
            f"a newer contract than {contract.version} widened it: run newer code"
        ) from None
    return column if default is None else pc.fill_null(column, pa.scalar(default, field.type))


def check_filter(scan: DataScan, contract: Contract) -> None:
    """Refuse a filter that would silently drop rows, because a column is missing or filled with a default in older rows.

    Args:
        scan: the planned read, with its filter.
        contract: contract of the table.

    Raises:
        ConfigError: the filter uses such a column, or cannot be parsed.
    """
    schema = scan.projection()
    try:
        named = extract_field_ids(bind(schema, scan.row_filter, case_sensitive=True))
    except ValueError as error:
        raise ConfigError(
            f"a filter does not fit the columns ({str(error).splitlines()[0]}); in a read of table {contract.name}; "
            "correct it, or filter after reading if an older snapshot lacks the column"
        ) from None
    if wrong := sorted({schema.find_field(number).name for number in named} & contract.defaults.keys()):
        raise ConfigError(
            f"a filter uses {', '.join(wrong)}, which is only a default in older rows; in a read of table {contract.name}; "
            "filter after reading"
        )


def spark_rows(spark: "SparkSession", paths: "Sequence[str]", contract: Contract) -> "DataFrame":
    """Read data files of a table as a Spark frame with the contract's columns.

    Args:
        spark: the session.
        paths: data files, such as those of ``Lake.files``.
        contract: contract of the table.
    """
    from pyspark.sql import functions as F

    if not paths:
        return spark.createDataFrame([], contract.spark_schema)
    frame = spark.read.schema(contract.spark_schema).parquet(*paths)
    filled = {name: F.coalesce(F.col(name), F.lit(value)) for name, value in contract.defaults.items()}
    return frame.withColumns(filled) if filled else frame
