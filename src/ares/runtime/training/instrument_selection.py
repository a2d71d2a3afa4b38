"""Which instruments a person means: those named, else the configured ones that have candles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.store.candles import CandleStore

if TYPE_CHECKING:
    from ares.config.settings import Settings


def instruments_of(
    store: CandleStore, settings: Settings, symbols: Sequence[str] | None
) -> tuple[list[Instrument], list[str]]:
    """Return the instruments asked for; of the configured ones, those that have candles."""
    if symbols:
        return list(dict.fromkeys(store.resolve(symbol) for symbol in symbols)), []
    keys, remarks = [], []
    for symbol in settings.symbols:
        try:
            keys.append(store.resolve(f"{settings.venue}:{symbol}"))
        except UserError as mistake:
            remarks.append(f"{symbol} is left out: {mistake}")
    if not keys:
        raise UserError(
            f"none of the configured symbols has candles ({', '.join(settings.symbols)}):"
            " `ares data import PATH`"
        )
    return keys, remarks
