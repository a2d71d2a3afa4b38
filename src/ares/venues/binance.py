"""Binance, spot: declared; Ares sends no orders there yet."""

from __future__ import annotations

from ares.domain.venue import VenueTraits
from ares.venues.declared import DeclaredTrait, DeclaredVenue

READ = "2026-11-28"
DOCS = "developers.binance.com/docs/binance-spot-api-docs/"

BINANCE = DeclaredVenue(
    name="binance",
    title="Binance spot",
    takes_orders=False,
    traits=VenueTraits(
        amends_stops=False,
        proves_absence=True,
        deadline_ms=10_000,
        absence_margin_ms=10_000,
        answer_ms=12_000,
        fill_ms=5_000,
        account_ms=180_000,
    ),
    has_sandbox=True,
    orders={
        "entry": "LIMIT at the collar, IOC; MARKET where there is no collar",
        "exit": "MARKET",
        "stop": "STOP_LOSS",
    },
    declared=(
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
    lacks=("orders: not built yet",),
)  # fmt: skip
