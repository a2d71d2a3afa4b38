"""The setup of a run: lanes of challengers double the rows, not the instruments."""

from __future__ import annotations

import msgspec

from ares.domain.instrument import Instrument, InstrumentSpec
from ares.domain.run import RunInstrument, RunSetup
from ares.domain.series import SentimentSpec, ValueSpec
from ares.domain.timeframe import MINUTE_MS, Timeframe

LANE = RunInstrument(InstrumentSpec(Instrument("v", "A/B"), 2, 3), MINUTE_MS, None, True)
SETUP = RunSetup(
    "history/a", (LANE, LANE), (Timeframe.H1,), -1, 0, 1, 0, 1_000.0, {}, 0.25, {"kernel": "k"}
)


def test_a_challenger_lane_shares_the_bars_of_its_instrument() -> None:
    assert SETUP.n_instruments == 2
    assert msgspec.structs.replace(SETUP, challenger_lanes=True).n_instruments == 1


def test_the_series_are_in_the_order_of_their_columns() -> None:
    setup = msgspec.structs.replace(
        SETUP, sentiment=SentimentSpec(), value_series=(ValueSpec("funding"),)
    )
    assert [spec.name for spec in setup.series] == ["sentiment", "funding"]


def test_a_setup_reads_back_from_its_bytes() -> None:
    again = msgspec.json.decode(msgspec.json.encode(SETUP), type=RunSetup)
    assert again == SETUP
