"""The columns of a model's input: the kernel's unchanged, then a user's own; one hash of all."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe
from ares.domain.utc import utc_text
from ares.kernel.bars import Bars
from ares.kernel.features import FEATURE_NAMES, FEATURES_HASH, N_FEATURES, features_of
from ares.kernel.features.columns import (
    column_names,
    columns_hash,
    past_warmup,
    require_same_columns,
    with_user,
)
from ares.kernel.features.user import UserFeature, UserFeatures

Walk = Callable[..., Bars]


def user(hash_: str = "one") -> UserFeatures:
    low = UserFeature("from_low", 30, lambda bars: bars.close[-1] / bars.low.min() - 1.0)
    long = UserFeature("long", 256, lambda bars: float(bars.volume[0]))
    return UserFeatures((low, long), "mine.py", hash_)


def test_without_a_users_features_nothing_changes(walk: Walk) -> None:
    table = features_of(walk(1, 300), Timeframe.M1, None)
    values, warm = with_user(table, walk(1, 300), Timeframe.M1, None)
    assert values is table.values
    assert warm.tolist() == table.warm.tolist()
    assert column_names(None) is FEATURE_NAMES
    assert columns_hash(None) == FEATURES_HASH


def test_a_users_columns_stand_behind_and_are_warm_with_the_slowest(walk: Walk) -> None:
    bars, own = walk(1, 400), user()
    table = features_of(bars, Timeframe.M1, bars)
    values, warm = with_user(table, bars, Timeframe.M1, own)
    assert column_names(own) == (*FEATURE_NAMES, "from_low", "long")
    assert values.shape == (400, N_FEATURES + 2)
    assert values[:, :N_FEATURES].tobytes() == table.values.tobytes()
    whole = own.of(bars, 60_000)
    assert values[table.warm, N_FEATURES:].tobytes() == whole[table.warm].tobytes()
    assert np.isnan(values[~table.warm, N_FEATURES:]).all()
    assert np.flatnonzero(warm)[0] == 255
    assert past_warmup(values[254, N_FEATURES:]) == np.False_


def test_the_hash_is_of_both() -> None:
    assert len({FEATURES_HASH, columns_hash(user("one")), columns_hash(user("two"))}) == 3


@pytest.mark.parametrize(
    ("trained_with", "now", "message"),
    [
        (user("one"), None, "m was trained with features of your own .from_low, long.: set feat"),
        (user("two"), user("one"), r"m was trained with another version of mine\.py"),
        (None, user("one"), "m was trained without features.module: train again, or set it to"),
    ],
)
def test_other_columns_are_refused_in_one_line(
    trained_with: UserFeatures | None, now: UserFeatures | None, message: str
) -> None:
    require_same_columns("m", column_names(now), columns_hash(now), now)
    with pytest.raises(UserError, match=message) as caught:
        require_same_columns("m", column_names(trained_with), columns_hash(trained_with), now)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("now", [None, user()])
def test_columns_of_another_version_of_ares_are_refused(now: UserFeatures | None) -> None:
    with pytest.raises(UserError, match="m was trained with other features than this version"):
        require_same_columns("m", FEATURE_NAMES[:-1], "old", now)


def test_no_function_is_called_where_it_is_not_wanted(walk: Walk) -> None:
    called = []
    one = UserFeature("f", 3, lambda bars: called.append(int(bars.ts_ms[-1])) or 1.0)  # type: ignore[func-returns-value]  # append, then 1.0
    bars = walk(1, 50)
    wanted = np.arange(50) % 10 == 2
    values = UserFeatures((one,), "mine.py", "x").of(bars, 60_000, wanted)
    assert called == bars.ts_ms[wanted].tolist()
    assert np.flatnonzero(~np.isnan(values[:, 0])).tolist() == np.flatnonzero(wanted).tolist()


def test_a_message_names_the_instant(walk: Walk) -> None:
    bars = walk(1, 3)
    one = UserFeature("f", 1, lambda _bars: float("nan"))
    when = utc_text(int(bars.ts_ms[0]))
    with pytest.raises(
        UserError, match=rf"at the bar of {when} \(.*line \d+\): return a finite number"
    ):
        UserFeatures((one,), "mine.py", "x").of(bars, 60_000)
