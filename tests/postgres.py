"""A PostgreSQL server of a test session: Debian's binaries, a temporary folder, a loopback port."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

MISSING = "PostgreSQL is not installed: apt-get install postgresql"
USER = "ares"


def binaries() -> Path | None:
    """Return the folder of the server's programs; None where it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return None if program is None else Path(program).resolve().parent


@dataclass
class PostgresServer:
    """A server that runs; ``stop`` and ``start`` restart it on its data."""

    programs: Path
    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL of the database that every server has."""
        return self.url_of("postgres")

    def url_of(self, name: str) -> str:
        """Return the URL of a database."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def make_database(self, name: str, like: str = "template1") -> str:
        """Make a database, empty or like another one; return its URL."""
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{like}"'.encode())
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected."""
        with closing(psycopg.connect(self.url, autocommit=True)) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "fsync": "off",
            "unix_socket_directories": "", "max_connections": 40, "shared_buffers": "32MB",
        }  # fmt: skip
        settings = [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        program, data = str(self.programs / "postgres"), str(self.folder / "data")
        self.process = subprocess.Popen(
            [*_as_user(), program, "-D", data, *settings],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder,
        )  # fmt: skip
        deadline_s = time.monotonic() + 60.0
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it, by default as ``pg_ctl stop -m fast`` does."""
        if self.process is not None and self.process.poll() is None:
            pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(pid, how)
            self.process.wait(timeout=60)
        self.process = None


@contextmanager
def running_server() -> Iterator[PostgresServer | None]:
    """Yield a server for a test session; None where it is not installed."""
    programs = binaries()
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ares-postgres-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody")
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        subprocess.run(
            [*_as_user(), str(programs / "initdb"), "-D", str(folder / "data"), "-U", USER,
             "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        server = PostgresServer(programs, folder, port)
        try:
            server.start()
            yield server
        finally:
            server.stop(signal.SIGQUIT)


def plain(value: Any) -> Any:
    """Return a value as SQLite has it: a time as text, a truth value as a number."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    return int(value) if isinstance(value, bool) else value


def _as_user() -> list[str]:
    """Return what begins a command of an unprivileged user: the server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
