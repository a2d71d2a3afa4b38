"""Private requests, signed by hand: what each venue's may be, and where they are sent.

No library stands between a key and its venue: a request is checked against the list of what trades,
queries or cancels, signed with the standard library, and sent to a fixed host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from ares.domain.api_key import ApiKey

QUERY, TRADE, CANCEL = "query", "trade", "cancel"
FORM = "application/x-www-form-urlencoded"


class PrivateCall(msgspec.Struct, frozen=True):
    """A request that is not signed yet: query and body as they are to be sent."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    content_type: str = ""


class SignedCall(NamedTuple):
    """A request as it is sent."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class VenueSigning(NamedTuple):
    """How a venue's private requests are made.

    host  : scheme and host, the only one that a key's requests are sent to.
    sandbox : the same of the venue's sandbox; empty: it has none.
    right : returns query, trade or cancel for a method and path; empty: not to be sent.
    sign  : returns a request as it is sent, with the key's next nonce (a time in ms).
    counts_nonces : a request with a smaller nonce than the last is refused, so that those of a key
                    leave one after the other.
    streams_by_token : the private stream takes a token that a request gives; otherwise it takes the
                    secret, or its signature, and needs the key where the stream is.
    """

    venue: str
    host: str
    right: Callable[[str, str], str]
    sign: Callable[[ApiKey, PrivateCall, int], SignedCall]
    counts_nonces: bool = False
    sandbox: str = ""
    streams_by_token: bool = False


def without(text: str, *names: str) -> str:
    """Return urlencoded parameters without some names.

    >>> without("nonce=1&pair=XBTUSD&signature=a", "nonce", "signature")
    'pair=XBTUSD'
    """
    return "&".join(part for part in text.split("&") if part.partition("=")[0] not in names)
