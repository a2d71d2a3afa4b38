"""What a run over stored candles was made with, compared with what it is resumed with."""

from __future__ import annotations

from pathlib import Path

import msgspec

from ares.core.state import State
from ares.domain.errors import ExternalError, UserError
from ares.domain.events import BarsClosed, SeriesPublished
from ares.domain.run import RunSetup
from ares.domain.utc import utc_text
from ares.journal.run import JournalEntry
from ares.runtime.engine.code_version import ARES_HASHES, USER_HASH
from ares.runtime.engine.plan import RunPlan, same_run
from ares.runtime.engine.prefetch import Prefetch
from ares.runtime.engine.setup_differences import differences


class HistoryInputs:
    """Compares journaled candles and external series with those of a plan, and shows the rows of
    its feed to ``prefetch``.
    """

    def __init__(self, plan: RunPlan, folder: Path, prefetch: Prefetch) -> None:
        self._plan, self._folder, self._prefetch = plan, folder, prefetch
        self._t = 0
        self._published: SeriesPublished | None = None

    def __call__(self, entry: JournalEntry, state: State) -> None:
        """Take the next entry of the journal, from its first on, before it is stepped.

        Raises ExternalError where the plan's candles or external series are not the journaled ones.
        """
        t = self._compare(entry)
        if t is not None and entry.seq > state.seq:
            self._prefetch.advance(state, t)

    def _compare(self, entry: JournalEntry) -> int | None:
        """Return the row of the feed of a journaled instant; None for any other event."""
        plan, t, event = self._plan, self._t, entry.event
        if isinstance(event, SeriesPublished):
            self._published = event
            if t >= len(plan.feed) or event != plan.series_event(t):
                raise self._other("values of its external series at", event.ts_ms)
        if not isinstance(event, BarsClosed):
            return None
        if t >= len(plan.feed) or event != plan.feed.event(t, plan.warming(t)):
            raise self._other("candles at", event.ts_ms)
        if self._published != plan.series_event(t):
            raise self._other("values of its external series before", event.ts_ms)
        self._published = None
        self._t += 1
        return t

    def _other(self, what: str, ts_ms: int) -> ExternalError:
        return ExternalError(_made_with(self._folder, f"other {what} {utc_text(ts_ms)}"))


def require_same(
    journaled: RunSetup, planned: RunSetup, hashes: dict[str, str], folder: Path
) -> list[str]:
    """Raise UserError where a run cannot be resumed with this window, these models and settings,
    or the user's own features have changed; ExternalError where candles before it have.

    hashes : of the code in the newest epoch. Returns which parts of Ares have changed since then.
    """
    if journaled.hashes.get(USER_HASH) != planned.hashes.get(USER_HASH):
        alike = msgspec.structs.replace(
            planned,
            user_features=journaled.user_features,
            hashes=journaled.hashes,
            first_state=journaled.first_state,
        )
        if not same_run(journaled, alike):  # a strategy is a model, and a feature too
            own = "and other features or strategies of your own"
            raise UserError(_made_with(folder, f"{differences(journaled, alike)}, {own}"))
        raise UserError(
            f"{folder.name} was made with other features of your own (features.module): restore"
            " that module, or start a new run with --run NAME"
        )
    changed = [name for name in ARES_HASHES if hashes.get(name) != planned.hashes.get(name)]
    code = {name: planned.hashes[name] for name in ARES_HASHES if name in planned.hashes}
    made = msgspec.structs.replace(journaled, hashes=journaled.hashes | code)
    if made.hashes != journaled.hashes:  # another version computes another first state
        made = msgspec.structs.replace(made, first_state=planned.first_state)
    if not same_run(made, planned):
        restated = msgspec.structs.replace(made, first_state=planned.first_state)
        kind = ExternalError if same_run(restated, planned) else UserError
        raise kind(_made_with(folder, differences(made, planned)))
    return changed


def _made_with(folder: Path, what: str) -> str:
    return f"{folder.name} was made with {what}: restore that, or start a new run with --run NAME"
