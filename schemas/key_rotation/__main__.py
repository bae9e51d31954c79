"""Rotate the key of the pseudonyms: prepare a new state folder, into which the lake is computed again from the landing zone.

The rows of a lake cannot be renamed in place: session ids, event ids and models depend on the pseudonyms. So this command makes
a folder with the rotated key and with the suppression list under that key, and leaves the present state as it is. Afterwards
the days are computed into the new folder (docs/privacy.md has the steps). The command may be run again after a kill.

``python -m schemas.key_rotation --into var-rotated``
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.erasure.receipt import receipts
from schemas.lake.lake import Lake, open_lake
from schemas.lake.pseudonym_key import pseudonym_key
from schemas.maintenance.lock import maintenance_lock
from schemas.privacy.erasure_requests import pending
from schemas.privacy.pseudonyms import fingerprint, keys_of, rotated
from schemas.privacy.suppression_list import digest_after_rotation
from schemas.runtime.cli import log, parser_of, run_command
from schemas.runtime.errors import ClickwrightError, ConfigError, Refused
from schemas.runtime.local_files import private_file, random_secret, write_atomically
from schemas.runtime.settings import ROOT, Settings, get_settings


def rotate(settings: Settings, into: Settings) -> dict[str, Any]:
    """Write the rotated key and the suppression list into a new state folder.

    Args:
        settings: the settings of the present state.
        into: the same, with the new state folder.

    Returns:
        The fingerprints of both keys, and the number of persons on the list.

    Raises:
        ConfigError: the folder holds the key of another lake, or a lake.
    """
    present = pseudonym_key(settings)
    if into.lake_dir.exists():
        raise ConfigError(f"the folder holds a lake already; at {into.lake_dir}; name an empty folder with --into")
    private_file(into.pseudonym_key_file, lambda: rotated(present, random_secret().encode()).decode())
    key = into.model_copy(update={"pseudonym_key": None}).pseudonym_secret()
    *earlier, fresh = keys_of(key)
    if tuple(earlier) != keys_of(present):
        raise ConfigError(f"the key is not a rotation of the present one; at {into.pseudonym_key_file}; name an empty folder")
    listed = sorted(settings.erased.glob("[!.]*"))
    for path in listed:
        write_atomically(into.erased / digest_after_rotation(path.name, fresh), path.read_text())
    for path in receipts(settings):
        target = into.erasures / path.relative_to(settings.erasures)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    into.erasures.mkdir(parents=True, exist_ok=True)
    into.erasures.chmod(0o700)
    return {"from": fingerprint(present), "to": fingerprint(key), "erased_persons": len(listed)}


def lost_files(lake: Lake, settings: Settings) -> list[str]:
    """The landing files of published rows that the landing zone no longer holds: their rows cannot be computed again.

    Args:
        lake: the lake.
        settings: the settings, with the landing zone.
    """
    if not lake.exists("landing_files"):
        return []
    files = lake.arrow("landing_files", columns=["source_file"])["source_file"].to_pylist()
    return sorted(name for name in files if not (settings.landing_dir / name).exists())


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Prepare the state folder of the rotated key."""
    parser = parser_of(
        "Prepare a new state folder with a rotated pseudonym key.", "python -m schemas.key_rotation --into var-rotated"
    )
    parser.add_argument("--into", required=True, metavar="FOLDER", help="the new state folder, relative to the project's root")
    parser.add_argument(
        "--allow-missing-files",
        action="store_true",
        help="rotate although landing files are gone: the new lake will not hold their rows",
    )
    args = parser.parse_args(argv)
    settings = get_settings()
    into = settings.model_copy(update={"var": ROOT / args.into})
    lake = open_lake(settings)
    with maintenance_lock():
        if pending(settings):
            raise ClickwrightError(
                f"an erasure is not finished; in {settings.erasures}; run `python -m schemas.erasure --pending` first"
            )
        lost = lost_files(lake, settings)
        if lost and not args.allow_missing_files:
            raise Refused(
                f"{len(lost)} landing files of published rows are gone, such as {Path(lost[0])}; in {settings.landing_dir}; "
                "put them back, or give --allow-missing-files to go without their rows"
            )
        done = rotate(settings, into)
    log.info("rotated", erased_persons=done["erased_persons"], lost_files=len(lost))
    return {"into": str(into.var), "key": str(into.pseudonym_key_file), "lost_files": lost, **done}


if __name__ == "__main__":
    raise SystemExit(run_command(main))
