"""A process that is kept running: started, or adopted by the lock that it holds.

It does not end with its supervisor: it has a session and an output file of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from ares.domain.errors import UserError
from ares.journal.lock import holder

PAUSE_S_MIN, PAUSE_S_MAX = 0.5, 60.0
STEADY_S = 60.0
"""A process that has run for so long is started again after the shortest pause."""

OUTPUT_BYTES_MAX = 10_000_000

ChildState = Literal["waiting", "running", "stopped", "refused"]
ChildChange = Literal["started", "adopted", "died", "stopped", "refused"]


class ChildPlan(msgspec.Struct, frozen=True):
    """What is kept running.

    command : its command line. folder: where it runs.
    lock    : the folder whose lock it holds as long as it runs.
    output  : the file to which its output is appended.
    stop_s  : how long it may take to end after SIGTERM.
    words   : all are parts of its command line: others who hold its lock, such as `ares kill`, only
              keep it from running.
    """

    name: str
    command: tuple[str, ...]
    folder: Path
    lock: Path
    output: Path
    stop_s: float = 60.0
    variables: dict[str, str] = {}
    words: tuple[str, ...] = ()


class ChildEvent(msgspec.Struct, frozen=True):
    """Something happened to a process."""

    name: str
    change: ChildChange
    pid: int
    detail: str = ""

    def __str__(self) -> str:
        """Return it as a line for a person."""
        text = f"{self.name} {self.change} (process {self.pid})"
        return f"{text}: {self.detail}" if self.detail else text


class Child:
    """One process that is kept running.

    report      : called with what happens to it.
    has_stopped : whether a process of which no exit code is known (it was adopted) had ended
                  cleanly; called with its process id.
    is_held     : why it may not be started now, such as a stop file; empty: it may. One that ended
                  cleanly meanwhile is started once that is over.
    secret      : what is written to its standard input, or None.
    waits_for   : another process that must live before it is started; empty: none.
    """

    def __init__(
        self,
        plan: ChildPlan,
        report: Callable[[ChildEvent], None],
        has_stopped: Callable[[int], bool] = lambda _pid: False,
        is_held: Callable[[], str] = lambda: "",
        secret: Callable[[], bytes | bytearray] | None = None,
        waits_for: Callable[[], str] = lambda: "",
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self.plan = plan
        self._report, self._has_stopped, self._is_held = report, has_stopped, is_held
        self._secret, self._environ, self._waits_for = secret, environ, waits_for
        self.state: ChildState = "waiting"
        self.detail = ""
        self.pid = 0
        self.starts = 0
        self.began_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._next_s, self._pause_s = 0.0, PAUSE_S_MIN
        self._was_held = False
        self._memory_kills = memory_kills()
        self._holder: int | None = None

    def turn(self, now_s: float) -> None:
        """See what has become of it; start it where that is due."""
        if self.state == "running":
            self._look(now_s)
            return
        held = self._is_held()
        if self.state == "stopped" and self._was_held and not held:
            self.release()
        self._was_held = bool(held)
        if not self._adopt(now_s) and self.state == "waiting" and now_s >= self._next_s:
            held = held or self._waits_for()
            if held:
                self.detail = held
            else:
                self._start(now_s)

    def send(self, number: int) -> None:
        """Send it a signal, where it runs."""
        if self.state != "running":
            return
        if self._process is not None:
            self._process.send_signal(number)
        elif holder(self.plan.lock) == self.pid:  # nobody else has its number
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self, why: str) -> None:
        """SIGKILL it; the next turn finds it dead. why: named where that is reported."""
        self.detail = why
        self.send(signal.SIGKILL)

    def release(self) -> None:
        """Let it be started again, at once."""
        if self.state in ("stopped", "refused"):
            self.state, self.detail = "waiting", ""
        self._next_s, self._pause_s = 0.0, PAUSE_S_MIN

    def has_ended(self) -> bool:
        """Return whether it does not run; nothing is started again by that."""
        if self.state != "running":
            return True
        if self._process is not None:
            return self._process.poll() is not None
        return holder(self.plan.lock) != self.pid

    # --- it runs -------------------------------------------------------------------------------

    def _look(self, now_s: float) -> None:
        """See whether it still runs."""
        if self._process is not None:
            code = self._process.poll()
            if code is not None:
                self._ended(code, now_s)
        elif holder(self.plan.lock) not in (self.pid, 0):
            self._ended(0 if self._has_stopped(self.pid) else None, now_s)

    def _ended(self, code: int | None, now_s: float) -> None:
        """Decide what follows: code: None: nobody knows it."""
        steady = now_s - self.began_s > STEADY_S
        detail, self.detail = self.detail or self._cause(code), ""
        self._process = None
        if code == 0:
            self.state, self.detail = "stopped", "ended cleanly: a person stopped it"
            self._report(ChildEvent(self.plan.name, "stopped", self.pid, self.detail))
            return
        if code == UserError.exit_code:
            self.state = "refused"
            self.detail = f"exit code {code}, not started again: see {self.plan.output}"
            self._report(ChildEvent(self.plan.name, "refused", self.pid, self.detail))
            return
        self._pause_s = PAUSE_S_MIN if steady else self._pause_s
        self.state, self._next_s = "waiting", now_s + self._pause_s
        text = f"{detail}; started again in {self._pause_s:g} s"
        self._report(ChildEvent(self.plan.name, "died", self.pid, text))
        self._pause_s = min(PAUSE_S_MAX, 2.0 * self._pause_s)

    def _cause(self, code: int | None) -> str:
        """Return why it ended, as far as that is known."""
        killed, self._memory_kills = self._memory_kills, memory_kills()
        if code == -signal.SIGKILL and self._memory_kills > killed:
            return f"{_words(code)}: the system was out of memory"
        line = _last_line(self.plan.output) if code is not None and code > 0 else ""
        return f"{_words(code)} ({line})" if line else _words(code)

    # --- it does not run -----------------------------------------------------------------------

    def _adopt(self, now_s: float) -> bool:
        """Return whether somebody holds its lock: that is it, then, or keeps it from running."""
        pid, before = holder(self.plan.lock), self._holder
        self._holder = pid
        if not pid or pid != before:  # for an instant the file names the process before
            return pid is not None
        if not _has_words(pid, self.plan.words):
            self.detail = f"process {pid} keeps it from being started"
            return True
        self.state, self.pid, self.began_s, self._process = "running", pid, now_s, None
        self.detail = ""
        self._report(ChildEvent(self.plan.name, "adopted", pid))
        return True

    def _start(self, now_s: float) -> None:
        plan = self.plan
        single = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        environ = {**self._environ, **single, **plan.variables}
        plan.output.parent.mkdir(parents=True, exist_ok=True)
        try:
            with plan.output.open("ab") as output:
                self._process = subprocess.Popen(
                    plan.command, cwd=plan.folder, env=environ,
                    stdin=subprocess.DEVNULL if self._secret is None else subprocess.PIPE,
                    stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            self.detail = f"cannot be started: {error.strerror}"
            self._next_s = now_s + self._pause_s
            self._pause_s = min(PAUSE_S_MAX, 2.0 * self._pause_s)
            self._report(ChildEvent(plan.name, "died", 0, self.detail))
            return
        self._hand_down()
        self.state, self.pid, self.began_s = "running", self._process.pid, now_s
        self.starts += 1
        self.detail = ""
        self._report(ChildEvent(plan.name, "started", self.pid))

    def _hand_down(self) -> None:
        """Write the secret to the process's standard input, and close it."""
        assert self._process is not None
        if self._secret is None:
            return
        assert self._process.stdin is not None
        with suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(self._secret())

    def bound_output(self) -> None:
        """Keep the newest part of an output file that has grown too large."""
        path = self.plan.output
        with suppress(OSError):
            if path.stat().st_size > OUTPUT_BYTES_MAX:
                older = path.with_name(f"{path.name}.1")
                older.write_bytes(path.read_bytes())
                os.truncate(path, 0)  # it is open to append


def memory_kills() -> int:
    """Return how many processes the system has ended because it was out of memory."""
    try:
        own = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip().lstrip("/")
        text = (Path("/sys/fs/cgroup") / own / "memory.events").read_text()
    except OSError:
        text = ""
    with suppress(OSError):
        text += Path("/proc/vmstat").read_text()
    lines = (line.split() for line in text.splitlines())
    return sum(int(words[1]) for words in lines if words[:1] == ["oom_kill"])


def _last_line(path: Path) -> str:
    """Return the newest line that begins like an error of ours; empty: there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4_000))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    found = [line.removeprefix("ares: ") for line in lines if line.startswith("ares: ")]
    return found[-1][:300] if found else ""


def _has_words(pid: int, words: tuple[str, ...]) -> bool:
    """Return whether a process's command line has all words; where it cannot be read it has."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True
    return all(word.encode() in raw for word in words)


def _words(code: int | None) -> str:
    """Return an exit code in words.

    >>> _words(-9), _words(3), _words(None)
    ('ended by SIGKILL', 'exit code 3', 'ended')
    """
    if code is None:
        return "ended"
    if code < 0:
        with suppress(ValueError):
            return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}"
