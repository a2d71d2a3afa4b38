"""Which instruments are meant: those named, else the configured ones that have candles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument
from ares.store.candles import CandleStore


@dataclass(frozen=True, slots=True)
class ConfiguredInstruments:
    """The symbols of the settings.

    reference          : symbol that cross-instrument features look at.
    reference_required : it is named in the settings; else it is a default, without which the
                         cross-instrument features are neutral.
    """

    venue: str
    symbols: tuple[str, ...]
    reference: str
    reference_required: bool


def instruments_of(
    store: CandleStore, configured: ConfiguredInstruments, symbols: Sequence[str] | None
) -> tuple[list[Instrument], list[str]]:
    """Return the instruments of ``symbols``; without any, the configured ones that have candles.

    The second value has a remark for each configured symbol that has no candles.

    Raises UserError where a named symbol is unknown, or no configured one has candles.
    """
    if symbols:
        return list(dict.fromkeys(store.resolve(symbol) for symbol in symbols)), []
    instruments, remarks = [], []
    for symbol in configured.symbols:
        try:
            instruments.append(store.resolve(f"{configured.venue}:{symbol}"))
        except UserError as error:
            remarks.append(f"{symbol} is skipped: {error}")
    if not instruments:
        raise UserError(
            f"none of the configured symbols has candles ({', '.join(configured.symbols)}):"
            " `ares data import PATH`"
        )
    return instruments, remarks
