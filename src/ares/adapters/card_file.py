"""``model.json`` as it lies on a disk: read, and refused where it was edited or makes no sense."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ares.domain.errors import AresError, ExternalError
from ares.domain.instrument import Instrument
from ares.domain.model import Validation
from ares.domain.package import GRAPH_FILE, Package, PackageCard, card_bytes, card_of

AGAIN = "restore it from an export, or train again"
WIDTHS_MAX = 1_000.0
"""What a trade can win or lose, in barrier widths: no card of Ares comes near."""

SHOWN = ("accuracy", "accuracy_base", "brier_skill")
OF_A_THRESHOLD = ("value", "signals_per_day", "trades", "hit_rate", "net_bps")


def packed(content: bytes, files: dict[str, bytes], where: str) -> Package:
    """Return the package of a card and its files; the card keeps the bytes that it was read from.

    Raises WorldTrouble as ``parse_card`` does.
    """
    card = parse_card(content, where)
    return Package(card, files, b"" if card_bytes(card) == content else content)


def parse_card(content: bytes, where: str) -> PackageCard:
    """Return the card, or raise WorldTrouble saying what is wrong with it.

    A version of Ares that knew fewer fields, or wrote those that have their default, wrote a card
    just the same: its identity is the hash of the bytes that it wrote. A field that is not known
    here means something that would not be done: such a card is refused.
    """
    try:
        raw = msgspec.json.decode(content)
        card = card_of(content)
    except (msgspec.DecodeError, RecursionError) as error:  # malformed, or not a card
        raise ExternalError(f"{where}: is no package's card ({error})") from None
    strange = sorted({*raw} - {*PackageCard.__struct_fields__})
    strange += sorted({*raw["validation"]} - {*Validation.__struct_fields__})
    if strange:
        raise ExternalError(
            f"{where}: was written by a newer version of Ares (it says '{strange[0][:40]}'), or "
            "edited: bring this one up to date, or train again"
        )
    if msgspec.json.format(msgspec.json.encode(raw, order="sorted"), indent=2) + b"\n" != content:
        raise ExternalError(f"{where}: was edited, so it is not the card that was judged: {AGAIN}")
    fault = _fault(card)
    if fault is not None:
        raise ExternalError(f"{where}: makes no sense ({fault}): {AGAIN}")
    return card


def _fault(card: PackageCard) -> str | None:
    """Return what no card of a working model says; None: it may be one."""
    if GRAPH_FILE not in card.files:
        return f"it lists no {GRAPH_FILE}"
    if card.origin not in ("trained", "imported") or card.scope not in ("instrument", "universe"):
        return f"origin '{card.origin[:40]}', scope '{card.scope[:40]}'"
    if card.horizon_bars < 1:
        return f"a trade of {card.horizon_bars} bars"
    distances = (card.width_sigmas, card.width_min_bps, card.cost_bps)
    if not all(math.isfinite(one) and one >= 0.0 for one in distances) or not any(distances[:2]):
        return "the distance of a barrier, or costs, that are none"
    pays = (card.gain, card.loss)
    if not all(abs(one) <= WIDTHS_MAX for one in pays) or sum(pays) <= 0.0:
        return f"a win of {card.gain:.3g} widths, a loss of {card.loss:.3g}"
    try:
        datetime.fromisoformat(card.created_at)
        for key in card.instruments:
            Instrument.parse(key)
        _ = card.series
    except (AresError, ValueError) as error:  # of msgspec as well
        return str(error)
    return _metrics_fault(card.metrics)


def _metrics_fault(metrics: Mapping[str, Any]) -> str | None:
    wrong = [name for name in SHOWN if not isinstance(metrics.get(name), int | float | None)]
    if wrong:
        return f"its metric '{wrong[0]}' is no number"
    rows = metrics.get("thresholds", [])
    if not isinstance(rows, list):
        return "its thresholds are no list"
    for row in rows:
        whole = isinstance(row, dict) and isinstance(row.get("kind"), str)
        if not whole or not all(isinstance(row.get(n), int | float | None) for n in OF_A_THRESHOLD):
            return "one of its thresholds is none"
    return None
