"""The signer as a process: started, found, refused, killed; what it holds stays in it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sim.serving import Served, serving_in_thread

from ares.bootstrap.own_signer import signer_for
from ares.bootstrap.signer import (
    SOCKET,
    checked_by_signer,
    held_key,
    signer_folder,
    signer_runs,
    signer_status,
)
from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.security.vault import KeyVault
from ares.security.vault_format import KdfCost, KeyEntry
from ares.venues.answers import NoAnswer, NotSent
from ares.venues.signer_client import SignerClient
from ares.venues.signing import PrivateCall

ENVIRONMENT = "rehearsal/kraken"
BALANCE = PrivateCall("POST", "/0/private/Balance")
WAIT_S = 120.0


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving_in_thread("kraken", speed=1.0) as scene:
        yield scene


@pytest.fixture
def workspace(tmp_path: Path, served: Served, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    found, _ = Workspace.init(tmp_path / "w")
    text = found.settings_path.read_text().replace("venue: binance", "venue: kraken")
    found.settings_path.write_text(text.replace("passphrase_file: null", "passphrase_file: pass"))
    (found.root / "pass").write_text("a passphrase\n")
    (found.root / "pass").chmod(0o600)
    vault = KeyVault.create(found.keys_path, b"a passphrase", KdfCost(64, 1, 1))
    for role in ("", "-reader"):
        key = served.key(role.removeprefix("-") or "engine")
        vault.put(
            KeyEntry(f"{ENVIRONMENT}{role}", "kraken", 1_000, 90), ApiKey(key.key, key.secret)
        )
    monkeypatch.setenv("ARES_WORKSPACE", str(found.root))
    return found


def started(workspace: Workspace, address: str, *words: str) -> subprocess.Popen[bytes]:
    """Start a signer whose passphrase comes down a pipe, as a supervisor starts it."""
    command = [sys.executable, "-m", "ares", "signer", "run", "--env", ENVIRONMENT]
    process = subprocess.Popen(
        [*command, "--address", address, "--passphrase-fd", "0", *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "ARES_WORKSPACE": str(workspace.root)},
    )  # fmt: skip
    assert process.stdin is not None
    process.stdin.write(b"a passphrase\n")
    process.stdin.close()
    return process


def ready(process: subprocess.Popen[bytes]) -> dict[str, object]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read().decode() if process.stderr else ""
    found: dict[str, object] = json.loads(line)
    return found


def ended(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> str:
    """End a signer; return what it said."""
    process.send_signal(number)
    out, err = process.stdout, process.stderr
    code = process.wait(WAIT_S)
    text = "" if err is None else err.read().decode()
    for pipe in (out, err):
        if pipe is not None:
            pipe.close()
    assert code == (0 if number == signal.SIGTERM else -number), text
    return text


def test_a_supervisor_starts_it_and_whoever_needs_a_key_finds_it(
    workspace: Workspace, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    assert held_key(workspace, ENVIRONMENT) is None
    process = started(workspace, served.address)
    try:
        line = ready(process)
        assert line["keys"] == [ENVIRONMENT, f"{ENVIRONMENT}-reader"]
        assert signer_runs(workspace, ENVIRONMENT)
        held = held_key(workspace, ENVIRONMENT)
        assert held is not None
        assert served.key("engine").secret not in tuple(held)
        assert held_key(workspace, ENVIRONMENT, "watchdog") is None
        found = checked_by_signer(workspace, ENVIRONMENT)
        assert found.problems == ()
        assert found.rights is not None
        assert found.rights.can_trade
        with pytest.raises(UserError, match="does not hold 'rehearsal/kraken-watchdog'"):
            checked_by_signer(workspace, ENVIRONMENT, "watchdog")
        assert run(["signer", "status", "--env", ENVIRONMENT, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["pid"] == process.pid
        sent = signer_status(workspace, ENVIRONMENT).keys[0].sent
        assert run(["keys", "check", ENVIRONMENT]) == 0, "its address is the signer's"
        assert signer_status(workspace, ENVIRONMENT).keys[0].sent == sent + 1
        second = started(workspace, served.address)
        assert second.wait(WAIT_S) == ExternalError.exit_code
        assert second.stderr is not None
        assert b"another signer" in second.stderr.read()
        for pipe in (second.stdout, second.stderr):
            assert pipe is not None
            pipe.close()
        beat = signer_folder(workspace, ENVIRONMENT) / "beat"
        before = beat.stat().st_mtime_ns
        until_s = time.monotonic() + WAIT_S
        while beat.stat().st_mtime_ns == before and time.monotonic() < until_s:
            time.sleep(0.05)
        assert beat.stat().st_mtime_ns > before
    finally:
        ended(process)
    assert not signer_runs(workspace, ENVIRONMENT)
    with pytest.raises(ExternalError, match="does not answer"):
        signer_status(workspace, ENVIRONMENT)


def test_an_engine_has_one_of_its_own_where_none_runs(workspace: Workspace, served: Served) -> None:
    with signer_for(workspace, ENVIRONMENT, served.address) as held:
        assert held is not None
        pid = signer_status(workspace, ENVIRONMENT).pid
        with signer_for(workspace, ENVIRONMENT, served.address) as again:
            assert again is not None
            assert signer_status(workspace, ENVIRONMENT).pid == pid
    assert not signer_runs(workspace, ENVIRONMENT)
    assert not (signer_folder(workspace, ENVIRONMENT) / SOCKET).exists()
    workspace.keys_path.unlink()
    with signer_for(workspace, ENVIRONMENT, served.address) as none:
        assert none is None


def test_one_that_dies_is_started_again(workspace: Workspace, served: Served) -> None:
    lines: list[str] = []
    with signer_for(workspace, ENVIRONMENT, served.address, lines.append) as held:
        assert held is not None
        first = signer_status(workspace, ENVIRONMENT).pid
        os.kill(first, signal.SIGKILL)
        until_s, pid = time.monotonic() + WAIT_S, first
        while pid == first and time.monotonic() < until_s:
            with contextlib.suppress(ExternalError):
                pid = signer_status(workspace, ENVIRONMENT).pid
        assert pid != first
        assert lines == ["the signer died (exit code -9): started again"]
    assert not signer_runs(workspace, ENVIRONMENT)


def test_what_keeps_it_from_starting_is_one_line(
    workspace: Workspace, served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def line() -> str:
        with pytest.raises(UserError) as error, signer_for(workspace, ENVIRONMENT, served.address):
            raise AssertionError("it serves")
        return str(error.value)

    passphrase = workspace.root / "pass"
    passphrase.write_text("another\n")
    assert "is wrong; nothing was changed" in line()
    passphrase.chmod(0o644)
    assert "can be read by others" in line()
    passphrase.unlink()
    assert "cannot be read" in line()
    text = workspace.settings_path.read_text()
    workspace.settings_path.write_text(
        text.replace("passphrase_file: pass", "passphrase_file: null")
    )
    del workspace.__dict__["settings"]
    assert "the passphrase of the key file is needed" in line()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert "the systemd credential 'ares-passphrase' is missing" in line()
    assert not signer_runs(workspace, ENVIRONMENT)


def test_killed_in_the_middle_of_an_order_its_outcome_is_open_and_the_next_goes_on(
    workspace: Workspace, served: Served
) -> None:
    order = PrivateCall(
        "POST", "/0/private/AddOrder",
        body=f"pair=XBTUSDT&type=buy&ordertype=market&volume=0.001&cl_ord_id={'e' * 32}",
    )  # fmt: skip
    path = signer_folder(workspace, ENVIRONMENT) / SOCKET

    async def interrupted(process: subprocess.Popen[bytes]) -> None:
        client, looks = SignerClient(path), SignerClient(path)
        fault = served.fault("latency", ms=50_000, only="AddOrder")
        sending = asyncio.create_task(client.send(ENVIRONMENT, order, 50.0))
        while (await looks.status()).keys[0].sent == 0:
            await asyncio.sleep(0.02)
        process.kill()
        with pytest.raises(NoAnswer, match="the signer"):
            await sending
        served.venue.faults.clear(fault)
        for each in (client, looks):
            await each.close()

    async def goes_on() -> None:
        client = SignerClient(path)
        assert (await client.send(ENVIRONMENT, BALANCE, 30.0)).status == 200
        await client.close()

    first = started(workspace, served.address)
    ready(first)
    asyncio.run(interrupted(first))
    ended(first, signal.SIGKILL)
    with pytest.raises(NotSent):
        asyncio.run(_nobody(path))
    second = started(workspace, served.address)
    ready(second)
    asyncio.run(goes_on())
    ended(second)
    sent = [o for o in served.account.orders.values() if o.requested.client_id == "e" * 32]
    assert len(sent) <= 1, "it was never sent again"


async def _nobody(path: Path) -> None:
    client = SignerClient(path, back_s=0.1)
    await client.send(ENVIRONMENT, BALANCE, 1.0)


def test_it_ends_with_the_process_that_it_was_started_for(
    workspace: Workspace, served: Served
) -> None:
    """The parent is killed: its end of the pipe closes."""
    program = (
        "import sys, time\n"
        "from ares.bootstrap.own_signer import signer_for\n"
        "from ares.bootstrap.signer import signer_status\n"
        "from ares.config.workspace import Workspace\n"
        "w = Workspace.here()\n"
        f"with signer_for(w, {ENVIRONMENT!r}, {served.address!r}):\n"
        f"    print(signer_status(w, {ENVIRONMENT!r}).pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert parent.stdout.readline().strip().isdigit()
    parent.kill()
    parent.wait(WAIT_S)
    parent.stdout.close()
    until_s = time.monotonic() + WAIT_S
    while signer_runs(workspace, ENVIRONMENT) and time.monotonic() < until_s:
        time.sleep(0.05)
    assert not signer_runs(workspace, ENVIRONMENT)
