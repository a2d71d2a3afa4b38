"""Alpaca, crypto: what it promises, where that is written, and when that was read."""

from __future__ import annotations

from ares.domain.venue import VenueTraits
from ares.venues.declared import DeclaredTrait, DeclaredVenue

READ = "2026-11-28"
DOCS = "docs.alpaca.markets/"

ALPACA = DeclaredVenue(
    name="alpaca",
    title="Alpaca crypto, REST and trade updates",
    takes_orders=True,
    traits=VenueTraits(
        amends_stops=False,
        proves_absence=True,
        refuses_small=True,
        deadline_ms=0,
        answer_ms=6_000,
        fill_ms=5_000,
        account_ms=180_000,
        stop_limit_bps=200,
        claims_ids=True,
    ),
    has_sandbox=True,
    orders={
        "entry": "limit at the collar, ioc; market where there is no collar",
        "exit": "market",
        "stop": "stop_limit, its limit 2 % below the trigger",
    },
    declared=(
        DeclaredTrait(
            "orders of crypto", "market, limit and stop_limit; gtc and ioc",
            f"{DOCS}docs/crypto-orders", READ,
        ),
        DeclaredTrait(
            "stops rest at the venue", "yes, as stop_limit: the market can jump over one",
            f"{DOCS}docs/crypto-orders", READ,
        ),
        DeclaredTrait(
            "a stop is amended in place", "no: it is replaced, under a new id and a new client id",
            f"{DOCS}reference/patchorderbyorderid-1", READ,
        ),
        DeclaredTrait(
            "client ids", "unique for ever: that of a cancelled order is refused again",
            "github.com/alpacahq/alpaca-py/issues/260", READ,
        ),
        DeclaredTrait("deadline", "none", f"{DOCS}reference/postorder", READ),
        DeclaredTrait(
            "proof of absence",
            "an order at the lowest price takes the id: accepted, the one that is looked for will "
            "never arrive; refused as a duplicate, it exists",
            "github.com/alpacahq/alpaca-py/issues/260", READ,
        ),
        DeclaredTrait(
            "fees", "taken from what is received, at once; reported at the end of the day (CFEE)",
            "github.com/Petersoj/alpaca-java/issues/148", READ,
        ),
        DeclaredTrait(
            "execution ids",
            "of two kinds by stream and REST: an execution is named by what its order has filled",
            f"{DOCS}docs/websocket-streaming", READ,
        ),
        DeclaredTrait(
            "signatures", "none: the secret travels in the headers", f"{DOCS}docs/authentication",
            READ,
        ),
        DeclaredTrait("rate limits", "200 requests a minute", f"{DOCS}docs/usage-limit", READ),
        DeclaredTrait("dead man's switch", "none", f"{DOCS}reference/postorder", READ),
        DeclaredTrait("sandbox", "paper-api.alpaca.markets", f"{DOCS}docs/paper-trading", READ),
    ),
    lacks=(
        "messages of the private stream have no numbers: a lost one shows in a look-up",
        "fees follow from the account's tier, maker's for what fills at its own limit: the venue's "
        "own come at the end of the day",
        "no post-only orders",
    ),
)  # fmt: skip
