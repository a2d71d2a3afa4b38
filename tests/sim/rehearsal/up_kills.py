"""SIGKILLs of any process of ``ares up`` on a venue server: ``python -m`` of this module.

Server, supervisor and its processes are real. After each kill all must live again by itself, but
the supervisor, which is started again as a person would; at the end ledger and venue agree to the
last unit, no order was sent twice, and the journal certifies.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from tests.sim.paper.market import Market
from tests.sim.paper.processes import WAIT_S, Engine, EngineEnded, children, command_of
from tests.sim.rehearsal.attack import Attack

from ares.bootstrap.up import up_status
from ares.domain.errors import ExternalError
from ares.journal.lock import holder
from ares.runtime.ops.up_status import UpStatus

HEAL_S = 300.0
SIDE_PROCESSES = ("table_process", "learner_process")


class UpKills(Attack):
    """An attack whose engine is kept running by ``ares up``."""

    def __init__(self, folder: Path, market: Market, speed: float, seed: int) -> None:
        self.healed_s = list[float]()
        self.killed = Counter[str]()
        self._chance_of_kills = random.Random(seed)
        self._up: subprocess.Popen[bytes] | None = None
        super().__init__(folder, market, speed, seed)

    def start(self) -> Engine:
        """Start the supervisor, and wait until all lives."""
        self._start_up()
        self._await_health()
        return _Adopted(self)

    def _start_up(self) -> None:
        words = ["up", "--env", self.environment, "--address", self.server.address, "--no-learn"]
        with (self.workspace.logs_dir / "up-console.log").open("ab") as output:
            self._up = subprocess.Popen(
                [sys.executable, "-m", "ares", *words], cwd=self.workspace.root, stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip

    def status(self) -> UpStatus | None:
        """Return the status of the supervisor that runs; None: it has not written any yet."""
        assert self._up is not None
        try:
            found = up_status(self.workspace, self.environment)
        except ExternalError:
            return None
        return found if found.pid == self._up.pid else None

    def _await_health(self, gone: int = 0) -> None:
        """Wait until every process lives; gone: the one that was killed must be another one."""
        until_s = time.monotonic() + HEAL_S
        while True:
            found = self.status()
            if found is not None and found.processes:
                live = all(p.liveness == "live" and p.pid != gone for p in found.processes)
                if live:
                    return
            if time.monotonic() > until_s:
                raise EngineEnded(f"not healed after {HEAL_S:g} s: {found}; {self.console()}")
            time.sleep(0.1)

    def console(self) -> str:
        """Return the end of what the supervisor has printed."""
        return (self.workspace.logs_dir / "up-console.log").read_text()[-2_000:]

    def strike(self) -> None:
        """SIGKILL one process, chosen at random; wait until all lives again."""
        found = self.status()
        assert found is not None
        assert self._up is not None
        targets = {p.name: p.pid for p in found.processes} | {"up": self._up.pid}
        for pid in children(targets["engine"]):
            for name in SIDE_PROCESSES:
                if name in command_of(pid):
                    targets[name] = pid
        name = self._chance_of_kills.choice(sorted(targets))
        began_s = time.monotonic()
        try:
            os.kill(targets[name], signal.SIGKILL)
        except ProcessLookupError:
            return
        if name == "up":
            self._up.wait(WAIT_S)
            self._start_up()
        self._await_health(targets[name])
        self.killed[name] += 1
        self.healed_s.append(time.monotonic() - began_s)

    def close(self) -> None:
        """End the processes."""
        if self._up is not None:
            self._up.kill()
            self._up.wait(WAIT_S)
        folders = [self.workspace.journal_dir / self.environment]
        folders += list(self.workspace.ops_dir(self.environment).glob("*"))
        for folder in folders:
            pid = holder(folder) if folder.is_dir() else None
            if pid:
                os.kill(pid, signal.SIGKILL)
        self.server.close()

    def stop(self) -> None:
        """End the supervisor as a person does."""
        assert self._up is not None
        self._up.terminate()
        code = self._up.wait(WAIT_S)
        if code != 0 or "all processes have ended" not in self.console():
            raise EngineEnded(f"a stop ended with {code}: {self.console()}")


class _Adopted(Engine):
    """The engine of a supervisor, as an attack sees it."""

    def __init__(self, kills: UpKills) -> None:
        self._kills = kills

    def require_alive(self) -> None:
        """The supervisor looks after that."""

    def stop(self) -> None:
        self._kills.stop()


def main() -> int:
    """Kill until so many kills are done or the time is over; 1: something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--venue", default="kraken")
    parser.add_argument("--folder", type=Path, default=Path("build/up"))
    chosen = parser.parse_args()
    folder = (chosen.folder / f"{chosen.venue}-{chosen.seed}").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    until_s = time.monotonic() + 60.0 * chosen.minutes
    kills = UpKills(folder, Market(venue=chosen.venue), chosen.speed, chosen.seed)
    try:
        while sum(kills.killed.values()) < chosen.kills and time.monotonic() < until_s:
            time.sleep(kills._chance_of_kills.uniform(0.5, 5.0))
            kills.strike()
        found = kills.settle()
    except (EngineEnded, TimeoutError) as error:
        found = [str(error)]
    finally:
        kills.close()
    times = sorted(kills.healed_s)
    names = ", ".join(f"{n} {name}" for name, n in sorted(kills.killed.items()))
    orders = len(kills.orders())
    sys.stdout.write(f"{len(times)} kills ({names}), {orders} orders\n")
    if times:
        p50, p95 = times[len(times) // 2], times[int(0.95 * (len(times) - 1))]
        sys.stdout.write(f"healed after {p50:.1f} s (p50), {p95:.1f} s (p95), {times[-1]:.1f} s\n")
    for line in found:
        sys.stdout.write(f"does not hold: {line}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
