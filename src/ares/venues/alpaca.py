"""Alpaca, crypto: declared; Ares sends no orders there yet."""

from __future__ import annotations

from ares.domain.venue import VenueTraits
from ares.venues.declared import DeclaredTrait, DeclaredVenue

READ = "2026-11-28"
DOCS = "docs.alpaca.markets/"

ALPACA = DeclaredVenue(
    name="alpaca",
    title="Alpaca crypto",
    takes_orders=False,
    traits=VenueTraits(
        amends_stops=False,
        proves_absence=False,
        deadline_ms=0,
        answer_ms=6_000,
        fill_ms=5_000,
        account_ms=180_000,
    ),
    has_sandbox=True,
    orders={"entry": "limit at the collar, ioc", "exit": "market", "stop": "stop_limit"},
    declared=(
        DeclaredTrait(
            "orders of crypto", "market, limit and stop_limit only",
            f"{DOCS}docs/crypto-orders", READ,
        ),
        DeclaredTrait(
            "a stop can be jumped", "yes, a stop_limit: the engine has to watch it",
            f"{DOCS}docs/crypto-orders", READ,
        ),
        DeclaredTrait("deadline", "none", f"{DOCS}reference/postorder", READ),
        DeclaredTrait(
            "proof of absence", "none: an unknown order stays unknown and halts its instrument",
            f"{DOCS}reference/postorder", READ,
        ),
        DeclaredTrait(
            "signatures", "none: the secret travels in the headers", f"{DOCS}docs/authentication",
            READ,
        ),
        DeclaredTrait("sandbox", "paper-api.alpaca.markets", f"{DOCS}docs/paper-trading", READ),
    ),
    lacks=("orders: not built yet",),
)  # fmt: skip
