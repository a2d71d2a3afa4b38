"""People who give a paper engine commands, good ones and bad ones, whenever it runs."""

from __future__ import annotations

import random
import time
import uuid
from contextlib import suppress
from pathlib import Path

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError
from ares.store.commands import StoredCommand, put
from ares.store.database import open_database

EXPIRES_MS = 5_000
UNKNOWN = "DOGE/USDT"


class People:
    """Puts commands into the database as `ares` does, and writes down each id before."""

    def __init__(
        self, workspace: Workspace, symbols: tuple[str, ...], chance: random.Random
    ) -> None:
        self._workspace, self._symbols, self._chance = workspace, symbols, chance
        self._ledger: Path = workspace.root / "given.txt"
        self._database = open_database(workspace.db_url)

    @property
    def given(self) -> set[str]:
        """Return the ids of the commands that were taken by the database."""
        return set(self._ledger.read_text().split()) if self._ledger.exists() else set()

    def ask(self) -> None:
        """Give one command, drawn by chance; without an engine nothing is left behind."""
        verb, arguments = self._drawn()
        now_ms = time.time_ns() // 1_000_000
        late = self._chance.random() < 0.05
        expires_ms = now_ms - 1 if late else now_ms + EXPIRES_MS
        command = StoredCommand(uuid.uuid4().hex, "soak", verb, arguments, "", expires_ms)
        with suppress(ExternalError, SQLAlchemyError):
            put(self._database, "paper", command, now_ms)
            with self._ledger.open("a") as ledger:
                ledger.write(f"{command.id}\n")

    def close(self) -> None:
        """Close the database."""
        self._database.dispose()

    def _drawn(self) -> tuple[str, dict[str, str]]:
        symbol = self._chance.choice(self._symbols)
        rules = msgspec.json.encode({"edge_bps_min": self._chance.randint(-30, -10)}).decode()
        one, reason = {"instrument": symbol, "reason": "soak"}, {"reason": "soak"}
        return self._chance.choice([
            ("halt", one), ("halt", reason), ("flatten", one), ("flatten", reason),
            *[("resume", reason)] * 8, *[("force-exit", one)] * 4, ("snapshot", reason),
            ("breaker", {"action": "test", "name": "gas", **reason}),
            ("breaker", {"action": "reset", "name": "gas", **reason}),
            ("config", {"key": "strategy.edge_bps_min", "value": "x", "rules": rules}),
            ("learn", {"instrument": symbol}), ("dismiss", one),
            ("symbols", {"action": "remove", **one}), ("symbols", {"action": "add", **one}),
            ("halt", {"instrument": UNKNOWN}), ("dance", reason), ("halt", {"colour": "red"}),
        ])  # fmt: skip
