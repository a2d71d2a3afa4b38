"""Private requests: once, in turn, within limits; what their answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ares.venues.answers import NoAnswer, NotSent, Refused
from ares.venues.kraken_words import is_refusal
from ares.venues.requests import (
    LOOK_UP,
    URGENT,
    PrivateRequests,
    RequestPolicy,
    count_up,
    limiters,
)

RATES = {"rest": (5.0, 1.0), "trade": (2.0, 1.0)}
QUICK = RequestPolicy(turn_s=0.05, answer_s=0.4, read_attempts=3, read_wait_s=0.0)


class FakeExchange:
    """ccxt's side of a request: a script of what each request brings."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.sent: list[dict[str, str]] = []
        self.handle_errors: Callable[..., Any] = lambda *_: None
        self.active = self.most = 0

    def milliseconds(self) -> int:
        return 1_000

    async def privatePostX(self, parameters: dict[str, str]) -> Any:
        self.sent.append(parameters)
        self.active += 1
        self.most = max(self.most, self.active)
        try:
            step = self.script.pop(0)
            if isinstance(step, float):
                await asyncio.sleep(step)
                step = {"result": {}}
            if isinstance(step, Exception):
                raise step
            status, body = step if isinstance(step, tuple) else (200, step)
            self.handle_errors(status, "", "", "", {}, "", body, {}, "")
            return body
        finally:
            self.active -= 1


def ask_once(exchange: FakeExchange, **how: Any) -> Coroutine[Any, Any, dict[str, Any]]:
    requests = PrivateRequests(exchange, is_refusal, limiters(RATES), QUICK)
    return requests.ask("privatePostX", {"a": "1"}, **how)


def test_a_result_is_returned_and_sent_once() -> None:
    exchange = FakeExchange({"error": [], "result": {"txid": ["O1"]}})
    assert asyncio.run(ask_once(exchange)) == {"txid": ["O1"]}
    assert exchange.sent == [{"a": "1"}]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": ["EOrder:Insufficient funds"]}, Refused),
        ({"error": ["EAPI:Rate limit exceeded"]}, NoAnswer),
        ({"error": ["EService:Timeout"]}, NoAnswer),
        ({"error": ["EOrder:Insufficient funds", "EService:Busy"]}, NoAnswer),
        ((503, {"error": ["EOrder:Insufficient funds"]}), NoAnswer),
        ({"error": []}, NoAnswer),
        ({"result": "text"}, NoAnswer),
        ([], NoAnswer),
        (None, NoAnswer),
        (ConnectionResetError("gone"), NoAnswer),
        (5.0, NoAnswer),
    ],
)
def test_only_the_venues_word_is_a_refusal(body: Any, kind: type[Exception]) -> None:
    exchange = FakeExchange(body)
    with pytest.raises(kind):
        asyncio.run(ask_once(exchange))
    assert len(exchange.sent) == 1  # a request that may have been carried out is not sent again


def test_what_has_become_late_does_not_leave() -> None:
    def parameters() -> dict[str, str]:
        raise NotSent("too late")

    exchange = FakeExchange({"result": {}})

    async def run() -> None:
        requests = PrivateRequests(exchange, is_refusal, limiters(RATES), QUICK)
        with pytest.raises(NotSent, match="too late"):
            await requests.ask("privatePostX", parameters)
        await asyncio.wait_for(requests.ask("privatePostX", {}), 5)  # the turn was given back
        exchange.sent.clear()

    asyncio.run(run())
    assert exchange.sent == []


def test_a_request_that_hangs_blocks_the_next_only_for_its_turn() -> None:
    async def run() -> tuple[Any, list[Any], int]:
        exchange = FakeExchange(0.3, {"result": {"second": 1}}, {"result": {"third": 1}})
        requests = PrivateRequests(exchange, is_refusal, limiters(RATES), QUICK)
        hanging = asyncio.create_task(requests.ask("privatePostX", {"n": "1"}))
        await asyncio.sleep(0)
        later = asyncio.create_task(requests.ask("privatePostX", {"n": "3"}, LOOK_UP))
        urgent = asyncio.create_task(requests.ask("privatePostX", {"n": "2"}, URGENT))
        assert await urgent == {"second": 1}
        assert not hanging.done()
        assert await later == {"third": 1}
        return await hanging, exchange.sent, exchange.most

    answer, sent, most = asyncio.run(run())
    assert answer == {}
    assert [parameters["n"] for parameters in sent] == ["1", "2", "3"]
    assert most == 2


def test_reads_are_tried_again_and_refusals_are_not() -> None:
    async def read(*script: Any) -> tuple[Any, int]:
        exchange = FakeExchange(*script)
        requests = PrivateRequests(exchange, is_refusal, limiters(RATES), QUICK)
        try:
            return await requests.read("privatePostX", {}), len(exchange.sent)
        except (Refused, NoAnswer) as error:
            return type(error), len(exchange.sent)

    busy = {"error": ["EService:Busy"]}
    assert asyncio.run(read(busy, busy, {"result": {"a": 1}})) == ({"a": 1}, 3)
    assert asyncio.run(read(busy, busy, busy)) == (NoAnswer, 3)
    assert asyncio.run(read({"error": ["EGeneral:Permission denied"]})) == (Refused, 1)


def test_the_rate_is_kept_for_each_name() -> None:
    async def run() -> tuple[float, float]:
        exchange = FakeExchange(*[{"result": {}}] * 7)
        requests = PrivateRequests(exchange, is_refusal, limiters(RATES), QUICK)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(3):
            await requests.ask("privatePostX", {}, limit="trade:A")
        waited = loop.time() - began
        began = loop.time()
        for _ in range(2):
            await requests.ask("privatePostX", {}, limit="trade:B")
        return waited, loop.time() - began

    limited, free = asyncio.run(run())
    assert limited >= 0.4
    assert free < limited


def test_nonces_only_go_up() -> None:
    exchange = FakeExchange()
    count_up(exchange)
    following = exchange.incrementing_nonce  # type: ignore[attr-defined]
    assert [following() for _ in range(3)] == [1_000, 1_001, 1_002]
