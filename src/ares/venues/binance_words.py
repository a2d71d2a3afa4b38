"""What Binance's errors mean for a request that may move money.

Only an error that Binance raises before or instead of carrying a request out is a refusal. All
else, a rate limit of its gateway or a timeout behind it included, leaves the outcome open.
"""

from __future__ import annotations

from typing import Any

from ares.venues.requests import AnswerForm

REFUSALS = frozenset(
    (-1002, -1013, -1014, -1015, -1016, -1020, -1021, -1022, -1099, *range(-1199, -1099),
     -2008, -2010, -2011, -2013, -2014, -2015, -2021, -2022, -2026, -2035, -2036, -2038, -2039)
)  # fmt: skip
"""Codes after which nothing was done (developers.binance.com, "Error codes", read 2026-11-28)."""

OPEN_ALREADY = "duplicate"
"""Word of an error about our id: an order with it may be open, so this is no refusal."""

OF_THE_CLOCK, UNKNOWN_SYMBOL = "-1021", "-1121"
UNKNOWN_ORDER = ("-2011", "-2013")


def is_refusal(text: str) -> bool:
    """Return whether an error says that the request was not carried out.

    >>> is_refusal("-2010 Account has insufficient balance for requested action.")
    True
    >>> is_refusal("-1007 Timeout waiting for response"), is_refusal("-2010 Duplicate order sent.")
    (False, False)
    """
    code, _, words = text.partition(" ")
    if OPEN_ALREADY in words.lower():
        return False
    return code.lstrip("-").isdigit() and int(code) in REFUSALS


def is_unknown_order(text: str) -> bool:
    """Return whether an error says that no order has this id."""
    return text.startswith(UNKNOWN_ORDER)


def _errors(_status: int, answer: Any) -> list[str]:
    code = answer.get("code") if isinstance(answer, dict) else None
    if not isinstance(code, int) or code >= 0:
        return []
    return [f"{code} {answer.get('msg')}"]


def _result(answer: Any) -> dict[str, Any] | None:
    if isinstance(answer, list):
        return {"rows": answer}
    return answer if isinstance(answer, dict) else None


FORM = AnswerForm(_errors, _result)
"""Errors are ``{"code": -2010, "msg": ...}``; a list is returned as ``rows``."""
