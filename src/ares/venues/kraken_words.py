"""What Kraken's errors mean for a request that may move money.

Only an error that Kraken raises before or instead of carrying a request out is a refusal. All else,
a rate limit of its gateway, a timeout or a fault inside it included, leaves the outcome open.
"""

from __future__ import annotations

REFUSALS = (
    "EOrder:",
    "EQuery:",
    "ETrade:",
    "EGeneral:Invalid arguments",
    "EGeneral:Permission denied",
    "EGeneral:Unknown method",
    "EGeneral:Unknown Method",
    "EAPI:Invalid key",
    "EAPI:Invalid signature",
    "EAPI:Invalid nonce",
    "EAPI:Bad request",
    "ESession:Invalid session",
    "EAccount:Invalid permissions",
    "EService:Market in",
    "EService:Deadline elapsed",
)
"""Beginnings of errors after which nothing was done."""

OPEN_ALREADY = ("cl_ord_id", "client order id")
"""Words of an error about our id: an order with it may be open, so this is no refusal."""


def is_refusal(text: str) -> bool:
    """Return whether an error says that the request was not carried out.

    >>> is_refusal("EOrder:Insufficient funds"), is_refusal("EAPI:Rate limit exceeded")
    (True, False)
    >>> is_refusal("EService:Timeout"), is_refusal("EGeneral:Invalid arguments:cl_ord_id")
    (False, False)
    """
    if any(word in text.lower() for word in OPEN_ALREADY):
        return False
    return text.startswith(REFUSALS)


def is_unknown_order(text: str) -> bool:
    """Return whether an error says that no open order has this id."""
    return "Unknown order" in text


def would_take(text: str) -> bool:
    """Return whether an error, or the reason of an end, is that a post-only order would take.

    >>> would_take("EOrder:Post only order"), would_take("EOrder:Insufficient funds")
    (True, False)
    """
    return "post only order" in text.lower()
