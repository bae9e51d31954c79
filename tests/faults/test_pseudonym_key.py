"""Two machines with a key each share a new lake on PostgreSQL and an object store: one key wins, the other is refused."""

import pytest

from schemas.lake.lake import open_lake
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.runtime.errors import ConfigError
from schemas.runtime.settings import get_settings
from tests.faults.servers import ObjectStore, Postgres
from tests.schemas.lakes import DAYS, first_publishes, write_day

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.mark.faults
def test_one_of_two_machines_is_refused(catalog: Postgres | None, object_store: ObjectStore) -> None:
    here = get_settings()
    other = here.model_copy(update={"var": here.var.parent / "other", "catalog_uri": here.catalog})
    machines = [here, other]
    assert len({pseudonym_key(machine) for machine in machines}) == 2

    won = first_publishes(machines)
    assert won in ([True, False] * 4, [False, True] * 4)
    with pytest.raises(ConfigError, match="not the key that made the pseudonyms of the lake"):
        open_lake(machines[won.index(False)])


def test_a_lake_in_an_object_store_needs_its_key(object_store: ObjectStore) -> None:
    write_day("sessions", DAYS[0])
    key_file = get_settings().pseudonym_key_file
    kept = key_file.read_text()
    key_file.unlink()
    with pytest.raises(ConfigError, match="the lake holds pseudonyms"):
        pseudonym_key(get_settings())
    assert not key_file.exists()
    key_file.write_text("x" * 64)
    with pytest.raises(ConfigError, match="not the key that made the pseudonyms"):
        write_day("sessions", DAYS[1])
    key_file.write_text(f"{kept}\n")
    write_day("sessions", DAYS[1])
