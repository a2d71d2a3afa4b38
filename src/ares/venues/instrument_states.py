"""Reports the states of a run's instruments, at the start and whenever one has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ares.domain.events import Event
from ares.domain.feed_events import InstrumentChanged, InstrumentState
from ares.venues.answers import NoAnswer, Refused
from ares.venues.ccxt_setup import line_of

EVERY_S = 15.0

Read = Callable[[], Awaitable[Sequence[str]]]
"""Returns the venue's own word for the state of each instrument; an empty one: not listed any more.
Raises Refused, NoAnswer or ValueError where nothing was learnt.
"""


class InstrumentStates:
    """Reads the states from time to time.

    words : the venue's word -> state; another word is taken as ``halted``, and named.
    post  : takes the events.
    """

    def __init__(
        self,
        read: Read,
        words: Mapping[str, InstrumentState],
        post: Callable[[Event], None],
        now_ms: Callable[[], int],
        say: Callable[[str], None],
        every_s: float = EVERY_S,
    ) -> None:
        self._read, self._words, self._post = read, words, post
        self._now_ms, self._say, self._every_s = now_ms, say, every_s
        self._known: dict[int, str] = {}

    async def run(self) -> None:
        """Read until cancelled; what fails is tried again next time."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Read once, and post what has changed."""
        try:
            words = await self._read()
        except (Refused, NoAnswer, ValueError) as error:
            self._say(f"the states of the instruments were not read: {line_of(error)}")
            return
        for i, word in enumerate(words):
            if self._known.get(i) != word:
                self._known[i] = word
                self._post(self._event(i, word))

    def _event(self, i: int, word: str) -> InstrumentChanged:
        state: InstrumentState = self._words.get(word, "halted") if word else "delisted"
        detail = "" if word in self._words or not word else word
        return InstrumentChanged(self._now_ms(), i, state, detail)
