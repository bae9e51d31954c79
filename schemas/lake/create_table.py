"""Create the Iceberg table of a contract."""

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import TableAlreadyExistsError
from pyiceberg.io.pyarrow import _pyarrow_to_schema_without_ids
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import assign_fresh_schema_ids
from pyiceberg.table import Table
from pyiceberg.transforms import IdentityTransform

from schemas.contract import Contract
from schemas.lake.catalog import NAMESPACE
from schemas.lake.evolution import VERSION

TABLE_PROPERTIES = {
    # PyIceberg's own retries would not check again whether the commit's inputs are still the newest.
    "commit.retry.num-retries": "0",
    # Each commit writes a metadata file with the whole history. Without a limit, a thousand commits leave a thousand files.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}


def create_table(catalog: Catalog, contract: Contract) -> Table:
    """Create a table with the columns and partitions of its contract, or load it if another process was first.

    Args:
        catalog: catalog of the lake.
        contract: contract of the table.
    """
    schema = assign_fresh_schema_ids(_pyarrow_to_schema_without_ids(contract.arrow_schema))
    fields = [
        PartitionField(schema.find_field(column).field_id, 1000 + i, IdentityTransform(), column)
        for i, column in enumerate(contract.partition_by)
    ]
    identifier = (NAMESPACE, contract.name)
    properties = {**TABLE_PROPERTIES, VERSION: str(contract.version)}
    try:
        return catalog.create_table(identifier, schema, partition_spec=PartitionSpec(*fields), properties=properties)
    except TableAlreadyExistsError:
        return catalog.load_table(identifier)
