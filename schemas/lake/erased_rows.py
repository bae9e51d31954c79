"""The last check before a commit: no staged row may belong to an erased person."""

from collections.abc import Sequence

from schemas.contract import Contract
from schemas.lake.storage import open_parquet
from schemas.privacy.personal_data import columns_with_persons, persons_in
from schemas.privacy.suppression_list import read_erased
from schemas.runtime.errors import Refused


def refuse_erased(contract: Contract, files: Sequence[str]) -> None:
    """Refuse staged files that hold rows of a person on the suppression list.

    Call it between loading a table and committing to it. An erasure first puts the person on the list and then commits to every
    table. So a writer that did not see the list loses the commit, and sees the list in its retry.

    Args:
        contract: contract of the table.
        files: the staged files.

    Raises:
        Refused: a file holds such rows.
    """
    erased = read_erased()
    if not erased.requests or not (columns := columns_with_persons(contract)):
        return
    for name in files:
        with open_parquet(name) as file:
            people = persons_in(contract, file.read(columns=columns))
        if erased.among(people):
            raise Refused(
                f"the staged rows include a person who has been erased; table {contract.name}, in {name}; "
                "stage them again with the command of the job, which leaves these rows out"
            )
