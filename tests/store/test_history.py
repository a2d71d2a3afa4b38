"""Merged histories: finest first, whole bars before made ones, disagreement said, no look ahead."""

from __future__ import annotations

import numpy as np
import pytest

from ares.domain.errors import UserError
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, Timeframe
from ares.kernel.bars import Bars
from ares.kernel.resample import fill_gaps, resample
from ares.store.candles import CandleStore
from ares.store.history import base_bars, history

BTC = Instrument("binance", "BTC/USDT")
SPEC = InstrumentSpec(BTC, price_decimals=2, qty_decimals=5)
START_MS = 20_000 * DAY_MS


def minutes(count: int, seed: int = 1) -> Bars:
    """Return ``count`` 1m bars from START_MS on, a random walk."""
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(0.0005 * rng.normal(size=count).cumsum()), 2)
    opened = np.concatenate([[100.0], close[:-1]])
    return Bars.make(
        START_MS + np.arange(count) * MINUTE_MS,
        opened,
        np.maximum(opened, close) + 0.05,
        np.minimum(opened, close) - 0.05,
        close,
        np.round(rng.random(count), 5),
    )


def test_each_time_is_given_by_the_finest_interval_and_the_rest_by_longer_ones(
    store: CandleStore,
) -> None:
    truth = minutes(4 * 1440)
    hours = resample(truth, MINUTE_MS, HOUR_MS)
    fives = resample(truth, MINUTE_MS, 5 * MINUTE_MS)
    store.save(SPEC, "1h", hours, "h")
    store.save(SPEC, "5m", fives[288:], "five")
    store.save(SPEC, "1m", truth[3 * 1440 :], "one")
    found = history(store, BTC, Timeframe.H1)
    assert found.bars.ts_ms.tolist() == hours.ts_ms.tolist()
    np.testing.assert_array_equal(found.bars.close, hours.close)
    assert found.sources == ("1m", "5m", "1h")
    assert found.disagreements == ()
    five = history(store, BTC, Timeframe.M5)
    assert (len(five.bars), five.sources) == (3 * 288, ("1m", "5m"))
    assert history(store, BTC, Timeframe.M1).sources == ("1m",)
    assert len(history(store, BTC, Timeframe.D1).bars) == 4


def test_a_disagreement_is_reported_and_the_finer_interval_used(store: CandleStore) -> None:
    truth = minutes(1440)
    hours = resample(truth, MINUTE_MS, HOUR_MS)
    hours.close[5] += 0.03
    hours.volume[7] *= 2
    store.save(SPEC, "1m", truth, "one")
    store.save(SPEC, "1h", hours, "h")
    found = history(store, BTC, Timeframe.H1)
    (message,) = found.disagreements
    assert (message.compared, message.different, message.column) == (24, 2, "close")
    assert message.first_ms == START_MS + 5 * HOUR_MS
    assert message.coarse_value - message.fine_value == pytest.approx(0.03)
    assert "1m and 1h disagree on 2 of 24 bars" in str(message)
    np.testing.assert_array_equal(found.bars.close, resample(truth, MINUTE_MS, HOUR_MS).close)


def test_a_whole_bar_goes_before_one_with_made_parts(store: CandleStore) -> None:
    truth = minutes(1440)
    hours = resample(truth, MINUTE_MS, HOUR_MS)
    gone = np.ones(1440, np.bool_)
    gone[125:170] = False
    store.save(SPEC, "1m", truth[gone], "one")
    store.save(SPEC, "1h", hours, "h")
    found = history(store, BTC, Timeframe.H1)
    assert found.disagreements == ()  # a gap is no other opinion
    np.testing.assert_array_equal(found.bars.high, hours.high)
    np.testing.assert_allclose(found.bars.volume, hours.volume, rtol=1e-12)


def test_gaps_are_made_flat_where_nothing_is_known(store: CandleStore) -> None:
    truth = minutes(600)
    gone = np.ones(600, np.bool_)
    gone[100:250] = False
    store.save(SPEC, "1m", truth[gone], "one")
    found = history(store, BTC, Timeframe.H1).bars
    want = resample(fill_gaps(truth[gone], MINUTE_MS), MINUTE_MS, HOUR_MS)
    assert (found.hash, found.flat.tolist()) == (want.hash, want.flat.tolist())
    assert found.flat.tolist() == [False, False, True, True, *[False] * 6]


def test_a_window_shows_only_bars_that_have_closed_by_its_end(store: CandleStore) -> None:
    store.save(SPEC, "1m", minutes(2 * 1440), "one")
    end_ms = START_MS + 30 * HOUR_MS + 17 * MINUTE_MS
    for timeframe in Timeframe:
        found = history(store, BTC, timeframe, START_MS + 10 * MINUTE_MS, end_ms).bars
        assert np.all(found.ts_ms + timeframe.ms <= end_ms)
        assert np.all(found.ts_ms >= START_MS + 10 * MINUTE_MS)
        every = history(store, BTC, timeframe).bars
        inside = (every.ts_ms >= START_MS + 10 * MINUTE_MS) & (every.ts_ms + timeframe.ms <= end_ms)
        assert found.hash == every[inside].hash


def test_a_timeframe_below_every_stored_interval_is_an_error(store: CandleStore) -> None:
    store.save(SPEC, "1h", resample(minutes(1440), MINUTE_MS, HOUR_MS), "h")
    with pytest.raises(UserError, match=r"stored intervals: 1h.*import 5m or shorter"):
        history(store, BTC, Timeframe.M5)
    with pytest.raises(UserError, match="unknown symbol"):
        history(store, Instrument("binance", "XRP/USDT"), Timeframe.M5)


def test_base_bars_are_of_the_finest_interval_that_covers_the_window(store: CandleStore) -> None:
    truth = minutes(10 * 1440)
    store.save(SPEC, "1h", resample(truth, MINUTE_MS, HOUR_MS), "h")
    store.save(SPEC, "1m", truth[: 2 * 1440], "one")
    store.save(SPEC, "1m", truth[8 * 1440 :], "two")
    day = DAY_MS

    def base(first: int | None, last: int | None) -> tuple[Timeframe, int]:
        window = [None if d is None else START_MS + d * day for d in (first, last)]
        timeframe, bars = base_bars(store, BTC, *window)
        return timeframe, len(bars)

    assert base(0, 2) == (Timeframe.M1, 2 * 1440)
    assert base(9, 10) == (Timeframe.M1, 1440)
    assert base(1, 3) == (Timeframe.H1, 48)
    assert base(1, 9) == (Timeframe.H1, 8 * 24)  # 1m has both ends, and a break of six days
    assert base(None, None) == (Timeframe.H1, 240)
    assert base(9, 30) == (Timeframe.M1, 1440)  # nothing covers it: as much as there is
    with pytest.raises(UserError, match="no candles between"):
        base(30, 40)


def test_a_gap_at_the_windows_edge_is_filled_from_before_it(store: CandleStore) -> None:
    truth = minutes(300)
    gone = np.ones(300, np.bool_)
    gone[90:150] = False
    store.save(SPEC, "1m", truth[gone], "one")
    timeframe, bars = base_bars(store, BTC, START_MS + 2 * HOUR_MS, START_MS + 4 * HOUR_MS)
    assert (timeframe, len(bars)) == (Timeframe.M1, 120)
    assert bars.flat[:30].all()
    assert bars.close[0] == truth.close[89]
