"""How old stored series are: stale after as long as the settings say, and a pause is named."""

from __future__ import annotations

from ares.domain.series import ValueSpec
from ares.domain.timeframe import HOUR_MS
from ares.observe.series_check import all_fresh, check_stored_series
from ares.store.series import StoredScope

NOW = 1_704_067_200_000


def stored(name: str, age_hours: int, pause_hours: int = 1) -> StoredScope:
    last_ms, pause_ms = NOW - age_hours * HOUR_MS, pause_hours * HOUR_MS
    return StoredScope(name, "", 1, "hash", 9, last_ms - pause_ms, last_ms, last_ms, 0, pause_ms, 0)


def test_a_feature_is_stale_after_its_own_time_others_do_not_count() -> None:
    features = [ValueSpec("index", 10 * HOUR_MS), ValueSpec("rate", 100 * HOUR_MS)]
    checked = check_stored_series(
        [stored("index", 11), stored("rate", 99), stored("other", 500)], features, NOW
    )
    assert [one.stale for one in checked] == [True, False, True]
    assert [one.is_feature for one in checked] == [True, True, False]
    assert [one.age_hours for one in checked] == [11.0, 99.0, 500.0]
    assert not all_fresh(checked)
    assert all_fresh(checked[1:])
    assert "stale: nothing for 11 hours" in checked[0].remarks[0]
    assert checked[1].remarks == ()
    assert "models are trained without it" in checked[2].remarks[0]


def test_a_pause_longer_than_that_is_named() -> None:
    spec = ValueSpec("index", 10 * HOUR_MS)
    short, long = (check_stored_series([stored("index", 1, h)], [spec], NOW)[0] for h in (10, 200))
    assert short.remarks == ()
    assert "paused for 8 days at most" in long.remarks[0]
