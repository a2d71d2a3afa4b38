"""SIGKILLs of a real paper engine at random moments: ``python -m tests.sim.paper.kills``.

A market data server, the engine with its learner and its table worker, and people who give
commands are real processes. Each round the engine is killed, now and then one of the processes
beside it too, and started again. Then everything must be as the journal says. A later call goes on
with the same workspace.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.sim.paper.checks import Facts, findings
from tests.sim.paper.market import Market, make_workspace
from tests.sim.paper.people import People
from tests.sim.paper.processes import LEARNER, TABLES, Engine, EngineEnded, Server, kill

from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError
from ares.domain.utc import utc_text
from ares.sim.serve.admin import SimAdmin

START_SHARE = 0.35
"""So many kills come while the engine starts."""

RUN_S_MAX = 5.0
WORKER_SHARE = 0.3
"""In so many rounds a process beside the engine is killed first."""


class Rehearsal:
    """A workspace with its server; what was done is kept in ``kills.json``."""

    def __init__(self, folder: Path, market: Market, speed: float, seed: int) -> None:
        self._market, self._speed = market, speed
        self.workspace: Workspace = make_workspace(folder / "workspace", market)
        self._path = folder / "kills.json"
        known = json.loads(self._path.read_text()) if self._path.exists() else {}
        begin = {"kills": 0, "in_start": 0, "workers": 0, "starts_s": []}
        self.done: dict[str, Any] = begin | known
        self._chance = random.Random(f"{seed}/{self.done['kills']}")
        self.people = People(self.workspace, market.symbols, self._chance)
        self.server = Server(folder, *self._server_words())

    def _server_words(self) -> list[str]:
        market = self._market
        from_ms = self.done.get("market_ms", market.from_ms)
        words = ["--protocol", market.venue, "--synthetic", str(market.seed)]
        words += ["--edge", str(market.edge), "--days", str(market.days)]
        for symbol in market.symbols:
            words += ["-s", symbol]
        return [*words, "--from", utc_text(from_ms), "--speed", str(self._speed)]

    def start(self) -> Engine:
        """Start the engine."""
        return Engine(self.workspace, "--address", self.server.address, "--learn")

    def round(self) -> None:
        """Start the engine and kill it, at a moment drawn by chance."""
        chance, engine = self._chance, self.start()
        if self.done["starts_s"] and chance.random() < START_SHARE:
            self._sleep(engine, chance.uniform(0.0, 1.2 * self.done["starts_s"][-1]))
            self.done["in_start"] += 1
        else:
            self.done["starts_s"].append(round(engine.await_beat(), 2))
            until_s = time.monotonic() + chance.uniform(0.0, RUN_S_MAX)
            while time.monotonic() < until_s:
                self.people.ask()
                if chance.random() < WORKER_SHARE / 5.0:
                    self._kill_worker(engine)
                self._sleep(engine, chance.expovariate(3.0))
            for _ in range(chance.randint(0, 3)):
                self.people.ask()
            time.sleep(chance.uniform(0.0, 0.3))  # in time for some, too early for others
        engine.require_alive()
        engine.kill()
        self.done["kills"] += 1
        self.save()

    def _sleep(self, engine: Engine, seconds: float) -> None:
        time.sleep(seconds)
        engine.require_alive()

    def _kill_worker(self, engine: Engine) -> None:
        pid = engine.worker(self._chance.choice([LEARNER, TABLES]))
        if pid is not None:
            kill(pid)
            self.done["workers"] += 1

    def settle(self) -> list[str]:
        """Start once more, let it answer everything, stop it cleanly; return what does not hold."""
        engine = self.start()
        engine.await_beat()
        self.people.ask()
        engine.await_(lambda: not self._unanswered())
        engine.stop()
        self.save()
        return list(findings(self.workspace, self.people.given))

    def _unanswered(self) -> bool:
        from ares.store.commands import unanswered
        from ares.store.database import open_database

        database = open_database(self.workspace.db_url)
        try:
            return bool(unanswered(database, "paper"))
        finally:
            database.dispose()

    def save(self) -> None:
        """Write down what was done, and the market's time."""
        with suppress(ExternalError):  # a busy machine: the time of the round before is as good
            self.done["market_ms"] = int(SimAdmin(self.server.address).clock()["market_ms"])
        self._path.write_text(json.dumps(self.done))

    def close(self) -> None:
        """End the server."""
        self.people.close()
        self.server.close()


def report(rehearsal: Rehearsal) -> str:
    """Return what was done, in one line."""
    done, facts = rehearsal.done, Facts(rehearsal.workspace.journal_dir / "paper")
    starts = sorted(done["starts_s"])
    repeated = sum(n - 1 for n in facts.deliveries.values())
    return (
        f"{done['kills']} kills ({done['in_start']} during a start), {done['workers']} of processes"
        f" beside it; {facts.events:,} events, {len(facts.orders):,} orders, "
        f"{len(facts.answers):,} commands, {repeated} delivered again; a start takes"
        f" {starts[len(starts) // 2]:.1f} s, at most {starts[-1]:.1f} s"
    )


def main() -> int:
    """Kill until as many kills are done as are asked for; 1: something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="in all, with those of before")
    parser.add_argument("--every", type=int, default=25, help="kills between two checks")
    parser.add_argument("--speed", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/paper_kills"))
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    rehearsal = Rehearsal(chosen.folder.resolve(), Market(), chosen.speed, chosen.seed)
    found: list[str] = []
    try:
        while rehearsal.done["kills"] < chosen.kills and not found:
            for _ in range(min(chosen.every, chosen.kills - rehearsal.done["kills"])):
                rehearsal.round()
            found = rehearsal.settle()
            _say(report(rehearsal))
    except (EngineEnded, TimeoutError) as error:
        found.append(str(error))
    finally:
        rehearsal.close()
    for line in found:
        _say(f"does not hold: {line}")
    return 1 if found else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
