"""Faults: when they strike, how often, the same for the same seed; wrong ones are refused."""

from __future__ import annotations

import pytest

from ares.domain.errors import UserError
from ares.sim.serve.faults import FAULTS, ActiveFaults, Fault, fault_of, parse_fault


class Seconds:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_fault_begins_and_ends_in_wall_time() -> None:
    seconds = Seconds()
    faults = ActiveFaults(seconds)
    faults.add(Fault("drop", after=5.0, seconds=10.0))
    struck = []
    for now in (0.0, 4.9, 5.0, 14.9, 15.0):
        seconds.now = now
        struck.append(faults.struck("drop", "socket") is not None)
    assert struck == [False, False, True, True, False]
    assert faults.listed() == []


def test_it_strikes_what_it_names_and_no_more_often_than_asked() -> None:
    faults = ActiveFaults(Seconds())
    number = faults.add(Fault("http_429", only="OHLC", count=2, on="rest"))
    hits = [
        faults.struck("http_429", "rest", path) is not None
        for path in ("Time", "OHLC?", "OHLC", "OHLC")
    ]
    assert hits == [False, True, True, False]
    assert faults.struck("http_429", "socket", "OHLC") is None
    assert faults.listed()[0]["struck"] == 2
    assert faults.clear(number) == 1
    assert faults.clear() == 0


def test_a_state_lasts_without_being_counted() -> None:
    seconds = Seconds()
    faults = ActiveFaults(seconds)
    faults.add(Fault("cancel_only", only="BTC", after=5.0, count=1))
    assert not faults.is_active("cancel_only")
    seconds.now = 5.0
    for _ in range(3):
        assert faults.lasts("cancel_only", "BTC/USDT") is not None
    assert faults.lasts("cancel_only", "ADA/USDT") is None
    assert faults.is_active("cancel_only")
    with pytest.raises(UserError, match="give ms"):
        faults.add(Fault("request_late"))
    with pytest.raises(UserError, match="rate"):
        faults.add(Fault("partial_fills", rate=0.0))


def test_chance_is_seeded() -> None:
    def strikes(seed: int) -> list[bool]:
        faults = ActiveFaults(Seconds(), seed)
        faults.add(Fault("drop", probability=0.5))
        return [faults.struck("drop", "socket") is not None for _ in range(50)]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 10 < sum(strikes(1)) < 40


def test_a_gap_lasts_so_many_minutes_of_market_time_from_its_first_trade() -> None:
    faults = ActiveFaults(Seconds())
    faults.add(Fault("gap", minutes=2, only="BTC"))
    assert not faults.in_gap("ADA/USDT", 1_000)
    assert [faults.in_gap("BTC/USDT", ts) for ts in (60_000, 179_999, 180_000)] == [
        True,
        True,
        False,
    ]


def test_the_clock_error_adds_up() -> None:
    faults = ActiveFaults(Seconds())
    assert faults.clock_error_ms() == 0
    faults.add(Fault("wrong_clock", ms=-3_000))
    faults.add(Fault("wrong_clock", ms=500))
    assert faults.clock_error_ms() == -2_500


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing", "unknown: use one of"),
        ("latency", "give ms"),
        ("latency:ms=-1", "cannot be negative"),
        ("gap", "give minutes"),
        ("drop:probability=0", "above 0"),
        ("drop:probability", "NAME=VALUE"),
        ("drop:how=much", "fault: "),
        ("latency:ms=soon", "fault: "),
        ("drop:on=mars", "use rest or socket"),
        ("drop:seconds=-1", "cannot be negative"),
        ("big:bytes=0", "bytes"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        parse_fault(text)
    assert "\n" not in str(caught.value)


def test_text_and_json_give_the_same_fault() -> None:
    written = parse_fault("latency:ms=300,seconds=2.5,probability=0.5")
    assert written == fault_of({"kind": "latency", "ms": 300, "seconds": 2.5, "probability": 0.5})
    assert all(FAULTS.values())
