"""`ares kill --flatten` with an engine that is healthy, frozen, dead, with the database locked and
the disk full, and with an order that arrives late: ``python -m tests.sim.rehearsal.stopping``.

Server, engine and command are real processes. Measured is from the command's start until the
account holds nothing of what is traded, and from a late arrival until that is sold again.
Afterwards the engine starts again: it shows no difference, and stays stopped until `ares resume`.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from tests.sim.paper.market import Market, make_workspace, run_ares
from tests.sim.rehearsal.attack import Attack, NotCompared

from ares.config.workspace import Workspace
from ares.runtime.ops.journal_ledger import JournalLedger, journal_ledger
from ares.runtime.ops.stop_file import BYTES
from ares.sim.serve.admin import SimAdmin
from ares.sim.serve.faults import parse_fault
from ares.sim.serve.keys import default_keys

MODES = ("healthy", "frozen", "dead", "locked", "full", "late")
SMALL = Market(
    symbols=("BTC/USDT", "ETH/USDT"), venue="kraken", days=16, history_days=15,
    timeframes=("5m", "15m"), rows_max=2_000,
)  # fmt: skip
WAIT_S = 300.0
LATE_MS = 3_000
LOOK_S = 0.01
CALM_S = 90.0


class Stopping(Attack):
    """An engine that trades on a server, and is to be stopped."""

    def _server_words(self, speed: float) -> list[str]:
        return [*super()._server_words(speed), "--withdraw-key"]

    def _write_key(self) -> None:
        super()._write_key()
        owner = default_keys(0, withdraws=True)[-1]
        with (self.workspace.root / ".env").open("a") as file:
            for name, value in (("KEY", owner.key), ("SECRET", owner.secret)):
                file.write(f"REHEARSAL_KRAKEN_KILL_{name}={value}\n")

    @property
    def ledger(self) -> JournalLedger:
        return journal_ledger(self.workspace.journal_dir / self.environment)

    def await_position(self) -> None:
        """Wait until something is held, and its stop rests."""

        def is_protected() -> bool:
            ledger = self.ledger
            stops = [o for o in ledger.orders.values() if o.kind == "stop" and o.working]
            return any(ledger.lots) and bool(stops)

        self.engine.await_(is_protected, WAIT_S)

    def await_intent(self) -> None:
        """Let the next entry arrive late, and wait until the engine has sent it."""
        fault = f"request_orphaned:ms={LATE_MS},count=1,only=AddOrder"
        before = set(self.orders())
        SimAdmin(self.server.address).add(parse_fault(fault))
        self.engine.await_(lambda: bool(set(self.orders()) - before), WAIT_S)

    def held(self) -> float:
        """Return what the account holds beside quote currency."""
        balances = SimAdmin(self.server.address).account()["balances"]
        return sum(float(amount) for asset, amount in balances.items() if asset != "USDT")

    def kill_by(self, mode: str) -> dict[str, float]:
        """Put the engine into a state, give the command; return the seconds that were measured."""
        if mode == "late":
            self.await_intent()
        else:
            self.await_position()
        if mode == "frozen":
            self.engine.freeze_for_good()
        elif mode in ("dead", "late"):
            self.engine.kill()
        found: dict[str, float] = {}
        with closing(sqlite3.connect(self.workspace.db_path, isolation_level=None)) as database:
            if mode == "locked":
                database.execute("BEGIN EXCLUSIVE")
            begun_s = time.monotonic()
            command = [sys.executable, "-m", "ares", "kill", "--flatten", "--env", self.environment]
            process = subprocess.Popen(
                command, cwd=self.workspace.root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True,
            )  # fmt: skip
            if mode == "full":
                _fill_disk(process.pid)
            arrived_s = 0.0
            while not (ended := os.wait4(process.pid, os.WNOHANG))[0]:
                held, now_s = self.held(), time.monotonic()
                if not held and "flat_s" not in found:
                    found["flat_s"] = now_s - begun_s
                elif held and "flat_s" in found and not arrived_s:
                    arrived_s = now_s
                elif not held and arrived_s:
                    found["late_s"], arrived_s = now_s - arrived_s, 0.0
                time.sleep(LOOK_S)
            found["ended_s"] = time.monotonic() - begun_s
            found["processor_s"] = ended[2].ru_utime + ended[2].ru_stime
            process.returncode = os.waitstatus_to_exitcode(ended[1])
            assert process.stdout is not None
            self.output_of_kill = process.stdout.read()
            process.stdout.close()
            if process.returncode != 0 or self.held():
                raise RuntimeError(f"{mode}: exit code {process.returncode}: {self.output_of_kill}")
        return found

    def check_next_start(self) -> list[str]:
        """Start the engine again; return what does not hold."""
        if self.engine.is_running():
            self.engine.stop()
        self.engine = self.start()
        until_s, wrong = time.monotonic() + CALM_S, ["not compared"]
        while wrong and time.monotonic() < until_s:
            time.sleep(3.0)
            try:
                wrong = [line for line in self._differences() if "flatten" not in line]
            except NotCompared as error:
                wrong = [str(error)]
        halts = self._json("status", "--env", self.environment)["status"]["halts"]
        if not any("flatten" in str(halt) for halt in halts):
            wrong.append(f"it is not stopped: {halts}")
        run_ares(self.workspace.root, "resume", "--env", self.environment, "--reason", "calm")
        halts = self._json("status", "--env", self.environment)["status"]["halts"]
        if any("flatten" in str(halt) for halt in halts):
            wrong.append(f"it is stopped still: {halts}")
        self.engine.stop()
        return wrong + self._certified() + self._repeated()


def _fill_disk(pid: int) -> None:
    """Let no file of a process grow: as a full disk, with what is reserved in place."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (BYTES, BYTES))


def stopped(
    base: Workspace, folder: Path, mode: str, speed: float
) -> tuple[dict[str, float], list[str]]:
    """Stop a new engine in a mode; return what was measured, and what does not hold."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base.root, folder / "workspace")
    stopping = Stopping(folder, SMALL, speed, seed=1)
    try:
        measured = stopping.kill_by(mode)
        sys.stdout.write(stopping.output_of_kill)
        return measured, stopping.check_next_start()
    finally:
        stopping.close()


def main() -> int:
    """Stop engines in each mode; 1: something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--modes", nargs="*", default=MODES)
    parser.add_argument("--folder", type=Path, default=Path("build/stopping"))
    chosen = parser.parse_args()
    folder, found = chosen.folder.resolve(), list[str]()
    base = make_workspace(folder / "base", SMALL, "rehearsal/kraken")
    for mode in chosen.modes:
        for _ in range(chosen.times):
            measured, wrong = stopped(base, folder / mode, mode, chosen.speed)
            values = ", ".join(f"{name} {value:.2f}" for name, value in measured.items())
            sys.stdout.write(f"{mode}: {values}\n")
            for line in wrong:
                sys.stdout.write(f"does not hold: {line}\n")
            sys.stdout.flush()
            found += wrong
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
