"""The learner's process, as the engine has it: started, listened to, started again where it dies.

Nothing that happens to it reaches the engine but the events that it sends.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable

import msgspec

from ares.domain.events import Event

NICE = 10
PAUSE_S_MIN, PAUSE_S_MAX = 1.0, 300.0
STEADY_S = 60.0
"""After running for so long, a process that dies is started again at once."""
END_S = 10.0


class LearnerLine(msgspec.Struct, frozen=True):
    """What the process writes: an event for the engine, or a line for people."""

    event: Event | None = None
    line: str = ""


encode_line = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(LearnerLine).decode


class LearnerLink:
    """A learner in a process of its own, which ends with this one.

    module  : run as ``python -m``. request: written to its standard input, in one line.
    post    : takes its events, from a thread. say: takes lines for people.
    """

    def __init__(
        self,
        module: str,
        request: bytes,
        post: Callable[[Event], None],
        say: Callable[[str], None],
    ) -> None:
        self._module, self._request = module, request
        self._post, self._say = post, say
        self._stopped = threading.Event()
        self._process = self._spawn()
        self._thread = threading.Thread(target=self._follow, name="learner", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    def stop(self) -> None:
        """End it; a training that runs is begun again by the next start."""
        self._stopped.set()
        self._process.terminate()
        self._thread.join(END_S)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()

    def _spawn(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: it is started again
            process.stdin.write(self._request + b"\n")
            process.stdin.flush()
        return process

    def _follow(self) -> None:
        """Take what it writes; start it again where it ended."""
        pause_s = PAUSE_S_MIN
        while True:
            process, began_s = self._process, time.monotonic()
            assert process.stdout is not None
            assert process.stdin is not None
            for raw in process.stdout:
                self._take(raw)
            code = process.wait()
            process.stdout.close()
            with contextlib.suppress(OSError):
                process.stdin.close()
            if self._stopped.is_set():
                return
            if time.monotonic() - began_s > STEADY_S:
                pause_s = PAUSE_S_MIN
            self._say(f"the learner ended with code {code}: starting it again in {pause_s:g} s")
            if self._stopped.wait(pause_s):
                return
            pause_s = min(PAUSE_S_MAX, 2.0 * pause_s)
            self._process = self._spawn()

    def _take(self, raw: bytes) -> None:
        try:
            line = _decode_line(raw)
        except msgspec.DecodeError:
            self._say(f"the learner: {raw[:200].decode(errors='replace').strip()}")
            return
        if line.event is not None:
            self._post(line.event)
        if line.line:
            self._say(line.line)
