"""The leak test finds what it must find, and accuses nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from ares.kernel.bars import F64, Bars
from ares.kernel.resample import resample
from ares.learn.leakage import TimedRows, at_close, leak_test

MINUTE = 60_000
FIVE = 5 * MINUTE
Columns = Callable[[Bars], NDArray[Any]]


@pytest.fixture(scope="module")
def bars() -> Bars:
    rng = np.random.default_rng(5)
    n = 600
    close = 100.0 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    open_ = np.concatenate([close[:1], close[:-1]])
    high, low = np.maximum(open_, close) * 1.0005, np.minimum(open_, close) * 0.9995
    return Bars.make(MINUTE * np.arange(n), open_, high, low, close, rng.random(n) * 9)


def returns(b: Bars) -> F64:
    return np.concatenate([[np.nan], np.diff(np.log(b.close))])


def past_mean(b: Bars) -> F64:
    return np.asarray(pd.Series(b.close).rolling(9).mean())


def centred_mean(b: Bars) -> F64:
    return np.asarray(pd.Series(b.close).rolling(9, center=True).mean())


def scaled_by_the_whole(b: Bars) -> F64:
    r = returns(b)
    return np.asarray((r - np.nanmean(r)) / np.nanstd(r))


def shifted_back(b: Bars) -> F64:
    return np.asarray(pd.Series(b.close).shift(-1))


def filled_backwards(b: Bars) -> F64:
    calm = pd.Series(np.where(np.arange(len(b)) % 7 == 0, b.close, np.nan))
    return np.asarray(calm.bfill())


def ranked_in_the_whole(b: Bars) -> F64:
    return np.asarray(pd.Series(b.close).rank(pct=True))


def unfinished_bar(b: Bars) -> F64:
    """The close of the 5m bar that each minute lies in, before that bar has closed."""
    bucket = b.ts_ms // FIVE
    last = {int(k): x for k, x in zip(bucket, b.close, strict=True)}
    return np.array([last[int(k)] for k in bucket])


def smoothed_both_ways(b: Bars) -> F64:
    forward = pd.Series(b.close).ewm(span=5).mean()
    return np.asarray(forward[::-1].ewm(span=5).mean()[::-1])


def extreme_of_all(b: Bars) -> F64:
    return np.asarray(b.close / b.high.max())


def cleaned_with_tomorrow(b: Bars) -> F64:
    """An outlier filter that looks one bar ahead, only where a bar jumped."""
    r = returns(b)
    back = np.concatenate([r[1:], [0.0]])
    return np.where((np.abs(r) > 2e-3) & (np.sign(r) != np.sign(back)), 0.0, r)


def target_as_feature(b: Bars) -> F64:
    later = np.full(len(b), 0.0)
    later[:-10] = np.sign(b.close[10:] - b.close[:-10])
    return later


PLANTED: dict[str, Columns] = {
    "centred mean": centred_mean,
    "whole-sample scaler": scaled_by_the_whole,
    "shift by -1": shifted_back,
    "backward fill": filled_backwards,
    "whole-sample rank": ranked_in_the_whole,
    "unfinished higher bar": unfinished_bar,
    "two-sided smoothing": smoothed_both_ways,
    "extreme of the whole": extreme_of_all,
    "label among the features": target_as_feature,
    "rare look ahead": cleaned_with_tomorrow,
}


@pytest.mark.parametrize("leak", PLANTED)
def test_a_planted_leak_is_found_and_only_it(bars: Bars, leak: str) -> None:
    columns = [returns, PLANTED[leak], past_mean]
    tell = at_close(lambda b: np.stack([column(b) for column in columns], axis=1), MINUTE)
    cuts = 60 if leak == "rare look ahead" else 12
    report = leak_test(tell, bars, ["return", leak, "mean"], MINUTE, cuts=cuts)
    assert report.leaking == (leak,)
    assert not report.clean
    assert leak in report.line()
    assert "\n" not in report.line()
    found = report.leaks[0]
    assert found.row_ms < found.cut_ms
    assert found.rows >= 1


def test_past_only_is_clean(bars: Bars) -> None:
    tell = at_close(lambda b: np.stack([returns(b), past_mean(b)], axis=1), MINUTE)
    report = leak_test(tell, bars, ["return", "mean"], MINUTE)
    assert report.clean
    assert report.line().startswith("no leak in 2 columns")


def label(b: Bars, horizon: int) -> F64:
    out = np.full(len(b), np.nan)
    out[:-horizon] = b.close[horizon:] / b.close[:-horizon]
    return out


@pytest.mark.parametrize(
    ("claimed_bars", "leaks"), [(10, ()), (12, ()), (9, ("label",)), (0, ("label",))]
)
def test_a_label_is_known_after_its_horizon_and_not_before(
    bars: Bars, claimed_bars: int, leaks: tuple[str, ...]
) -> None:
    tell = at_close(lambda b: label(b, 10), MINUTE, horizon_bars=claimed_bars)
    assert leak_test(tell, bars, ["label"], MINUTE).leaking == leaks


def scaler(train: int, on: int) -> Callable[[Bars], TimedRows]:
    """Return a teller of returns scaled by the first ``on`` bars, said to be by ``train``."""

    def tell(b: Bars) -> TimedRows:
        r = returns(b)
        scaled = (r - np.nanmean(r[:on])) / np.nanstd(r[:on])
        known_ms = np.maximum(b.ts_ms, MINUTE * (train - 1)) + MINUTE
        return TimedRows(b.ts_ms, known_ms, scaled[:, None])

    return tell


def test_a_scaler_knows_its_training_set_and_no_more(bars: Bars) -> None:
    assert leak_test(scaler(400, 400), bars, ["scaled"], MINUTE, cuts=30).clean
    assert not leak_test(scaler(400, 450), bars, ["scaled"], MINUTE, cuts=30).clean


def test_rows_of_a_higher_timeframe(bars: Bars) -> None:
    def honest(b: Bars) -> TimedRows:
        five = resample(b, MINUTE, FIVE)
        return TimedRows(five.ts_ms, five.ts_ms + FIVE, five.close[:, None])

    def hasty(b: Bars) -> TimedRows:
        five = resample(b, MINUTE, FIVE)
        return TimedRows(five.ts_ms, five.ts_ms + MINUTE, five.close[:, None])

    assert leak_test(honest, bars, ["close"], MINUTE).clean
    report = leak_test(hasty, bars, ["close"], MINUTE, cuts=30)
    assert not report.clean
    assert report.leaks[0].after is None


def test_choosing_rows_by_what_came_later_is_a_leak(bars: Bars) -> None:
    def winners(b: Bars) -> TimedRows:
        keep = np.flatnonzero(b.close > np.median(b.close))
        return TimedRows(b.ts_ms[keep], b.ts_ms[keep] + MINUTE, b.close[keep][:, None])

    assert leak_test(winners, bars, ["close"], MINUTE).leaking == ("close",)


def test_a_function_that_does_not_repeat_itself_is_found(bars: Bars) -> None:
    noise = np.random.default_rng(1)
    tell = at_close(lambda b: noise.random(len(b)), MINUTE)
    report = leak_test(tell, bars, ["luck"], MINUTE)
    assert report.leaks[0].way == "when it was computed again"


def test_a_function_that_changes_its_input_harms_nobody(bars: Bars) -> None:
    def greedy(b: Bars) -> F64:
        out = b.close - b.open
        b.close[:] = 0.0
        return out

    hash_before = bars.hash
    assert leak_test(at_close(greedy, MINUTE), bars, ["body"], MINUTE).clean
    assert bars.hash == hash_before


def test_names_must_fit(bars: Bars) -> None:
    with pytest.raises(ValueError, match="2 names for 1"):
        leak_test(at_close(past_mean, MINUTE), bars, ["a", "b"], MINUTE)
    with pytest.raises(ValueError, match="two bars"):
        leak_test(at_close(past_mean, MINUTE), bars[:1], ["a"], MINUTE)
