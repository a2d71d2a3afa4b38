"""Private requests of one account over ccxt: signed, one after the other, within the rate limits.

A request is sent once. Only what reads may be tried again, and only by ``read``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import stamina
from aiolimiter import AsyncLimiter

from ares.venues.answers import NoAnswer, NotSent, Refused, VenueErrors
from ares.venues.ccxt_setup import line_of
from ares.venues.priority import Turns

stamina.instrumentation.set_on_retry_hooks(())  # its own lines say nothing to a person

ERRORS_MAX = 5
"""Of an answer; more say nothing more."""

URGENT, NORMAL, LOOK_UP, REPORT = range(4)
"""Ranks: what protects a position, an entry, a look-up, balances."""


class RequestPolicy(NamedTuple):
    """Waits in seconds of wall time.

    turn_s   : the next request leaves after so long even where this one has no answer yet. A nonce
               that is overtaken is refused by the venue, so nothing is carried out late.
    answer_s : a request without an answer for so long has none.
    """

    turn_s: float = 1.0
    answer_s: float = 5.0
    read_attempts: int = 3
    read_wait_s: float = 0.2


class AnswerForm(NamedTuple):
    """How a venue writes its answers.

    errors    : returns the error texts of a status and an answer; empty: it is none.
    result    : returns what is asked for; None: the answer lacks it.
    """

    errors: Callable[[int, Any], list[str]]
    result: Callable[[Any], dict[str, Any] | None]


def _listed_errors(_status: int, answer: Any) -> list[str]:
    errors = answer.get("error") if isinstance(answer, dict) else None
    return [str(text) for text in errors[:ERRORS_MAX]] if isinstance(errors, list) else []


def _named_result(answer: Any) -> dict[str, Any] | None:
    result = answer.get("result") if isinstance(answer, dict) else None
    return result if isinstance(result, dict) else None


ENVELOPE = AnswerForm(_listed_errors, _named_result)
"""``{"error": [...], "result": {...}}``, as Kraken has it."""


class PrivateRequests:
    """The private REST of one account.

    exchange   : of ccxt's async side, set up with the account's keys.
    is_refusal : whether an error text is the venue's word that the request was not carried out.
    limit_of   : returns the limiter of a name, from which the cost of a request is taken.
    form       : of the venue's answers.
    """

    def __init__(
        self,
        exchange: Any,
        is_refusal: Callable[[str], bool],
        limit_of: Callable[[str], AsyncLimiter],
        policy: RequestPolicy = RequestPolicy(),
        form: AnswerForm = ENVELOPE,
    ) -> None:
        self._exchange, self._is_refusal, self._form = exchange, is_refusal, form
        self._limit_of, self._policy = limit_of, policy
        self._turns = Turns()
        self._pending: set[asyncio.Task[Any]] = set()
        exchange.enableRateLimit = False  # ccxt's own would send one request a second
        exchange.timeout = int(policy.answer_s * 1000)
        _raise_errors(exchange, form)

    async def ask(
        self,
        name: str,
        parameters: Mapping[str, str] | Callable[[], Mapping[str, str]],
        rank: int = NORMAL,
        limit: str = "",
        cost: float = 1.0,
    ) -> dict[str, Any]:
        """Send one request, once, and return its ``result``.

        name       : of ccxt's method. limit, cost : see ``limit_of``; empty: none.
        parameters : or what makes them when it leaves, and raises NotSent where it must not.

        Raises Refused, NotSent or NoAnswer, and nothing else.
        """
        if limit and cost:
            await self._limit_of(limit).acquire(cost)
        await self._turns.take(rank)
        try:
            made = parameters() if callable(parameters) else parameters
            call = asyncio.ensure_future(self._call(name, dict(made)))
            self._pending.add(call)
            call.add_done_callback(self._pending.discard)
            await asyncio.wait([call], timeout=self._policy.turn_s)
        finally:
            self._turns.give_back()
        return await call

    async def read(
        self,
        name: str,
        parameters: Mapping[str, str] | Callable[[], Mapping[str, str]],
        rank: int = LOOK_UP,
        limit: str = "",
        cost: float = 1.0,
    ) -> dict[str, Any]:
        """Return the ``result`` of a request that changes nothing; it is tried again."""
        policy = self._policy
        async for attempt in stamina.retry_context(
            on=NoAnswer,
            attempts=policy.read_attempts,
            timeout=None,
            wait_initial=policy.read_wait_s,
            wait_max=10 * policy.read_wait_s,
            wait_jitter=policy.read_wait_s,
        ):
            with attempt:
                try:
                    return await self.ask(name, parameters, rank, limit, cost)
                except NotSent as error:  # the signer is away: what only reads is tried again
                    raise NoAnswer(str(error)) from None
        raise NoAnswer(name)  # never reached: the last attempt raises

    async def close(self) -> None:
        """End what still waits for an answer."""
        for call in list(self._pending):
            call.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)

    async def _call(self, name: str, parameters: dict[str, str]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._policy.answer_s):
                answer = await getattr(self._exchange, name)(parameters)
        except VenueErrors as error:
            if error.status < 500 and all(self._is_refusal(text) for text in error.texts):
                raise Refused(str(error)) from None
            raise NoAnswer(str(error)) from None
        except NotSent:
            raise
        except Exception as error:  # whatever ccxt, the network or a proxy does
            raise NoAnswer(line_of(error)) from error
        result = self._form.result(answer)
        if result is None:
            raise NoAnswer(f"the answer has no result: {str(answer)[:60]}")
        return result


def limiters(rates: Mapping[str, tuple[float, float]]) -> Callable[[str], AsyncLimiter]:
    """Return the limiter of a name; ``trade:BTC/USDT`` has the rate of ``trade``.

    rates : name -> (most at once, seconds in which so many are given back).
    """
    found: dict[str, AsyncLimiter] = {}

    def limit_of(name: str) -> AsyncLimiter:
        if name not in found:
            most, seconds = rates[name.partition(":")[0]]
            found[name] = AsyncLimiter(most, seconds)
        return found[name]

    return limit_of


def count_up(exchange: Any) -> None:
    """Give each request a larger nonce than the last, also where the clock was set back."""
    numbers: list[int] = [0]

    def following() -> int:
        numbers[0] = max(numbers[0] + 1, int(exchange.milliseconds()))
        return numbers[0]

    exchange.incrementing_nonce = following


def _raise_errors(exchange: Any, form: AnswerForm) -> None:
    """Raise the venue's own error texts: ccxt's classes do not tell refused from unknown."""
    read = exchange.handle_errors

    def raise_errors(status: int, *rest: Any) -> Any:
        errors = form.errors(status, rest[5] if len(rest) > 5 else None)
        if errors:
            raise VenueErrors(status, errors)
        return read(status, *rest)

    exchange.handle_errors = raise_errors
