"""Features of the user's own: plain Python functions of a window of past bars.

A module named in the configuration (``features.module``) holds functions like

    from ares.kernel.features.user import feature

    @feature(warmup_bars=50)
    def distance_from_high(bars):
        return float(bars.close[-1] / bars.high.max() - 1.0)

Each is called at every closed bar with the last ``warmup_bars`` bars, that bar the last of them:
it cannot see the future, and history and live are the same call. The leak test
(``ares.learn.leakage``) checks them before they may be used: it finds those that keep a state or
read other data. ``ares.adapters.user_module`` loads the module.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ares.domain.errors import UserError
from ares.domain.utc import utc_text
from ares.kernel.bars import F64, Bars, Bools
from ares.kernel.features.strategy import FeatureRow

WARMUP_BARS_MAX = 256
FLOAT32_MAX = float(np.finfo(np.float32).max)
Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class UserFeature:
    """A function of the last ``warmup_bars`` bars that returns a finite number.

    kind : a ``strategy`` is also given the kernel's features of the last bar, a ``FeatureRow``.
    path : of its own file, for messages; empty: that of ``UserFeatures``.
    """

    name: str
    warmup_bars: int
    function: Function
    kind: Literal["feature", "strategy"] = "feature"
    path: str = ""

    def __call__(self, bars: Bars) -> float:
        """Return the function's value."""
        return float(self.function(bars))

    def source_line(self, error: BaseException | None = None) -> str:
        """Return the user's file and line: where the error was raised, or passed through last;
        without one, where the function begins.
        """
        code = getattr(plain_function(self.function), "__code__", None)
        if code is None:
            return self.name
        steps = traceback.extract_tb(None if error is None else error.__traceback__)
        lines = [step.lineno for step in steps if step.filename == code.co_filename]
        return f"{Path(code.co_filename).name}, line {lines[-1] if lines else code.co_firstlineno}"


def feature(*, warmup_bars: int) -> Callable[[Function], UserFeature]:
    """Mark a function as a feature; its name becomes the feature's.

    warmup_bars : how many bars, the newest included, the function is given (1 to 256).

    >>> @feature(warmup_bars=2)
    ... def rise(bars):
    ...     return bars.close[1] / bars.close[0] - 1.0
    >>> rise.name, rise.warmup_bars
    ('rise', 2)
    """

    def mark(function: Function) -> UserFeature:
        return UserFeature(function.__name__, warmup_bars, function)

    return mark


@dataclass(frozen=True, slots=True)
class UserFeatures:
    """The features of one module, in the order in which it defines them.

    path  : the module's file, for messages.
    hash  : of what its code does (see ``ares.domain.code_hash``).
    parts : of the columns of a run with strategies: the module (None: there is none), then each
            strategy; empty where these are the features of one module, or one strategy.
    """

    features: tuple[UserFeature, ...]
    path: str
    hash: str
    parts: tuple[UserFeatures | None, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def module(self) -> UserFeatures | None:
        """Return the features of the module alone, without a run's strategies."""
        return self.parts[0] if self.parts else self

    @property
    def takes_rows(self) -> bool:
        """Return whether any of them needs the kernel's features."""
        return any(feature.kind == "strategy" for feature in self.features)

    def of(
        self,
        bars: Bars,
        interval_ms: int,
        wanted: Bools | None = None,
        rows: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Return (n_bars, n_features) float32: NaN before a feature's warmup after each break.

        rows   : (n_bars, N_FEATURES) the kernel's features, which strategies need.
        wanted : (n_bars,) False leaves NaN and calls no function there; None: True everywhere.

        Raises UserError where a function fails or returns no finite number.
        """
        return self.exact(bars, interval_ms, wanted, rows).astype(np.float32)

    def exact(
        self,
        bars: Bars,
        interval_ms: int,
        wanted: Bools | None = None,
        rows: NDArray[np.float32] | None = None,
    ) -> F64:
        """Return what ``of`` returns before it is rounded to float32."""
        bars = _locked(bars)
        values = np.full((len(bars), len(self.features)), np.nan)
        age = bars_since_break(bars.ts_ms, interval_ms)
        if wanted is not None:
            age = np.where(wanted, age, 0)
        for f, feature in enumerate(self.features):
            for t in np.flatnonzero(age >= feature.warmup_bars):
                window = bars[t + 1 - feature.warmup_bars : t + 1]
                values[t, f] = self._value(feature, window, None if rows is None else rows[t])
        return values

    def step(
        self, bars: Bars, interval_ms: int, row: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """Return (n_features,) of the last of ``bars``, as ``of`` has them in its last row.

        bars : the last 256 or more, oldest first.
        row  : (N_FEATURES,) the kernel's features of the last bar, which strategies need.
        """
        longest = max((feature.warmup_bars for feature in self.features), default=0)
        bars = _locked(bars[max(0, len(bars) - longest) :])
        values = np.full(len(self.features), np.nan, np.float32)
        breaks = np.flatnonzero(bars.ts_ms[1:] - bars.ts_ms[:-1] != interval_ms)
        age = len(bars) - 1 - int(breaks[-1]) if len(breaks) else len(bars)
        for f, feature in enumerate(self.features):
            if age >= feature.warmup_bars:
                values[f] = self._value(feature, bars[len(bars) - feature.warmup_bars :], row)
        return values

    def _value(self, feature: UserFeature, window: Bars, row: NDArray[np.float32] | None) -> float:
        """Return the value of a feature at the last bar of its window."""
        where = f"{feature.kind} '{feature.name}' of {feature.path or self.path}"
        when = f"at the bar of {utc_text(int(window.ts_ms[-1]))}"
        try:
            found = _called(feature, window, row)
        except Exception as error:
            raise UserError(
                f"{where} failed {when}: {type(error).__name__}: {error} "
                f"({feature.source_line(error)}): correct it or remove it"
            ) from error
        try:
            value = float(found)
        except (TypeError, ValueError):
            value = np.nan
        if not abs(value) <= FLOAT32_MAX:
            raise UserError(
                f"{where} returned {found!r:.60} {when} ({feature.source_line()}): return a finite "
                "number, such as 0.0 where there is no value"
            )
        return value


def plain_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the user's own function, without what it was wrapped in."""
    while True:
        inner = getattr(function, "__wrapped__", None) or getattr(function, "py_func", None)
        inner = inner or (function.func if isinstance(function, partial) else None)
        if inner is None:
            return function
        function = inner


def _called(feature: UserFeature, window: Bars, row: NDArray[np.float32] | None) -> Any:
    """Return what a feature's function returns."""
    if feature.kind == "feature":
        return feature.function(window)
    if row is None:
        raise ValueError("a strategy needs the kernel's features of its bar")
    return feature.function(window, FeatureRow(row))


def bars_since_break(ts_ms: NDArray[np.int64], interval_ms: int) -> NDArray[np.int64]:
    """Return (n,) how many bars since the last break, each bar itself included.

    >>> bars_since_break(np.array([0, 10, 20, 50, 60]), 10).tolist()
    [1, 2, 3, 1, 2]
    """
    row = np.arange(len(ts_ms))
    starts = np.concatenate([np.ones(min(1, len(ts_ms)), bool), np.diff(ts_ms) != interval_ms])
    return row - np.maximum.accumulate(np.where(starts, row, 0)) + 1


def _locked(bars: Bars) -> Bars:
    """Return a copy that cannot be written to, so that no function changes another's input."""
    copy = Bars(
        *(bars.ts_ms.copy(), bars.open.copy(), bars.high.copy(), bars.low.copy()),
        *(bars.close.copy(), bars.volume.copy(), bars.flat.copy()),
    )
    for column in copy.columns:
        column.setflags(write=False)
    return copy
