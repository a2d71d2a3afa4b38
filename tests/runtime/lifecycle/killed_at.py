"""Makes a move of a model again and again, each time killed (SIGKILL) one write later.

Run as ``killed_at.py SCRATCH`` and, for each of ``promote rollback archive``, its name, a workspace
and a hash; prints one JSON line for each point: what was about to be done, and what a process that
starts afterwards sees. Processes are forked from one in which everything is imported, so that
hundreds of them take seconds.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import archive, promote, rollback
from ares.bootstrap.validation import validation_config
from ares.config.workspace import Workspace
from ares.runtime.lifecycle.promotion import PromotionResult
from ares.runtime.registry.model_journal import read_registry
from ares.runtime.validation.stored_models import require_working

BTC = "binance:BTC/USDT"
SQL_EVERY = 40
"""Of MLflow's statements every fortieth: the journal is whole by then, and MLflow only a mirror."""

AGAIN = ("truncate", "half a write", "replace")
"""After these the move is made again: whatever it left half done is not in the way."""

MOVES: dict[str, Callable[[Workspace, str], PromotionResult]] = {
    "promote": lambda workspace, target: promote(workspace, target, "history", False, "test"),
    "rollback": lambda workspace, target: rollback(workspace, None, target, "history", "test"),
    "archive": lambda workspace, target: archive(workspace, target, "test"),
}


class Killer:
    """Counts the points at which something is written, and kills this process at one of them.

    A write has two: before it, and after half of it.
    """

    def __init__(self, at: int, tell: int) -> None:
        self.at, self.tell, self.seen, self.statements = at, tell, 0, 0

    def point(self, what: str) -> None:
        """Pass a point, or die there."""
        self.seen += 1
        if self.seen == self.at:
            os.write(self.tell, what.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(self, _connection: Any, _cursor: Any, text: str, *_more: Any) -> None:
        """Pass a statement of SQL."""
        self.statements += 1
        if self.statements % SQL_EVERY == 0:
            self.point(f"sql {' '.join(text.split())[:40]}")

    def stand_in(self, module: Any, name: str) -> None:
        """Put a point in front of a function of the system."""
        real = getattr(module, name)

        def passing(*arguments: Any, **named: Any) -> Any:
            self.point(f"{name} {[a for a in arguments if isinstance(a, (str, Path))][:2]}")
            return real(*arguments, **named)

        setattr(module, name, passing)

    def install(self) -> None:
        """Stand in for everything that writes."""
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        for name in ("fsync", "replace", "rename", "unlink", "mkdir", "chmod", "ftruncate", "link"):
            self.stand_in(os, name)
        real_open = io.open

        def opening(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if not set(mode) & set("wax+"):
                return real_open(file, mode, *arguments, **named)
            self.point(f"open {file} {mode}")
            return Watched(real_open(file, mode, *arguments, **named), self, str(file))

        io.open = opening
        builtins.open = opening
        event.listen(Engine, "before_cursor_execute", self.statement)


class Watched:
    """A file whose writes are points."""

    def __init__(self, file: Any, killer: Killer, name: str) -> None:
        self._file, self._killer, self._name = file, killer, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def write(self, content: Any) -> Any:
        self._killer.point(f"write {self._name}")
        if self._killer.seen + 1 == self._killer.at:
            self._file.write(content[: len(content) // 2])
            self._file.flush()
        self._killer.point(f"half a write {self._name}")
        return self._file.write(content)

    def truncate(self, *size: int) -> Any:
        self._killer.point(f"truncate {self._name}")
        return self._file.truncate(*size)

    def flush(self) -> None:
        self._killer.point(f"flush {self._name}")
        self._file.flush()


def forked(work: Callable[[int], None]) -> tuple[int, bytes]:
    """Do work in a process of its own; return how it ended (negative: by a signal), and its words.

    work : is given a file to write them to.
    """
    words, tell = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(words)
            work(tell)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(tell)
    with os.fdopen(words, "rb") as pipe:
        output = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output


def seen_after(workspace: Workspace, target: str) -> dict[str, Any]:
    """Return what a new process sees: the champion, loaded, verified and asked, and its status."""
    book = read_registry(workspace.journal_dir)
    champions = book.champions("history")
    require_working(
        validation_config(workspace), ModelStore(workspace.models_dir).ensemble(champions[BTC])
    )
    production = [
        one.hash
        for one in ModelStore(workspace.models_dir).listed().ensembles
        if one.instrument == BTC and book.status(one.hash) == "production"
    ]
    return {"champion": champions[BTC], "production": production, "target": book.status(target)}


WRITTEN = ("journal", "mlflow.db", "models/ensembles")
"""What a move may write in a workspace."""


def copied(whole: Path, root: Path) -> Workspace:
    """Return a copy of a workspace as it was; what no move writes is linked, once."""
    if not root.exists():
        shutil.copytree(whole, root, copy_function=os.link)
    for name in WRITTEN:
        if (whole / name).is_dir():
            shutil.rmtree(root / name)
            shutil.copytree(whole / name, root / name)
        else:
            (root / name).unlink(missing_ok=True)
            shutil.copyfile(whole / name, root / name)
    for leftover in root.glob("mlflow.db-*"):
        leftover.unlink()
    return Workspace(root)


def main(whole: Path, scratch: Path, move: str, target: str) -> None:
    """Kill the move at every point, until it comes to its end."""
    scratch.mkdir(parents=True)
    warm = copied(whole, scratch / "warm")
    MOVES[move](warm, target)
    seen_after(warm, target)
    at, code = 0, 1
    while code != 0:
        at += 1
        workspace = copied(whole, scratch / "w")

        def moving(tell: int, workspace: Workspace = workspace, at: int = at) -> None:
            killer = Killer(at, tell)
            killer.install()
            MOVES[move](workspace, target)

        code, what = forked(moving)

        def looking(tell: int, workspace: Workspace = workspace, last: str = what.decode()) -> None:
            seen = {"what": last, **seen_after(workspace, target)}
            if last.startswith(AGAIN):
                seen["again"] = MOVES[move](workspace, target).refused
                seen["at last"] = seen_after(workspace, target)
            os.write(tell, json.dumps(seen).encode())

        _, seen = forked(looking)
        print(json.dumps({"move": move, "code": code, **json.loads(seen)}), flush=True)


if __name__ == "__main__":
    with contextlib.redirect_stderr(sys.stdout):
        asked = sys.argv[2:]
        for name, place, what in zip(asked[::3], asked[1::3], asked[2::3], strict=True):
            main(Path(place), Path(sys.argv[1]) / name, name, what)
