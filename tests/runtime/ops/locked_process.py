"""A process for the supervisor: holds a lock, beats, and ends as it is told.

``python locked_process.py LOCK_FOLDER BEAT_FILE MODE``; mode: run, exit0, exit2, exit3, hang.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from ares.journal.lock import Lock


def main() -> int:
    folder, beat, mode = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if mode == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lock = Lock(folder)
    (beat.with_suffix(".input")).write_bytes(b"" if sys.stdin.isatty() else sys.stdin.buffer.read())
    n = 0
    while True:
        n += 1
        if mode != "hang" or n < 3:
            beat.write_text(str(n))
        if mode.startswith("exit"):
            lock.release()
            return int(mode.removeprefix("exit"))
        time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(main())
