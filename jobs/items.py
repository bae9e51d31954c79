"""The catalogue as it was known on a day: for every item the newest line that had arrived by then.

Reads the catalogue files of the sources in the landing zone, writes the partition ``as_of`` of ``items``. Items whose file the
landing zone no longer holds come from the newest published catalogue. A catalogue that lacks too many of the known items is
refused. There is nothing to do on a day without a new catalogue file, because the previous partition still holds, or if no
source has a catalogue. A catalogue file that arrives late is new to the next day that is processed.
Lines are read with the rules of event lines: blanks around texts, texts that mean nothing, numbers, whole numbers as ids.
A line that breaks a rule of the contract, or has a price or a year that cannot be read, is left out, counted by reason in the
commit, and logged with its file and line. So is an item with an email address, a telephone number or a card number where
everybody would read it (reason ``title.personal``). A describing text that is too long is cut and counted.

``python -m jobs.items --as-of 1998-04-16``
"""

from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from jobs.catalogue.deliveries import NEW_FILES, Deliveries, expect_catalogue, new_files, published_catalogue
from jobs.catalogue.stages import LOGGED_LINES, Catalogue, read_catalogue, write_newest
from jobs.cleaning.accounting import changes
from jobs.exchange.exchange import buckets_for, exchange
from jobs.exchange.tasks import in_tasks
from jobs.landing.folders import tell_strays
from jobs.landing.published import ALLOW
from jobs.landing.readers import Bounds
from schemas.contract import load_contract
from schemas.lake.filters import equals
from schemas.lake.lake import Lake, open_lake
from schemas.publishing.staging import Attempt, open_attempt
from schemas.runtime.cli import day, log, parser_of, run_command, run_id_default
from schemas.runtime.errors import Refused
from schemas.spark.session import end_session, spark_session


def build_items(
    spark: SparkSession,
    attempt: Attempt,
    lake: Lake,
    as_of: date,
    deliveries: Deliveries,
    allow_missing_files: bool = False,
) -> dict[str, Any]:
    """Stage the catalogue as of a day.

    Args:
        spark: the session.
        attempt: the staged attempt.
        lake: the lake, with the newest published catalogue.
        as_of: the arrival day up to which files count.
        deliveries: the result of :func:`jobs.catalogue.deliveries.expect_catalogue`.
        allow_missing_files: whether items may be lost whose files are gone; then only the files that are there count.

    Returns:
        The number of rejected lines by reason.

    Raises:
        Refused: the catalogue lacks too many of the items that are known.
    """
    attempt.builds_on("items", lake.published_manifests("items", [str(as_of)]))
    before = None if allow_missing_files else published_catalogue(lake, as_of)
    known = {} if before is None else lake.sized_files("items", equals("as_of", before))
    files = tuple(file for _, found in deliveries for file in found)
    sources = {source.name: source for source, _ in deliveries}
    contract, folder, bounds = load_contract("items"), attempt.folder("items"), Bounds.set_by(lake.settings)
    of = Catalogue(as_of, files, sources, contract, folder, tuple(known), bounds)
    sizes = [*(file.size for file in files), *known.values()]
    stages = partial(read_catalogue, of), partial(write_newest, of)
    results = exchange(spark, in_tasks(sizes), buckets_for(sum(sizes)), *stages)
    refuse_loss(results, as_of, lake.settings.max_catalogue_loss)
    attempt.replaces("items", "as_of", [as_of])
    attempt.wrote("items", [path for result in results for path in result["wrote"]])
    for row in [row for result in results for row in result["examples"]][:LOGGED_LINES]:
        log.warning("item left out", file=row["source_file"], line=row["line_number"], reasons=row["reasons"])
    reasons, cut = Counter[str](), Counter[str]()
    for result in results:
        reasons.update(result["reasons"])
        for change, texts in result["changed"]:
            cut[change] += texts
    kept = sum(result["kept"] for result in results)
    if kept:
        log.warning("items kept from the published catalogue, as their files are gone", items=kept, published=str(before))
    figures = {
        "refused_items": dict(sorted(reasons.items())),
        "kept_items": kept,
        "cut_items": changes(cut)["cut_texts"],
    }
    attempt.note(files=len(files), **{NEW_FILES: new_files(lake, list(files))}, **figures)
    return figures


def refuse_loss(results: Sequence[dict[str, Any]], as_of: date, limit: float) -> None:
    """Refuse a catalogue that lacks too many of the items that are known.

    Args:
        results: the results of :func:`jobs.catalogue.stages.write_newest`, of all buckets.
        as_of: the arrival day of the catalogue.
        limit: the share of the known items that it may lack.

    Raises:
        Refused: it lacks more.
    """
    known, lacking = (sum(result[name] for result in results) for name in ("known", "lacking"))
    if lacking > limit * known:
        raise Refused(
            f"the catalogue as of {as_of} lacks {lacking} of the {known} items that are known, more than the share "
            f"CLICKWRIGHT_MAX_CATALOGUE_LOSS ({limit:g}); a catalogue file was cut or replaced; deliver it again, or accept "
            f"the loss with {ALLOW}"
        )


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Stage the catalogue as of a day."""
    parser = parser_of("Stage the catalogue of items as it was known on a day.", "python -m jobs.items --as-of 1998-04-16")
    parser.add_argument("--as-of", type=day, required=True, help="arrival day up to which files count, YYYY-MM-DD")
    parser.add_argument(
        ALLOW, action="store_true", help="make the catalogue of the files that are there alone; items of files that are gone go"
    )
    parser.add_argument("--run", default=run_id_default(), help="name of the run (default: this shell's)")
    args = parser.parse_args(argv)
    lake = open_lake()
    deliveries = expect_catalogue(lake, args.as_of)
    tell_strays(lake.settings.landing_dir, [source.items.folder for source, _ in deliveries if source.items])
    spark = spark_session(f"items {args.as_of}")
    try:
        with open_attempt("items", args.run, inputs={}) as attempt:
            return build_items(spark, attempt, lake, args.as_of, deliveries, args.allow_missing_files)
    finally:
        end_session(spark)


if __name__ == "__main__":
    raise SystemExit(run_command(main))
