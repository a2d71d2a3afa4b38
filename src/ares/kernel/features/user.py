"""Features of the user's own: plain Python functions of a window of past bars.

A module named in the configuration (``features.module``) holds functions like

    from ares.kernel.features.user import feature

    @feature(warmup_bars=50)
    def distance_from_high(bars):
        return float(bars.close[-1] / bars.high.max() - 1.0)

Each is called at every closed bar with the last ``warmup_bars`` bars, that bar the last of them:
it cannot see the future, and history and live are the same call. They are judged by the leak
test (``ares.learn.leakage``) before they may be used, which finds those that remember or look
elsewhere.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from ares.domain.errors import UserMistake
from ares.kernel.bars import Bars, Bools
from ares.kernel.features.catalogue import FEATURE_NAMES

WARMUP_BARS_MAX = 256
FLOAT32_MAX = float(np.finfo(np.float32).max)
Function = Callable[[Bars], float]


@dataclass(frozen=True, slots=True)
class UserFeature:
    """A function of the last ``warmup_bars`` bars that returns a finite number."""

    name: str
    warmup_bars: int
    function: Function

    def __call__(self, bars: Bars) -> float:
        """Return the function's value."""
        return self.function(bars)


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

    place : the module's file, for messages.
    hash  : SHA-256 of its source.
    """

    features: tuple[UserFeature, ...]
    place: str
    hash: str

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names, in order."""
        return tuple(one.name for one in self.features)

    def of(self, bars: Bars, interval_ms: int, wanted: Bools | None = None) -> NDArray[np.float32]:
        """Return (n_bars, n_features) float32: NaN before a feature's warmup after each break.

        wanted : (n_bars,) False leaves NaN and calls no function there; None: True everywhere.

        Raises UserMistake where a function fails or returns no finite number.
        """
        bars = _locked(bars)
        values = np.full((len(bars), len(self.features)), np.nan, np.float32)
        age = bars_since_break(bars.ts_ms, interval_ms)
        if wanted is not None:
            age = np.where(wanted, age, 0)
        for f, one in enumerate(self.features):
            for t in np.flatnonzero(age >= one.warmup_bars):
                values[t, f] = self._value(one, bars[t + 1 - one.warmup_bars : t + 1])
        return values

    def step(self, bars: Bars, interval_ms: int) -> NDArray[np.float32]:
        """Return (n_features,) of the last of ``bars``, as ``of`` has them in its last row.

        bars : the last 256 or more, oldest first.
        """
        longest = max((one.warmup_bars for one in self.features), default=0)
        bars = _locked(bars[max(0, len(bars) - longest) :])
        values = np.full(len(self.features), np.nan, np.float32)
        breaks = np.flatnonzero(bars.ts_ms[1:] - bars.ts_ms[:-1] != interval_ms)
        age = len(bars) - 1 - int(breaks[-1]) if len(breaks) else len(bars)
        for f, one in enumerate(self.features):
            if age >= one.warmup_bars:
                values[f] = self._value(one, bars[len(bars) - one.warmup_bars :])
        return values

    def _value(self, one: UserFeature, window: Bars) -> np.float32:
        where = f"feature '{one.name}' of {self.place}"
        when = f"at the bar of {np.datetime64(int(window.ts_ms[-1]), 'ms').astype('M8[m]')}"
        try:
            value = float(one.function(window))
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1]
            raise UserMistake(
                f"{where} failed {when}: {type(error).__name__}: {error} "
                f"({Path(line.filename).name}, line {line.lineno}): repair it or take it out"
            ) from error
        if not abs(value) <= FLOAT32_MAX:
            raise UserMistake(
                f"{where} returned {value} {when}: return a finite number, such as 0.0 where "
                "there is nothing to say"
            )
        return np.float32(value)


def user_features_of(
    module: str | UserFeatures, bars: Bars, interval_ms: int, folder: Path | None = None
) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """Return the names and the (n_bars, n_features) values of a module's features.

    module, folder : see ``load_user_features``.
    """
    loaded = module if isinstance(module, UserFeatures) else load_user_features(module, folder)
    return loaded.names, loaded.of(bars, interval_ms)


def load_user_features(module: str, folder: Path | None = None) -> UserFeatures:
    """Return the features that a module defines, or raise UserMistake with what is wrong in it.

    module : a file (``my_features.py``) or a module's dotted name.
    folder : where a relative file, or a module that is not installed, is looked for.
    """
    loaded, source = _imported(module, folder or Path())
    found = tuple(one for one in vars(loaded).values() if isinstance(one, UserFeature))
    place = Path(loaded.__file__ or module).name
    if not found:
        raise UserMistake(
            f"features.module '{module}' has no feature: mark functions with "
            "@ares.kernel.features.user.feature(warmup_bars=...)"
        )
    for one in found:
        _check(one, place, [other.name for other in found])
    return UserFeatures(found, place, hashlib.sha256(source).hexdigest())


def bars_since_break(ts_ms: NDArray[np.int64], interval_ms: int) -> NDArray[np.int64]:
    """Return (n,) how many bars stand in one piece up to each bar, itself included.

    >>> bars_since_break(np.array([0, 10, 20, 50, 60]), 10).tolist()
    [1, 2, 3, 1, 2]
    """
    place = np.arange(len(ts_ms))
    starts = np.concatenate([np.ones(min(1, len(ts_ms)), bool), np.diff(ts_ms) != interval_ms])
    return place - np.maximum.accumulate(np.where(starts, place, 0)) + 1


def _check(one: UserFeature, place: str, names: list[str]) -> None:
    """Refuse a feature that cannot be told apart or wants an impossible window."""
    if one.name in FEATURE_NAMES or names.count(one.name) > 1:
        raise UserMistake(f"feature '{one.name}' of {place}: the name is taken, choose another")
    bars = one.warmup_bars
    if type(bars) is not int or not 1 <= bars <= WARMUP_BARS_MAX:
        raise UserMistake(
            f"feature '{one.name}' of {place}: warmup_bars is {bars!r}, "
            f"give a whole number from 1 to {WARMUP_BARS_MAX}"
        )


def _imported(module: str, folder: Path) -> tuple[ModuleType, bytes]:
    """Return the executed module and its source."""
    file = folder / (module if module.endswith(".py") else module.replace(".", "/") + ".py")
    if not file.is_file() and (module.endswith(".py") or not _installed(module)):
        raise UserMistake(f"features.module '{module}': there is no file {file}, nor such a module")
    try:
        if file.is_file():
            return _executed(file)
        loaded = importlib.import_module(module)
        return loaded, Path(loaded.__file__).read_bytes() if loaded.__file__ else module.encode()
    except ModuleNotFoundError as error:
        raise UserMistake(f"features.module '{module}' needs '{error.name}': install it") from error
    except Exception as error:
        steps = traceback.extract_tb(error.__traceback__)
        line = error.lineno if isinstance(error, SyntaxError) else steps[-1].lineno
        raise UserMistake(
            f"features.module '{module}' cannot be loaded: {type(error).__name__}: {error} "
            f"(line {line})"
        ) from error


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _executed(file: Path) -> tuple[ModuleType, bytes]:
    """Run the very bytes that are hashed: an import might take an older compiled file for them."""
    source = file.read_bytes()
    name = "ares_user_" + hashlib.sha256(str(file.resolve()).encode() + source).hexdigest()[:12]
    loaded = ModuleType(name)
    loaded.__file__ = str(file)
    sys.modules[name] = loaded  # where dataclasses and the like look their module up
    try:
        exec(compile(source, str(file), "exec"), vars(loaded))
    except BaseException:
        del sys.modules[name]
        raise
    return loaded, source


def _locked(bars: Bars) -> Bars:
    """Return a copy that cannot be written to, so that no function changes another's input."""
    copy = Bars(
        *(bars.ts_ms.copy(), bars.open.copy(), bars.high.copy(), bars.low.copy()),
        *(bars.close.copy(), bars.volume.copy(), bars.flat.copy()),
    )
    for column in (copy.ts_ms, copy.open, copy.high, copy.low, copy.close, copy.volume, copy.flat):
        column.setflags(write=False)
    return copy
