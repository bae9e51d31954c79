"""Passwords in URIs and messages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.lake.lake import open_lake
from schemas.runtime.errors import ClickwrightError
from schemas.runtime.masking import shown, without_login
from schemas.runtime.mlflow_rest import version_by_alias
from schemas.runtime.settings import ROOT, get_settings

DATABASE = "postgresql+psycopg://"


@pytest.mark.parametrize(
    ("uri", "wanted"),
    [
        (f"{DATABASE}u:s3cret@h/db", f"{DATABASE}u:***@h/db"),
        (f"{DATABASE}u:s3/cret@h/db", f"{DATABASE}u:***@h/db"),
        (f"{DATABASE}u:s3%2Fcret@h/db", f"{DATABASE}u:***@h/db"),
        (f"{DATABASE}u:s3@cret@h/db", f"{DATABASE}u:***@h/db"),
        (f"{DATABASE}u:s3:cret@h/db", f"{DATABASE}u:***@h/db"),
        (f"{DATABASE}u:s3?cret#&x=1@h/db", f"{DATABASE}u:***@h/db"),
        (f"{DATABASE}:s3cret@h/db", f"{DATABASE}:***@h/db"),
        (f"{DATABASE}u@h/db?password=s3cret", f"{DATABASE}u@h/db?password=***"),
        (f"{DATABASE}u@h/db?sslmode=require&PASSWORD=s3@cret", f"{DATABASE}u@h/db?sslmode=require&PASSWORD=***"),
        (f"{DATABASE}u@h/db?p%61ssword=s3cret", f"{DATABASE}u@h/db?p%61ssword=***"),
        ("http://user:s3cret@mlflow/", "http://user:***@mlflow/"),
        ("https://s3cret@mlflow/", "https://***@mlflow/"),
        ("https://hooks.example/x?access_token=s3cret&n=1", "https://hooks.example/x?access_token=***&n=1"),
        ("cannot connect with password=s3cret host=h", "cannot connect with password=*** host=h"),
        ("http://127.0.0.1:5000/#/models", "http://127.0.0.1:5000/#/models"),
        ("s3://bucket/folder", "s3://bucket/folder"),
    ],
)
def test_a_password_is_masked_whatever_it_is_made_of(uri: str, wanted: str) -> None:
    assert shown(uri) == wanted
    assert shown(f"at {uri} there is nothing") == f"at {wanted} there is nothing"


def test_a_secret_of_the_environment_is_masked_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", f"{DATABASE}u:s3cr%2Fet@h/db")
    monkeypatch.setenv("CLICKWRIGHT_OBJECT_STORE_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE", "/var/passwords.json")
    assert shown("no such file; /var/passwords.json") == "no such file; /var/passwords.json"
    assert shown("login failed for u with s3cr/et, signed with wJalrXUtnFEMI") == "login failed for u with ***, signed with ***"


@pytest.mark.parametrize(
    "uri",
    [
        f"{DATABASE}u:s3cr/et@127.0.0.1:1/db",
        f"{DATABASE}u:s3cr@et-part.invalid@127.0.0.1:1/db",
        f"{DATABASE}u@127.0.0.1:1/db?password=s3cr-et-part&connect_timeout=2",
        "s3cr-et-part://u:s3cr-et-part@h:port/db",
    ],
)
def test_a_catalog_that_does_not_answer_is_named_without_its_password(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_CATALOG_URI", uri)
    with pytest.raises(ClickwrightError) as raised:
        open_lake()
    assert "s3cr/et" not in str(raised.value)
    assert "et-part" not in str(raised.value).replace("s3cr-et-part://", "")


def test_an_mlflow_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(ClickwrightError, match="does not answer") as raised:
        version_by_alias("http://user:s3cret@127.0.0.1:1", "recommender", "champion")
    assert "s3cret" not in str(raised.value)
    assert "http://user:***@127.0.0.1:1" in str(raised.value)


def test_a_wrong_setting_is_shown_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLICKWRIGHT_OBJECT_STORE_ENDPOINT", "ftp://user:s3cret@store/")
    with pytest.raises(ClickwrightError, match="wrong setting CLICKWRIGHT_OBJECT_STORE_ENDPOINT") as raised:
        get_settings()
    assert "s3cret" not in str(raised.value)


def test_a_link_holds_no_login() -> None:
    assert without_login("https://user:s3c/ret@mlflow.example/base") == "https://mlflow.example/base"


def test_logs_results_and_tracebacks_of_a_command_hold_no_password(tmp_path: Path) -> None:
    uri = "http://user:s3cret-word@mlflow.example/"
    program = f"""
from schemas.runtime.cli import log, run_command
def main():
    log.info("connects", to={uri!r}, tried=[{uri!r}])
    raise RuntimeError("no answer from " + {uri!r})
run_command(main)
run_command(lambda: {{"at": {uri!r}}})
"""
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, env={**os.environ}, check=True
    )
    assert "s3cret-word" not in found.stdout + found.stderr
    assert (found.stdout + found.stderr).count("http://user:***@mlflow.example/") >= 4
