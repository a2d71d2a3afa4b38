"""Values of command line options, parsed: costs, shares, sizes, times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar

from ares.domain.errors import UserError
from ares.domain.strategy import Parameter
from ares.domain.sweep import SweepParameter
from ares.domain.timeframe import Timeframe
from ares.research.window import parse_utc

T = TypeVar("T", bound=str)
OFF = ("off", "none", "no")
STEPS_MAX = 1_000

FRACTION_BELOW = 0.05
"""A cost without a unit is a fraction below this, and basis points above 1."""

_BPS_PER_UNIT = {"bps": 1.0, "bp": 1.0, "%": 100.0}


def bps(option: str, text: str | None, off: bool = False, signed: bool = False) -> float | None:
    """Return basis points of ``10bps``, ``0.1%``, or a bare number; None for None.

    A bare number below 0.05 is a fraction, as freqtrade, vectorbt and backtesting.py write costs;
    above 1 it is basis points. From 0.05 to 1 it may mean either, and is refused.

    off    : ``off`` is allowed too, and is 0.
    signed : the value may be negative.

    >>> bps("--fee", "0.001"), bps("--fee", "10"), bps("--fee", "10bps"), bps("--fee", "0.1%")
    (10.0, 10.0, 10.0, 10.0)
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if off and plain in OFF:
        return 0.0
    unit = next((each for each in _BPS_PER_UNIT if plain.endswith(each)), "")
    value = _number(plain.removesuffix(unit).strip())
    if value is None or (value < 0.0 and not signed):
        raise UserError(f"{option} {text}: write 10bps, 0.1%, or a fraction, 0.001")
    if not unit and FRACTION_BELOW <= abs(value) <= 1.0:
        raise UserError(
            f"{option} {text} can mean {plain}bps or {value * 100:g}%: write one of them"
        )
    scale = _BPS_PER_UNIT.get(unit, 10_000.0 if abs(value) < FRACTION_BELOW else 1.0)
    if abs(value * scale) > 10_000.0:
        raise UserError(f"{option} {text}: is above 100%")
    return round(value * scale, 9)


def bare_numbers(options: Mapping[str, tuple[str | None, float | None]]) -> list[str]:
    """Return, for each option written without a unit, what it was read as.

    options : (text, basis points) by name.

    >>> bare_numbers({"--fee": ("0.001", 10.0), "--spread": ("2bps", 2.0), "--stop": (None, None)})
    ['--fee 0.001: read as 10 bps (0.1%)']
    """
    return [
        f"{name} {text}: read as {value:g} bps ({value / 100:g}%)"
        for name, (text, value) in options.items()
        if text and value and _number(text) is not None
    ]


def share(option: str, text: str | None) -> float | None:
    """Return a fraction of ``0.1`` or ``10%``; 0 for ``off``; None for None.

    >>> share("--drawdown", "15%"), share("--drawdown", "off")
    (0.15, 0.0)
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if plain in OFF:
        return 0.0
    value = _number(plain.removesuffix("%"))
    if value is not None and plain.endswith("%"):
        value /= 100.0
    if value is None or not 0.0 < value <= 1.0:
        bare = value is not None and 1.0 < value <= 100.0 and not plain.endswith("%")
        hint = f"{plain}%" if bare else "10%"
        raise UserError(f"{option} {text}: write a share of equity, such as 0.1 or {hint}, or off")
    return value


def size_of(text: str | None) -> float | Literal["all", "risk"] | None:
    """Return a number of units, ``all``, ``risk``, or None for None.

    >>> size_of("0.5"), size_of("all")
    (0.5, 'all')
    """
    if text is None:
        return None
    plain = text.strip().lower()
    if plain == "all":
        return "all"
    if plain == "risk":
        return "risk"
    value = _number(plain)
    if value is None or value <= 0.0:
        raise UserError(f"--size {text}: write a number of units, such as 0.5, all or risk")
    return value


def choice(option: str, text: str, allowed: tuple[T, ...]) -> T:
    """Return the allowed value that was written; raise UserError for any other."""
    for value in allowed:
        if text == value:
            return value
    raise UserError(f"{option} {text}: use {' or '.join(allowed)}")


def timeframe(text: str | None) -> Timeframe | None:
    """Return the timeframe of ``1h``; None for None or an empty text."""
    return Timeframe.parse(text) if text else None


def utc_ms(text: str | None) -> int | None:
    """Return a date or time (UTC) in ms since the epoch; None for None or an empty text."""
    return parse_utc(text) if text else None


def positive(option: str, value: float | None) -> float | None:
    """Return the value; raise UserError where it is not above zero."""
    if value is not None and not (math.isfinite(value) and value > 0.0):
        raise UserError(f"{option} {value:g}: must be above 0")
    return value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def parameters_of(texts: Sequence[str]) -> dict[str, Parameter]:
    """Return the values of ``NAME=VALUE``: whole numbers, fractions, true, false, else texts.

    >>> parameters_of(["fast=10", "share=0.5", "both=true"])
    {'fast': 10, 'share': 0.5, 'both': True}
    """
    found: dict[str, Parameter] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UserError(f"{text}: write NAME=VALUE, such as fast=10")
        found[name] = parameter_value(value)
    return found


def parameter_value(text: str) -> Parameter:
    """Return the value that a text stands for."""
    plain = text.strip()
    if plain.lower() in ("true", "false"):
        return plain.lower() == "true"
    try:
        return int(plain)
    except ValueError:
        value = _number(plain)
        return plain if value is None else value


def sweep_parameter(text: str) -> SweepParameter:
    """Return the values of ``NAME=1,2,5``, ``NAME=1:2:0.5`` or the range ``NAME=1:2``.

    >>> sweep_parameter("learning.width=1:2:0.5").choices
    (1.0, 1.5, 2.0)
    >>> sweep_parameter("strategy.fast=5:50").whole
    True
    """
    name, equals, values = text.partition("=")
    how = f"--param {text}: write NAME=1,2,5 or NAME=FROM:TO:STEP, such as learning.width=1:2:0.5"
    if not equals or not name.strip() or not values.strip():
        raise UserError(how)
    if ":" not in values:
        choices = tuple(parameter_value(value) for value in values.split(","))
        if len(set(choices)) < len(choices):
            raise UserError(f"--param {text}: a value is named twice")
        return SweepParameter(name.strip(), choices)
    bounds = [parameter_value(part) for part in values.split(":")]
    numbers = [b for b in bounds if isinstance(b, int | float) and not isinstance(b, bool)]
    if len(numbers) != len(bounds) or len(bounds) > 3 or not numbers[0] < numbers[1]:
        raise UserError(how)
    low, high = numbers[:2]
    if len(numbers) == 2:
        return SweepParameter(name.strip(), (), low, high)
    step = numbers[2]
    if not 0 < step <= high - low or (high - low) / step > STEPS_MAX:
        raise UserError(
            f"--param {text}: write a step above 0 that gives at most {STEPS_MAX:,} values"
        )
    count = math.floor((high - low) / step + 1e-9) + 1
    whole = all(isinstance(number, int) for number in numbers)
    steps = tuple(low + k * step if whole else round(low + k * step, 12) for k in range(count))
    return SweepParameter(name.strip(), tuple(map(int if whole else float, steps)))
