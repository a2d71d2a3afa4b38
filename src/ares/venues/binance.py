"""Binance, spot: what it promises, where that is written, and when that was read."""

from __future__ import annotations

from ares.domain.venue import VenueTraits
from ares.venues.declared import DeclaredTrait, DeclaredVenue

READ = "2026-11-28"
DOCS = "developers.binance.com/docs/binance-spot-api-docs/"

BINANCE = DeclaredVenue(
    name="binance",
    title="Binance spot, REST and the WebSocket API's user data stream",
    takes_orders=True,
    traits=VenueTraits(
        amends_stops=False,
        proves_absence=True,
        refuses_small=True,
        deadline_ms=10_000,
        absence_margin_ms=10_000,
        answer_ms=12_000,
        fill_ms=5_000,
        account_ms=60_000,
    ),
    has_sandbox=True,
    orders={
        "entry": "LIMIT at the collar, IOC; MARKET where there is no collar",
        "exit": "MARKET",
        "stop": "STOP_LOSS, triggered by the last price, sold at the market",
    },
    declared=(
        DeclaredTrait(
            "stops rest at the venue", "yes, STOP_LOSS; one that would trigger at once is refused",
            f"{DOCS}rest-api/trading-endpoints", READ,
        ),
        DeclaredTrait(
            "a resting stop locks the coins", "yes: an exit cancels it first",
            f"{DOCS}rest-api/account-endpoints", READ,
        ),
        DeclaredTrait(
            "proof of absence",
            "recvWindow and 10 s have passed by the venue's clock, and order (by "
            "origClientOrderId), openOrders, allOrders and myTrades do not have it",
            f"{DOCS}rest-api/account-endpoints", READ,
        ),
        DeclaredTrait(
            "execution ids", "trade ids, of one symbol each; the same by stream and REST",
            f"{DOCS}user-data-stream", READ,
        ),
        DeclaredTrait(
            "private stream", "userDataStream.subscribe.signature; its messages have no numbers",
            f"{DOCS}websocket-api/user-data-stream-requests", READ,
        ),
        DeclaredTrait(
            "rate limits", "weight of 6,000 a minute, 100 orders in 10 s", f"{DOCS}rest-api/limits",
            READ,
        ),
        DeclaredTrait(
            "deadline",
            "recvWindow, checked until the request goes to the matching engine; the API waits up "
            "to 10 s more, so the margin is 10 s",
            f"{DOCS}rest-api/general-api-information", READ,
        ),
        DeclaredTrait(
            "a stop is amended in place", "no: an amendment only reduces the quantity",
            f"{DOCS}faqs/order_amend_keep_priority", READ,
        ),
        DeclaredTrait(
            "fees", "in the asset received, or in BNB", f"{DOCS}rest-api/trading-endpoints", READ
        ),
        DeclaredTrait(
            "client ids", "newClientOrderId, unique among open orders only",
            f"{DOCS}rest-api/trading-endpoints", READ,
        ),
        DeclaredTrait("sandbox", "testnet.binance.vision", "testnet.binance.vision", READ),
    ),
    lacks=(
        "no dead man's switch",
        "no post-only orders yet (LIMIT_MAKER)",
        "a lost message of the stream is found by the next look-up or comparison of balances",
        "a fee in BNB, where BNB is traded too, is a difference of that instrument",
    ),
)  # fmt: skip
