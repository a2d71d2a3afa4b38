"""Kraken, spot: what it promises, where that is written, and when that was read."""

from __future__ import annotations

from ares.domain.venue import VenueTraits
from ares.venues.declared import DeclaredTrait, DeclaredVenue

READ = "2026-11-28"
REST = "docs.kraken.com/api/docs/rest-api/"

KRAKEN = DeclaredVenue(
    name="kraken",
    title="Kraken spot, REST and WebSocket v2",
    takes_orders=True,
    traits=VenueTraits(
        amends_stops=True,
        proves_absence=True,
        deadline_ms=10_000,
        absence_margin_ms=2_000,
        answer_ms=6_000,
        fill_ms=5_000,
        account_ms=180_000,
        refuses_small=True,
        takes_post_only=True,
    ),
    orders={
        "entry": "limit at the collar, IOC; market where there is no collar",
        "entry that rests": "limit at the deciding close, post-only",
        "exit": "market",
        "stop": "stop-loss, triggered by the last price, sold at the market",
    },
    declared=(
        DeclaredTrait(
            "stops rest at the venue", "yes, stop-loss orders", f"{REST}add-order", READ
        ),
        DeclaredTrait(
            "a stop is amended in place", "yes, same id, atomic", f"{REST}amend-order", READ
        ),
        DeclaredTrait(
            "a resting stop locks the coins", "yes: an exit cancels it first",
            "freqtrade issues 8045 and 5451", READ,
        ),
        DeclaredTrait(
            "client ids", "32 hex digits as cl_ord_id, unique among open orders only",
            f"{REST}add-order", READ,
        ),
        DeclaredTrait(
            "deadline", "now + 2 to 60 s on REST, by the venue's clock", f"{REST}add-order", READ
        ),
        DeclaredTrait(
            "proof of absence",
            "its deadline has passed by the venue's clock, and OpenOrders, ClosedOrders (both by "
            "cl_ord_id) and TradesHistory, all pages, do not have it",
            f"{REST}get-closed-orders", READ,
        ),
        DeclaredTrait(
            "fees", "in quote currency: every order says oflags=fciq", f"{REST}add-order", READ
        ),
        DeclaredTrait(
            "execution ids",
            "the same by stream and REST, where REST is asked with consolidate_taker=false",
            f"{REST}get-trade-history", READ,
        ),
        DeclaredTrait(
            "rate limits", "15 requests, one given back in 3 s; 60 orders of a pair, one a second",
            "docs.kraken.com/api/docs/guides/spot-rest-ratelimits", READ,
        ),
        DeclaredTrait(
            "dead man's switch", "CancelAllOrdersAfter, of the whole account",
            f"{REST}cancel-all-orders-after", READ,
        ),
    ),
    lacks=(
        "no sandbox: rehearse with `ares sim serve --protocol kraken`",
        "orders go by REST; those of WebSocket v2 are not used yet",
        "the dead man's switch is not armed: it would cancel stops too",
    ),
)  # fmt: skip
