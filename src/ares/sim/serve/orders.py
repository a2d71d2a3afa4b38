"""Orders of the simulated account, their executions, and why one is refused; of no protocol."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from ares.sim.serve.account import rounded
from ares.sim.serve.market import SymbolMarket

STOPS = ("stop-loss", "stop-loss-limit")
TRIGGERED = (*STOPS, "take-profit", "take-profit-limit")
ORDER_TYPES = ("market", "limit", *TRIGGERED)
OPEN = ("pending", "open")

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


class OrderRefusal(Enum):
    """Why a request about an order is refused."""

    NO_FUNDS = "insufficient funds"
    BELOW_MIN_QTY = "quantity below the minimum"
    BELOW_MIN_COST = "cost below the minimum"
    BAD_PRICE = "no valid price"
    BAD_QTY = "no valid quantity"
    WOULD_TAKE = "post-only order would take liquidity"
    DUPLICATE_CLIENT_ID = "client id of an open order"
    UNKNOWN_ORDER = "no such open order"
    CANCEL_ONLY = "orders can only be cancelled"
    POST_ONLY = "orders must be post-only"
    LIMIT_ONLY = "orders must have a limit"
    REDUCE_ONLY = "orders can only sell"
    MAINTENANCE = "market is closed"
    NOT_AMENDABLE = "order has no such price"


class OrderRefused(Exception):
    """A refusal, with what is wrong."""

    def __init__(self, refusal: OrderRefusal, detail: str = "") -> None:
        super().__init__(detail or refusal.value)
        self.refusal = refusal


class Execution(NamedTuple):
    """One fill: price in ticks, quantity in lots, cost and fee in units of 1e-8.

    number : counts all executions of the account, from 1.
    """

    exec_id: str
    number: int
    ts_ms: int
    ticks: int
    lots: int
    cost: int
    fee: int
    fee_asset: str
    is_maker: bool


@dataclass(frozen=True, slots=True)
class Close:
    """The order that follows each fill of another, on the other side."""

    order_type: str
    limit_ticks: int = 0
    stop_ticks: int = 0


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it is asked for.

    limit_ticks, stop_ticks : 0 where the type has none.
    tif                     : GTC, IOC, FOK or GTD (until ``expire_ms``).
    fee_in                  : ``base``, ``quote``, or empty: bought in quote, sold in base.
    """

    symbol: SymbolMarket
    is_buy: bool
    order_type: str
    lots: int
    limit_ticks: int = 0
    stop_ticks: int = 0
    tif: str = "GTC"
    expire_ms: int = 0
    post_only: bool = False
    client_id: str = ""
    userref: int = 0
    fee_in: str = ""
    flags: str = ""
    close: Close | None = None
    parent: str = ""


@dataclass(slots=True)
class SimOrder:
    """An order that was accepted, as it stands.

    status : pending, open, closed (filled), canceled, expired.
    held   : asset and units that the order holds of the account.
    amends : how often it was amended.
    """

    order_id: str
    requested: NewOrder
    opened_ms: int
    lots: int
    limit_ticks: int
    stop_ticks: int
    status: str = "pending"
    is_triggered: bool = False
    post_only: bool = False
    filled_lots: int = 0
    cost: int = 0
    fees: dict[str, int] = field(default_factory=dict)
    executions: list[Execution] = field(default_factory=list)
    closed_ms: int = 0
    changed_ms: int = 0
    triggered_ms: int = 0
    reason: str = ""
    held: tuple[str, int] = ("", 0)
    amends: int = 0

    @property
    def symbol(self) -> SymbolMarket:
        """The symbol's market."""
        return self.requested.symbol

    @property
    def is_buy(self) -> bool:
        """Whether it buys."""
        return self.requested.is_buy

    @property
    def is_open(self) -> bool:
        """Whether it can still be filled."""
        return self.status in OPEN

    @property
    def left_lots(self) -> int:
        """What is not filled."""
        return self.lots - self.filled_lots

    @property
    def awaits_trigger(self) -> bool:
        """Whether it is a stop or take-profit that has not been triggered."""
        return self.requested.order_type in TRIGGERED and not self.is_triggered

    @property
    def is_market(self) -> bool:
        """Whether it takes any price (once it is triggered)."""
        return not self.requested.order_type.endswith("limit")

    def average_units(self) -> int:
        """Return the average price in units of 1e-8; 0 before the first fill."""
        return rounded(self.cost * 10**8, self.filled_lots) if self.filled_lots else 0


class Ids(Protocol):
    """Gives ids that no other run of a server gives."""

    def next(self, letter: str) -> str:
        """Return the next id: O of an order, T of an execution."""


class NumberIds:
    """Whole numbers that grow, as Binance has them.

    first : of the run.
    """

    def __init__(self, first: int) -> None:
        self._n = first

    def next(self, _letter: str) -> str:
        """Return the next number."""
        self._n += 1
        return str(self._n)


class LetterIds:
    """Ids as Kraken has them: OABCDE-FGHIJ-KLMNOP.

    salt : of the run.
    """

    def __init__(self, salt: str) -> None:
        self._salt = salt
        self._n = 0

    def next(self, letter: str) -> str:
        """Return the next id that begins with ``letter``."""
        self._n += 1
        digest = hashlib.blake2b(f"{self._salt}:{letter}:{self._n}".encode(), digest_size=16)
        drawn = "".join(_LETTERS[byte % 32] for byte in digest.digest())
        return f"{letter}{drawn[:5]}-{drawn[5:10]}-{drawn[10:16]}"


class UuidIds:
    """Ids as Alpaca has them.

    first : a number of the run.
    """

    def __init__(self, first: int) -> None:
        self._first = first
        self._n = 0

    def next(self, letter: str) -> str:
        """Return the next id."""
        self._n += 1
        return uuid_of(f"{self._first}:{letter}:{self._n}")


def uuid_of(text: str) -> str:
    """Return the id that belongs to a text, always the same.

    >>> uuid_of("BTC/USD") == uuid_of("BTC/USD"), len(uuid_of("BTC/USD"))
    (True, 36)
    """
    drawn = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-a{drawn[17:20]}-{drawn[20:]}"


def cost_of(symbol: SymbolMarket, ticks: int, lots: int) -> int:
    """Return what ``lots`` cost at a price, in units of 1e-8 of the quote currency."""
    return rounded(ticks * lots, 10**symbol.price_decimals)
