"""An Alpaca account as the engine's venue, composed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError
from ares.domain.events import Event
from ares.domain.feed_events import InstrumentState
from ares.domain.venue import VenueTraits
from ares.venues.alpaca_fees import CryptoFees, fees_of
from ares.venues.alpaca_orders import ACCOUNT, BY_CLIENT_ID, RATES, REST, STATES, AlpacaOrders
from ares.venues.alpaca_reports import STREAM, AlpacaReports
from ares.venues.alpaca_statement import alpaca_statement
from ares.venues.alpaca_words import FORM, is_refusal
from ares.venues.answers import NoAnswer, Refused
from ares.venues.ccxt_account import AccountPolicy, CcxtAccount
from ares.venues.ccxt_setup import prepare
from ares.venues.markets import VenueMarket
from ares.venues.requests import PrivateRequests, RequestPolicy, limiters
from ares.venues.statement import Statement

LOOK_UP_PATH = "v2/orders:by_client_order_id"


class AlpacaAccount(CcxtAccount):
    """The connections of one account.

    ping : the stream is quiet while nothing happens. Asked what it listens to, one that works
           answers.
    """

    name = "alpaca"
    ping: ClassVar[Mapping[str, Any] | None] = {"action": "listen", "data": {"streams": [STREAM]}}
    policy: ClassVar[AccountPolicy] = AccountPolicy(RequestPolicy(turn_s=0.1))
    """Without nonces a request need not wait for the one before."""
    states: ClassVar[Mapping[str, InstrumentState]] = STATES

    def __init__(
        self,
        keys: ApiKey,
        now_ms: Callable[[], int],
        say: Callable[[str], None] = lambda _: None,
        address: str | None = None,
        policy: AccountPolicy | None = None,
    ) -> None:
        self._fees: CryptoFees = fees_of({})
        super().__init__(keys, now_ms, say, address, policy)

    @property
    def orders(self) -> AlpacaOrders:
        """Return the account's orders, once there is a venue."""
        return self._orders

    async def markets(self, symbols: Sequence[str]) -> list[VenueMarket]:
        """Return the venue's markets of some symbols, and learn the account's fees.

        Raises ExternalError where the venue does not answer, UserError for a symbol that it lacks.
        """
        found = await super().markets(symbols)
        try:
            self._fees = fees_of(await self._requests.read(ACCOUNT, {}, limit=REST))
        except (Refused, NoAnswer) as error:
            raise ExternalError(f"alpaca: the account was not read: {error}") from error
        return found

    def _open(self) -> Any:
        import ccxt.pro

        exchange = ccxt.pro.alpaca({"apiKey": self._keys.key, "secret": self._keys.secret})
        prepare(exchange, self._address)
        exchange.headers = {}  # ccxt's name as a partner

        async def by_client_id(parameters: Mapping[str, str]) -> Any:
            return await exchange.request(
                LOOK_UP_PATH, ["trader", "private"], "GET", dict(parameters)
            )

        setattr(exchange, BY_CLIENT_ID, by_client_id)  # ccxt has no name for it
        return exchange

    def _new_requests(self) -> PrivateRequests:
        limit_of = limiters(self._policy.rates or RATES)
        return PrivateRequests(self._exchange, is_refusal, limit_of, self._policy.requests, FORM)

    def _new_orders(
        self, markets: Sequence[VenueMarket], traits: VenueTraits
    ) -> tuple[AlpacaOrders, AlpacaReports]:
        reports = AlpacaReports(markets, self._fees, self._now_ms)
        self._orders = AlpacaOrders(self._requests, markets, reports, traits, self._now_ms)
        return self._orders, reports

    async def _read_statement(self, markets: Sequence[VenueMarket], from_ms: int) -> Statement:
        reports = AlpacaReports(markets, self._fees, self._now_ms)
        return await alpaca_statement(self._requests, markets, reports, from_ms)

    def _prepare_session(self, exchange: Any) -> None:
        """Its keys are all that a session needs."""

    async def _state_words(self) -> Sequence[str]:
        return await self._orders.states()

    async def _next_message(self, exchange: Any) -> None:
        await exchange.watch_orders()

    async def _explained(self, _entry: Mapping[str, Any]) -> list[Event]:
        return []  # every message names its order
