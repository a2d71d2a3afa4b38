"""The alert of a mode that changes too often: the champion's, at most once an hour."""

from __future__ import annotations

from ares.domain.events import Effect, ModeChanged
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.model import Ensemble, Member
from ares.domain.model_events import SlotChanged
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.store.mode_alerts import CODE, ModeAlerts

MINUTE_MS = 60_000


def setup(is_champion: bool) -> RunSetup:
    """Return a run of one instrument with a challenger's lane behind the champion's."""
    member = Member(Timeframe.H1, "m", "v", "hash", 1.0)
    ensemble = Ensemble(
        "binance:BTC/USDT", (member,), Timeframe.H1, 1.0, 0.0, 12, 1.0, 33.0, 1.0, 1.0, 22.0,
        "recipe", "features",
    )  # fmt: skip
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 2, 6)
    lanes = (
        RunInstrument(spec, HOUR_MS, ensemble if is_champion else None, is_champion),
        RunInstrument(spec, HOUR_MS, None if is_champion else ensemble, False),
    )
    return RunSetup(
        "history/x", lanes, (Timeframe.H1,), 0, 0, HOUR_MS, 0, 1e4, {}, 0.25, {},
        challenger_lanes=True,
    )  # fmt: skip


def changed(minute: int, lane: int) -> Effect:
    return ModeChanged(lane, MINUTE_MS * minute, "LEARNING", "TRADING", 0.8)


def alerts_at(alerts: ModeAlerts, lane: int, *minutes: int) -> list[int]:
    raised = [(minute, alerts.watch(changed(minute, lane))) for minute in minutes]
    return [minute for minute, alert in raised if alert is not None]


def test_the_third_change_within_an_hour_is_an_alert_with_one_text() -> None:
    alerts = ModeAlerts(setup(is_champion=True))
    found = [alerts.watch(changed(minute, 0)) for minute in (0, 10, 20)]
    assert found[:2] == [None, None]
    alert = found[2]
    assert alert is not None
    assert (alert.code, alert.instrument, alert.value, alert.limit) == (CODE, 0, 3.0, 2.0)
    assert alert.message == (
        "the mode changed 3 times within an hour (limit 2): the mode confidence is close to "
        "trading_threshold"
    )
    assert alerts_at(alerts, 0, 30, 40, 79) == [], "once an hour"
    assert alerts_at(alerts, 0, 90, 100, 110) == [90]


def test_a_challengers_mode_counts_only_where_there_is_no_champion() -> None:
    assert alerts_at(ModeAlerts(setup(is_champion=True)), 1, 0, 10, 20, 30) == []
    without = ModeAlerts(setup(is_champion=False))
    assert alerts_at(without, 1, 0, 10, 20) == [20]


def test_the_champions_lane_is_followed() -> None:
    alerts = ModeAlerts(setup(is_champion=True))
    promoted = SlotChanged(0, 0, "promoted", "b", ("a", "b"), ("former", "champion"), "a", "", "")
    assert alerts.watch(promoted) is None
    assert alerts_at(alerts, 0, 0, 10, 20) == []
    assert alerts_at(alerts, 1, 0, 10, 20) == [20]
