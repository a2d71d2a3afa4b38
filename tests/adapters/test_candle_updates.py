"""Candles are closed by later ones; late and repeated updates do no harm."""

from __future__ import annotations

from ares.adapters.candle_updates import CandleUpdates


def row(minute: int, volume: float) -> list[float | None]:
    return [minute * 60_000, 1.0, 2.0, 0.5, 1.5, volume]


def seen(updates: CandleUpdates, *rows: list[float | None]) -> list[tuple[int, float, bool]]:
    bars = [bar for each in rows for bar in updates.add(each)]
    return [(bar.open_ms // 60_000, bar.volume, bar.is_closed) for bar in bars]


def test_a_candle_is_closed_by_the_next_one_with_its_last_numbers() -> None:
    updates = CandleUpdates(0)
    assert seen(updates, row(1, 1), row(1, 3), row(2, 1)) == [
        (1, 1.0, False),
        (1, 3.0, False),
        (1, 3.0, True),
        (2, 1.0, False),
    ]


def test_late_and_repeated_updates_do_no_harm() -> None:
    updates = CandleUpdates(0)
    seen(updates, row(1, 3))
    assert seen(updates, row(1, 2), row(1, 3)) == []  # out of order, and doubled
    assert seen(updates, row(2, 1)) == [(1, 3.0, True), (2, 1.0, False)]
    assert seen(updates, row(1, 2), row(1, 3)) == []
    assert seen(updates, row(1, 4)) == [
        (1, 4.0, True)
    ]  # its last update came after the next candle
    assert seen(updates, row(2, 2)) == [(2, 2.0, False)]


def test_a_new_connection_closes_nothing_that_ran_before() -> None:
    updates = CandleUpdates(0)
    seen(updates, row(1, 3))
    updates.connected()
    assert seen(updates, row(2, 1)) == [(2, 1.0, False)]


def test_rows_without_numbers_are_no_candles() -> None:
    assert CandleUpdates(0).add([None, 1, 1, 1, 1, 1]) == []
    assert CandleUpdates(0).add([60_000, 1, None, 1, 1, 1]) == []


def test_candles_of_a_venue_that_sends_them_closed_are_closed_at_once() -> None:
    updates = CandleUpdates(0, only_closed=True)
    assert seen(updates, row(1, 3), row(1, 3), row(2, 1)) == [(1, 3.0, True), (2, 1.0, True)]
    assert seen(updates, row(1, 4)) == [(1, 4.0, True)]
