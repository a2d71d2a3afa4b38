"""The protocols that a server can speak: the face of each, its rules, and the ids it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from ares.sim.serve.alpaca import Alpaca
from ares.sim.serve.alpaca_account import alpaca_rules
from ares.sim.serve.binance import Binance
from ares.sim.serve.binance_account import binance_rules
from ares.sim.serve.funds import VenueRules
from ares.sim.serve.keys import SimKey
from ares.sim.serve.kraken import Kraken
from ares.sim.serve.kraken_account import kraken_rules
from ares.sim.serve.orders import Ids, LetterIds, NumberIds, UuidIds
from ares.sim.serve.venue import Face, SimVenue


class ServedProtocol(NamedTuple):
    """One protocol.

    face : makes what answers, from the venue, the account's keys and the tier of its rate limits.
    ids  : makes the ids of a run, from a number of its own.
    """

    face: Callable[[SimVenue, Iterable[SimKey], str], Face]
    rules: Callable[[], VenueRules]
    ids: Callable[[int], Ids]


def _binance(venue: SimVenue, keys: Iterable[SimKey], _tier: str) -> Face:
    return Binance(venue, keys)


PROTOCOLS = {
    "alpaca": ServedProtocol(Alpaca, alpaca_rules, UuidIds),
    "binance": ServedProtocol(_binance, binance_rules, NumberIds),
    "kraken": ServedProtocol(Kraken, kraken_rules, lambda n: LetterIds(str(n))),
}
