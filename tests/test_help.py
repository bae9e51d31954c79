"""The help of every command ends with an example, and the command accepts the arguments of its example."""

import argparse
import shlex
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("jobs", "local", "ml", "schemas")
COMMANDS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in PACKAGES
    for path in (ROOT / package).rglob("*.py")
    if '\nif __name__ == "__main__":' in (text := path.read_text()) and "\ndef main(" in text
)


class Parsed(Exception):  # noqa: N818 - it ends a command after its arguments were read
    """The arguments of a command were accepted."""


@pytest.fixture
def only_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command ends as soon as it has read its arguments."""
    read = argparse.ArgumentParser.parse_args

    def parse_args(self: argparse.ArgumentParser, argv: list[str]) -> None:
        read(self, argv)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)


def example_of(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The last line of a command's help."""
    with pytest.raises(SystemExit) as ended:
        import_module(command).main(["--help"])
    assert ended.value.code == 0
    *_, title, line = capsys.readouterr().out.rstrip().splitlines()
    assert title == "Example:"
    return line.strip()


def test_the_commands_are_found() -> None:
    assert {"jobs.clean", "ml.train", "schemas.maintenance.__main__", "local.stack.__main__"} <= set(COMMANDS)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.usefixtures("only_parse")
def test_the_help_ends_with_an_example_that_is_accepted(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    python, option, module, *arguments = shlex.split(example_of(command, capsys))
    assert (python, option, module) == ("python", "-m", command.removesuffix(".__main__"))
    with pytest.raises(Parsed):
        import_module(command).main(arguments)
