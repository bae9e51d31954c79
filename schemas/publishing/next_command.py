"""The commands that build, audit and publish a run again, as remedies in errors."""

import shlex

from schemas.runtime.setting_groups import ROOT


def build(job: str, run: str) -> str:
    """The remedy for rows that must be staged again; the options are those of the first build.

    Args:
        job: name of the job, such as ``clean``.
        run: name of the run.

    >>> build("clean", "try")
    'run `python -m jobs.clean --run try` with the options of the day (`--help` lists them), then its audit'
    """
    package = "ml" if (ROOT / "ml" / f"{job}.py").exists() else "jobs"
    command = f"python -m {package}.{job} --run {shlex.quote(run)}"
    return f"run `{command}` with the options of the day (`--help` lists them), then its audit"


def audit(job: str, run: str) -> str:
    """The remedy for staged rows that must be audited.

    Args:
        job: name of the job, such as ``clean``.
        run: name of the run.

    >>> audit("clean", "try")
    'run `python -m schemas.publishing.audit --job clean --run try`'
    """
    return f"run `python -m schemas.publishing.audit --job {shlex.quote(job)} --run {shlex.quote(run)}`"
