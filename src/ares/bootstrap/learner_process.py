"""``python -m``: the learner's process of an engine in real time, see ``learner_link``."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import msgspec

from ares.adapters.priority import lower_priority

POLL_S = 0.5


class LearnerProcess(msgspec.Struct, frozen=True):
    """What the process is asked for: the learner of an environment of a workspace."""

    root: str
    environment: str


def main() -> None:
    """Learn until standard input is closed or SIGTERM comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raw = _line(0)
    if not raw:
        return  # the engine ended meanwhile
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    threading.Thread(target=_end_with_the_engine, daemon=True).start()
    lower_priority(10)
    # After a kill the children's tracker would report what it cleans up, on the terminal.
    os.environ["PYTHONWARNINGS"] = "ignore:resource_tracker:UserWarning"
    out = os.dup(1)
    os.dup2(2, 1)  # what libraries print is no event
    _learn(msgspec.json.decode(raw, type=LearnerProcess), out, stopped)


def _line(descriptor: int) -> bytes:
    """Return the first line; nothing is read ahead, and no lock is held at the end."""
    found = b""
    while not found.endswith(b"\n"):
        part = os.read(descriptor, 1)
        if not part:
            break
        found += part
    return found


def _end_with_the_engine() -> None:
    """End at once when the engine's end of the pipe is closed: its models are loaded anew then."""
    while os.read(0, 4_096):
        pass
    os._exit(0)


def _learn(request: LearnerProcess, out: int, stopped: threading.Event) -> None:
    from ares.adapters.worker_pool import PoolInterrupted
    from ares.bootstrap.learner import learner_of
    from ares.config.workspace import Workspace
    from ares.domain.errors import ExternalError
    from ares.domain.events import Event
    from ares.journal.log import START, Position
    from ares.journal.run import setup_of
    from ares.journal.tail import JournalTail
    from ares.runtime.engine.learner_link import LearnerLine, encode_line
    from ares.runtime.ingest.journal_candles import JournalCandles
    from ares.runtime.learner.learner_file import (
        StoredLearner,
        learner_code,
        load_learner,
        save_learner,
    )
    from ares.runtime.learner.live_learner import LiveLearner
    from ares.store.candles import CandleStore
    from ares.store.database import open_database

    workspace = Workspace(Path(request.root))
    folder = workspace.journal_dir / request.environment
    setup = setup_of(folder)
    while setup is None and not stopped.wait(POLL_S):
        setup = setup_of(folder)
    if setup is None:
        return

    def write(line: LearnerLine) -> None:
        os.write(out, encode_line(line) + b"\n")

    def send(event: Event) -> None:
        write(LearnerLine(event))

    def say(text: str) -> None:
        write(LearnerLine(line=text))

    learner = learner_of(workspace, setup, folder, stopped=stopped.is_set, say=say)
    database = open_database(workspace.db_url)
    candles = JournalCandles(
        CandleStore(database, workspace.cache_dir), setup, f"journal:{request.environment}"
    )
    known = load_learner(folder)
    if known is not None and not learner.restore(known.memory, known.requested):
        known = None  # other settings: the journal is read anew
    tail = JournalTail(folder, START if known is None else known.position)
    now_ms = 0 if known is None else known.memory.now_ms

    def keep(position: Position) -> None:
        stored = StoredLearner(learner_code(), position, learner.requested, learner.memory)
        try:
            save_learner(folder, stored)
        except ExternalError as error:
            say(f"what the learner knows is not kept: {error}")

    live = LiveLearner(tail, learner, candles, send, say, keep=keep, now_ms=now_ms)
    try:
        while not stopped.is_set():
            if not live.turn():
                learner.rest()
                time.sleep(POLL_S)
    except PoolInterrupted:
        pass  # stopped while it trained: the next start trains anew
    finally:
        live.close()
        learner.close()
        database.dispose()


if __name__ == "__main__":
    main()
