"""An engine on a venue server that misbehaves, killed and frozen at random moments:
``python -m tests.sim.rehearsal.attack``.

Server and engine are real processes; between them is the venue's own protocol. Once the faults end,
ledger and venue must agree to the last unit, no order was sent twice, and the journal must certify.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.sim.paper.market import Market, make_workspace, run_ares
from tests.sim.paper.processes import Engine, EngineEnded, Server

from ares.config.workspace import Workspace
from ares.domain.order_events import SubmitOrder
from ares.domain.utc import utc_text
from ares.journal.run import entries
from ares.sim.serve.admin import SimAdmin
from ares.sim.serve.faults import parse_fault
from ares.sim.serve.keys import default_keys

FAULTS = (
    "reply_lost:probability=0.5,seconds=12",
    "request_late:ms=2500,probability=0.4,seconds=12",
    "request_orphaned:ms=1500,probability=0.4,seconds=12",
    "error_before:probability=0.4,seconds=8",
    "error_after:probability=0.4,seconds=8",
    "stale:seconds=12",
    "incomplete:seconds=12",
    "unavailable:seconds=6",
    "mute_private:seconds=15",
    "fill_during_cancel:seconds=60",
    "stop_cancelled:count=1",
    "partial_fills:seconds=60",
    "duplicate:probability=0.5,seconds=30",
    "reorder:probability=0.3,seconds=30",
    "drop:probability=0.2,seconds=15",
    "close:count=1",
    "http_503:seconds=5",
    "http_429:seconds=5",
    "html:probability=0.2,seconds=8",
    "not_json:probability=0.2,seconds=8",
    "latency:ms=400,seconds=15",
)
KILL_SHARE, FREEZE_SHARE, EXIT_SHARE = 0.15, 0.06, 0.15
CALM_S = 150.0
"""After the last fault ledger and venue agree within so much wall time."""


class NotCompared(RuntimeError):
    """A command did not answer."""


class Attack:
    """A workspace, a venue server and the engine of ``rehearsal/NAME``."""

    def __init__(self, folder: Path, market: Market, speed: float, seed: int) -> None:
        self.environment = f"rehearsal/{market.venue}"
        self._chance, self._market = random.Random(seed), market
        self.workspace: Workspace = make_workspace(folder / "workspace", market, self.environment)
        self.done = {"faults": 0, "kills": 0, "freezes": 0, "exits": 0}
        self.server = Server(folder, *self._server_words(speed))
        self._admin = SimAdmin(self.server.address)
        self._write_key()
        self.engine = self.start()

    def _server_words(self, speed: float) -> list[str]:
        market = self._market
        words = ["--protocol", market.venue, "--synthetic", str(market.seed)]
        words += ["--edge", str(market.edge), "--days", str(market.days)]
        for symbol in market.symbols:
            words += ["-s", symbol]
        return [*words, "--from", utc_text(market.from_ms), "--speed", str(speed)]

    def _write_key(self) -> None:
        stem = self.environment.upper().replace("/", "_").replace("-", "_")
        engine, reader, _ = default_keys(0)
        names = {stem: engine, f"{stem}_READER": reader}
        lines = [
            f"{name}_KEY={key.key}\n{name}_SECRET={key.secret}\n" for name, key in names.items()
        ]
        (self.workspace.root / ".env").write_text("".join(lines))

    def start(self) -> Engine:
        """Start the engine and wait until it runs."""
        words = ("--address", self.server.address, "--no-learn")
        engine = Engine(self.workspace, *words, environment=self.environment)
        engine.await_beat()
        return engine

    def round(self) -> None:
        """Begin a fault; now and then kill or freeze the engine, or have a position sold."""
        chance = self._chance
        time.sleep(chance.uniform(2.0, 10.0))
        self.engine.require_alive()
        self._admin.add(parse_fault(chance.choice(FAULTS)))
        self.done["faults"] += 1
        if chance.random() < EXIT_SHARE:
            self._sell(chance.choice(self._market.symbols))
        drawn = chance.random()
        if drawn < KILL_SHARE:
            self.kill()
        elif drawn < KILL_SHARE + FREEZE_SHARE:
            self.engine.freeze(chance.uniform(1.0, 8.0))
            self.done["freezes"] += 1

    def await_orders(self, n: int) -> None:
        """Wait until so many orders were sent."""
        self.engine.await_(lambda: len(self.orders()) >= n)

    def kill(self) -> None:
        """SIGKILL the engine, and start it again."""
        self.engine.kill()
        self.done["kills"] += 1
        self.engine = self.start()

    def _sell(self, symbol: str) -> None:
        words = ("force-exit", "-s", symbol, "--reason", "attack", "--env", self.environment)
        try:
            run_ares(self.workspace.root, *words)
        except RuntimeError:
            return  # nothing is held, or the engine is busy: a person is told so
        self.done["exits"] += 1

    def settle(self) -> list[str]:
        """End all faults; return what does not hold once it is calm."""
        self._admin.clear()
        until_s = time.monotonic() + CALM_S
        wrong = ["not compared"]
        while wrong and time.monotonic() < until_s:
            time.sleep(15.0)
            self.engine.require_alive()
            try:
                wrong = self._differences()
            except NotCompared as error:  # the rate limit of the reader's key
                wrong = [str(error)]
        self.engine.stop()
        return wrong + self._certified() + self._repeated()

    def _differences(self) -> list[str]:
        status = self._json("status", "--env", self.environment)["status"]
        open_points = [f"{d}" for d in status["differences"]]
        open_points += [f"{h}" for h in status["halts"]]
        open_points += [f"{o}" for o in status["orders"] if o["status"] == "unknown"]
        words = ("reconcile", "--env", self.environment, "--address", self.server.address)
        found = self._json(*words)
        lines = [f"{line}" for line in found["lines"] if line["differs"]]
        return open_points + lines + ([] if found["complete"] else ["not complete"])

    def _json(self, *words: str) -> dict[str, Any]:
        command = [sys.executable, "-m", "ares", *words, "--json"]
        done = subprocess.run(
            command, cwd=self.workspace.root, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1):
            raise NotCompared(f"ares {' '.join(words)}: {done.stdout}{done.stderr}")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def _certified(self) -> list[str]:
        try:
            run_ares(self.workspace.root, "certify", self.environment)
        except RuntimeError as error:
            return [str(error)]
        return []

    def _repeated(self) -> list[str]:
        ids = self.orders()
        repeated = len(ids) - len(set(ids))
        return [f"{repeated} orders were sent again"] if repeated else []

    def orders(self) -> list[str]:
        """Return the client ids of all orders that were sent."""
        folder = self.workspace.journal_dir / self.environment
        effects = (effect for entry in entries(folder) for effect in entry.effects)
        return [effect.client_id for effect in effects if isinstance(effect, SubmitOrder)]

    def close(self) -> None:
        """End the processes."""
        self.engine.kill()
        self.server.close()


def report(attack: Attack) -> str:
    """Return what was done, in one line."""
    done = ", ".join(f"{n} {what}" for what, n in attack.done.items())
    return f"{done}; {len(attack.orders())} orders"


def main() -> int:
    """Attack seeds one after the other until the time is over; 1: something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rounds", type=int, default=40, help="of one seed")
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--venue", default="kraken")
    parser.add_argument("--folder", type=Path, default=Path("build/rehearsal"))
    chosen = parser.parse_args()
    until_s, seed, found = time.monotonic() + 60.0 * chosen.minutes, chosen.seed, list[str]()
    while time.monotonic() < until_s and not found:
        folder = (chosen.folder / f"{chosen.venue}-{seed}").resolve()
        folder.mkdir(parents=True, exist_ok=True)
        attack = Attack(folder, Market(venue=chosen.venue), chosen.speed, seed)
        try:
            for _ in range(chosen.rounds):
                attack.round()
            found = attack.settle()
            sys.stdout.write(f"seed {seed}: {report(attack)}\n")
        except (EngineEnded, TimeoutError) as error:
            found = [str(error)]
        finally:
            attack.close()
        for line in found:
            sys.stdout.write(f"does not hold: {line}\n")
        sys.stdout.flush()
        seed += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
