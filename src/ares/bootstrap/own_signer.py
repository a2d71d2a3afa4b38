"""A signer of a command's own where none runs: started, and started again where it dies."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ares.bootstrap.keys import stored_key
from ares.bootstrap.signer import held_key, signer_runs, signer_status
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, ExternalError, UserError

if TYPE_CHECKING:
    from ares.venues.signer_client import HeldKey

ENDS_S = 10.0
SERVES_S = 30.0
PAUSE_S_MIN, PAUSE_S_MAX = 0.2, 30.0


@contextmanager
def signer_for(
    workspace: Workspace,
    environment: str,
    address: str | None,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[HeldKey | None]:
    """Give the engine's key of an environment, held by the signer that runs, else by one of its own
    for the time of the block; None: no key is stored.

    Its passphrase comes from the settings, a systemd credential or a prompt, and never through this
    process.
    """
    if _serves(workspace, environment):
        yield held_key(workspace, environment)
        return
    if stored_key(workspace, environment) is None:
        yield None
        return
    own = _OwnSigner(workspace, environment, address, say)
    try:
        yield held_key(workspace, environment)
    finally:
        own.close()


class _OwnSigner:
    """A signer as a child: it ends when the pipe that it watches is closed."""

    def __init__(
        self,
        workspace: Workspace,
        environment: str,
        address: str | None,
        say: Callable[[str], None],
    ) -> None:
        self._workspace, self._environment, self._say = workspace, environment, say
        self._address = [] if address is None else ["--address", address]
        self._read, self._write = os.pipe()
        self._ends = threading.Event()
        try:
            self._process = self._started()
        except BaseException:
            self._close_pipe()
            raise
        self._watching = threading.Thread(target=self._watch, daemon=True)
        self._watching.start()

    def close(self) -> None:
        """Let it end, and wait for that."""
        self._ends.set()
        os.close(self._write)
        self._write = -1
        self._watching.join(ENDS_S)
        self._close_pipe()

    def _watch(self) -> None:
        """Start it again where it dies."""
        pause_s = PAUSE_S_MIN
        while True:
            code = self._process.wait()
            if self._ends.is_set():
                return
            self._say(f"the signer died (exit code {code}): started again")
            while not self._ends.wait(pause_s):
                pause_s = min(PAUSE_S_MAX, 2.0 * pause_s)
                with suppress(AresError, OSError):
                    self._process = self._started()
                    pause_s = PAUSE_S_MIN
                    break
            else:
                return

    def _started(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it serves; raise its own error where it does not."""
        root, name = self._workspace.root.resolve(), self._environment.replace("/", "-")
        command = [
            *(sys.executable, "-m", "ares", "signer", "run", "--env", self._environment),
            *("--while-fd", str(self._read)),
            *self._address,
        ]
        output = self._workspace.logs_dir / f"{name}-signer.out"
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("ab") as errors:
            began = errors.tell()
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, pass_fds=(self._read,),
                env={**os.environ, "ARES_WORKSPACE": str(root)},
            )  # fmt: skip
        assert process.stdout is not None
        with process.stdout as lines:
            line = lines.readline()
        if line:
            return process
        code = process.wait()
        text = output.read_bytes()[began:].decode(errors="replace").strip().rpartition("\n")[2]
        text = text.removeprefix("ares: ") or f"the signer ended with exit code {code}"
        raise UserError(text) if code == UserError.exit_code else ExternalError(text)

    def _close_pipe(self) -> None:
        for handle in (self._read, self._write):
            if handle >= 0:
                os.close(handle)
        self._read = self._write = -1


def _serves(workspace: Workspace, environment: str) -> bool:
    """Return whether a signer serves; wait for the end of one that ends, with its last answer."""
    until_s = time.monotonic() + SERVES_S
    while signer_runs(workspace, environment):
        try:
            signer_status(workspace, environment)
        except ExternalError:
            if time.monotonic() > until_s:
                raise
            time.sleep(0.05)
        else:
            return True
    return False
