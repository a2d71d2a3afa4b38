"""A process beside the engine: started, listened to, started again where it dies, and ended.

It ends with the engine: it watches its standard input. What it is asked for comes in by there, too,
so that no password is on a command line.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

PAUSE_S_MIN, PAUSE_S_MAX = 0.5, 60.0
STEADY_S = 60.0
"""A process that has run for so long is started again after the shortest pause."""


class SideProcess:
    """A process that is kept running until it is ended.

    module  : run as ``python -m``. request: written to its standard input, in one line.
    take    : called with each line that it writes, from a thread.
    died    : called with its exit code before it is started again, from a thread.

    Raises OSError where no process can be started.
    """

    def __init__(
        self,
        module: str,
        request: bytes,
        take: Callable[[bytes], None],
        died: Callable[[int], None],
    ) -> None:
        self._module, self._request = module, request
        self._take, self._died = take, died
        self._changed = threading.Condition()
        self._finishing = self._ended = self._stopped = False
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._watch, name=module, daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Return whether it was ended."""
        return self._ended

    def close_input(self) -> None:
        """Close its input, by which it ends once it has finished; one that dies before is started
        again.
        """
        with self._changed:
            self._finishing = True
            self._close_input(self._process)
            self._changed.notify_all()

    def finish(self, wait_s: float) -> bool:
        """Close its input; return whether it has finished in time; otherwise it was killed."""
        self.close_input()
        with self._changed:
            finished = self._changed.wait_for(lambda: self._ended, wait_s)
        self.kill()
        return finished

    def terminate(self, wait_s: float) -> None:
        """End it by SIGTERM, and kill it where that takes longer."""
        with self._changed:
            self._stopped = True
            self._process.terminate()
            self._changed.notify_all()
        self._thread.join(wait_s)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        with self._changed:
            self._stopped = True
            self._process.kill()
            self._changed.notify_all()
        self._thread.join()

    def _spawn(self) -> subprocess.Popen[bytes]:
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        process = subprocess.Popen(
            [sys.executable, "-m", self._module], env={**os.environ, **single},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: it is started again
            process.stdin.write(self._request + b"\n")
            process.stdin.flush()
        return process

    @staticmethod
    def _close_input(process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _watch(self) -> None:
        """Take its lines; start it again where it died."""
        pause_s = PAUSE_S_MIN
        while True:
            process, began_s = self._process, time.monotonic()
            assert process.stdout is not None
            with process.stdout:
                for raw in process.stdout:
                    self._take(raw)
            code = process.wait()
            with self._changed:
                if not self._is_over(code):
                    pause_s = PAUSE_S_MIN if time.monotonic() - began_s > STEADY_S else pause_s
                    self._died(code)
                    self._pause(pause_s)
                    pause_s = min(PAUSE_S_MAX, 2.0 * pause_s)
                self._close_input(process)
                if self._is_over(code):
                    self._ended = True
                    self._changed.notify_all()
                    return
                self._process = self._spawn()
                if self._finishing:
                    self._close_input(self._process)

    def _is_over(self, code: int) -> bool:
        return self._stopped or (self._finishing and code == 0)

    def _pause(self, pause_s: float) -> None:
        """Wait, with the lock held, until the pause is over or somebody wants it to end."""
        before = self._finishing
        self._changed.wait_for(lambda: self._stopped or self._finishing != before, pause_s)
