"""How Alpaca writes its answers, and what its errors mean for a request that may move money."""

from __future__ import annotations

from typing import Any

from ares.venues.requests import AnswerForm

NOT_FOUND = "40410000"
REFUSED_STATUSES = ("400", "401", "403", "404", "422")
"""First digits of codes after which nothing was done. 429 comes of a gateway, 5xx of a fault
inside: both leave the outcome open."""

ID_TAKEN = "client_order_id must be unique"
"""An order with this id exists: that is no refusal of it, it may be the same order."""

FORBIDDEN = "forbidden"
ROWS = "rows"


def _errors(_status: int, answer: Any) -> list[str]:
    """Return the error of an answer, with its code; some have a message alone."""
    if not isinstance(answer, dict) or "message" not in answer:
        return []
    code, message = answer.get("code"), answer["message"]
    return [f"{message}" if code is None else f"{code}: {message}"]


def _result(answer: Any) -> dict[str, Any] | None:
    """Return an answer; a list under the name ``rows``."""
    if isinstance(answer, list):
        return {ROWS: answer}
    return answer if isinstance(answer, dict) else None


FORM = AnswerForm(_errors, _result)


def is_refusal(text: str) -> bool:
    """Return whether an error says that the request was not carried out.

    >>> is_refusal("40310000: insufficient balance for BTC"), is_refusal("42910000: rate limit")
    (True, False)
    >>> is_refusal("40010001: client_order_id must be unique"), is_refusal("forbidden.")
    (False, True)
    """
    if ID_TAKEN in text:
        return False
    return text.startswith((*REFUSED_STATUSES, FORBIDDEN))


def is_not_found(text: str) -> bool:
    """Return whether an error says that there is no such order: the venue's word, not a proxy's.

    >>> is_not_found("40410000: order not found for x"), is_not_found("404 page not found")
    (True, False)
    """
    return text.startswith(f"{NOT_FOUND}:") and "order" in text
