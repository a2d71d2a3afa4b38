"""The server of rehearsals, composed: it serves until a signal, and refuses what makes no sense."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from ares.bootstrap.sim_serve import ServeRequest, Serving, serve_market
from ares.domain.errors import UserError
from ares.domain.timeframe import DAY_MS
from ares.sim.prices import FROM_MS
from ares.sim.serve.faults import Fault


def test_a_synthetic_market_is_served_until_a_signal() -> None:
    served: list[Serving] = []

    def ready(serving: Serving) -> None:
        served.append(serving)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()

    for protocol in ("kraken", "binance"):
        request = ServeRequest(
            protocol, days=2, symbols=("BTC/USDT",), port=0, faults=(Fault("drop", count=1),)
        )
        serve_market(request, ready)
    assert [serving.symbols for serving in served] == [["BTC/USDT"]] * 2
    assert served[0].history_from_ms == FROM_MS
    assert served[0].from_ms == FROM_MS + DAY_MS
    assert served[0].to_ms == FROM_MS + 2 * DAY_MS


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ServeRequest("fix"), "--protocol fix"),
        (ServeRequest("kraken", speed=0.0), "--speed 0"),
        (ServeRequest("kraken", days=0), "--days 0"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(request_: ServeRequest, words: str) -> None:
    with pytest.raises(UserError, match=words):
        serve_market(request_, lambda _: None)
