"""``model.json`` from a disk: parsed, and refused where it was edited or holds invalid values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from ares.domain.errors import AresError, ExternalError
from ares.domain.formats import CARD_FORMAT, require_format
from ares.domain.instrument import Instrument
from ares.domain.model import Validation
from ares.domain.package import GRAPH_FILE, Package, PackageCard, card_bytes, card_of
from ares.domain.strategy import CALIBRATION_FILE, SOURCE_FILE

RESTORE = "restore it from an export, or train again"
WIDTHS_MAX = 1_000.0
"""Most that a trade can win or lose, in barrier widths; real cards are far below it."""

METRICS_SHOWN = ("accuracy", "accuracy_base", "brier_skill")
THRESHOLD_FIELDS = ("value", "signals_per_day", "trades", "hit_rate", "net_bps")


def package_of(content: bytes, files: dict[str, bytes], where: str) -> Package:
    """Return the package of a card's content and its files; it keeps the bytes it was read from.

    Raises what ``parse_card`` does.
    """
    card = parse_card(content, where)
    return Package(card, files, b"" if card_bytes(card) == content else content)


def parse_card(content: bytes, where: str) -> PackageCard:
    """Return the card; raise ExternalError where it is invalid, UserError for another format.

    A card of a version with fewer fields, or of one that wrote defaults out, is read: its identity
    is the hash of the bytes that were written. A card with an unknown field is refused: what the
    field asks for would not be done.
    """
    try:
        raw = msgspec.json.decode(content)
        _require_format(raw, where)
        card = card_of(content)
    except (msgspec.DecodeError, RecursionError) as error:  # malformed, or of another structure
        raise ExternalError(f"{where}: is not a package's card ({error})") from None
    unknown = sorted({*raw} - {"format", *PackageCard.__struct_fields__})
    unknown += sorted({*raw["validation"]} - {*Validation.__struct_fields__})
    if unknown:
        raise ExternalError(
            f"{where}: was written by a newer version of Ares (unknown field '{unknown[0][:40]}'), "
            "or edited: update this version, or train again"
        )
    if msgspec.json.format(msgspec.json.encode(raw, order="sorted"), indent=2) + b"\n" != content:
        raise ExternalError(
            f"{where}: was edited, so it is not the card that was judged: {RESTORE}"
        )
    fault = _fault(card)
    if fault is not None:
        raise ExternalError(f"{where}: has invalid values ({fault}): {RESTORE}")
    return card


def _require_format(raw: object, where: str) -> None:
    """Raise UserError, in one line, for a card that another version of Ares wrote."""
    if isinstance(raw, dict) and isinstance(raw.get("format", 1), int):
        require_format(where, raw.get("format", 1), CARD_FORMAT)


def _fault(card: PackageCard) -> str | None:
    """Return the first value that no working model has; None: there is none."""
    try:
        strategy = card.strategy
    except ValueError as error:  # of msgspec as well
        return str(error)
    needed = (GRAPH_FILE,) if strategy is None else (SOURCE_FILE, CALIBRATION_FILE)
    missing = [name for name in needed if name not in card.files]
    if missing:
        return f"it lists no {missing[0]}"
    if card.origin not in ("trained", "imported") or card.scope not in ("instrument", "universe"):
        return f"origin '{card.origin[:40]}', scope '{card.scope[:40]}'"
    if card.horizon_bars < 1:
        return f"a trade of {card.horizon_bars} bars"
    distances = (card.width_sigmas, card.width_min_bps, card.cost_bps)
    if not all(math.isfinite(value) and value >= 0.0 for value in distances) or not any(
        distances[:2]
    ):
        return "barrier distances or costs are not positive numbers"
    payoff = (card.gain, card.loss)
    if not all(abs(value) <= WIDTHS_MAX for value in payoff) or sum(payoff) <= 0.0:
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
    wrong = [
        name for name in METRICS_SHOWN if not isinstance(metrics.get(name), int | float | None)
    ]
    if wrong:
        return f"its metric '{wrong[0]}' is not a number"
    rows = metrics.get("thresholds", [])
    if not isinstance(rows, list):
        return "its thresholds are not a list"
    for row in rows:
        valid = isinstance(row, dict) and isinstance(row.get("kind"), str)
        if not valid or not all(
            isinstance(row.get(n), int | float | None) for n in THRESHOLD_FIELDS
        ):
            return "one of its thresholds is malformed"
    return None
