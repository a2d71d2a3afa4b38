"""The learner's process, as the engine has it: its events and its lines.

Nothing that happens to it reaches the engine but the events that it sends.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ares.domain.events import Event
from ares.runtime.engine.side_process import SideProcess

END_S = 10.0


class LearnerLine(msgspec.Struct, frozen=True):
    """What the process writes: an event for the engine, or a line for people."""

    event: Event | None = None
    line: str = ""


encode_line = msgspec.json.Encoder().encode
_decode_line = msgspec.json.Decoder(LearnerLine).decode


class LearnerLink:
    """A learner in a process of its own, see ``SideProcess``.

    post : takes its events, from a thread. say: takes lines for people.
    """

    def __init__(
        self,
        module: str,
        request: bytes,
        post: Callable[[Event], None],
        say: Callable[[str], None],
    ) -> None:
        self._post, self._say = post, say
        self._process = SideProcess(module, request, self._take, self._died)

    def stop(self) -> None:
        """End it; a training that runs is begun again by the next start."""
        self._process.terminate(END_S)

    def _died(self, code: int) -> None:
        self._say(f"the learner ended with code {code}: starting it again")

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
