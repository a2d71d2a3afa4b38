"""Binance's signed requests: HMAC-SHA256, the time they were made, the rights of the key."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, quote

from ares.sim.serve.binance_rest import BinanceError
from ares.sim.serve.keys import SimKey
from ares.sim.serve.venue import SignedRequest

RESTRICTIONS = "/sapi/v1/account/apiRestrictions"
RECV_WINDOW_MS = 5_000
RECV_WINDOW_MS_MAX = 60_000
AHEAD_MS = 1_000


class BinanceKeys:
    """The keys of the account.

    clock_of : the venue's time, see ``SimVenue.clock_of``.
    revoked  : whether the name or text of a key is refused now (a fault).
    """

    def __init__(
        self,
        keys: Iterable[SimKey],
        clock_of: Callable[[int], int],
        revoked: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._keys = {key.key: key for key in keys}
        self._clock_of = clock_of
        self._revoked = revoked

    def admit(self, request: SignedRequest) -> tuple[SimKey, dict[str, Any]]:
        """Return the key and the parameters of a signed request of REST; raise BinanceError.

        The signature is of the query and the body, one after the other.
        """
        headers = {name.lower(): value for name, value in request.headers.items()}
        text = _unsigned(request.raw_query) + _unsigned(request.body.decode(errors="replace"))
        body = request.body.decode(errors="replace")
        params: dict[str, Any] = {
            **dict(parse_qsl(request.raw_query, keep_blank_values=True)),
            **dict(parse_qsl(body, keep_blank_values=True)),
        }
        return self._admit(headers.get("x-mbx-apikey", ""), params, [text]), params

    def admit_params(self, params: Mapping[str, Any]) -> tuple[SimKey, dict[str, Any]]:
        """Return the same for the parameters of the WebSocket API: signed in order of name."""
        given = {name: value for name, value in params.items() if name != "signature"}
        texts = [
            "&".join(f"{name}={write(given[name])}" for name in sorted(given))
            for write in (_plain, lambda value: quote(_plain(value), safe="~()*!'"))
        ]
        return self._admit(str(params.get("apiKey", "")), dict(params), texts), dict(params)

    def is_revoked(self, api_key: SimKey) -> bool:
        """Return whether a key is refused now."""
        return self._revoked(f"{api_key.name} {api_key.key}")

    def require_recent(self, params: Mapping[str, Any]) -> None:
        """Raise BinanceError where a request is too old, or of the future."""
        made_ms, window_ms = _whole(params, "timestamp"), RECV_WINDOW_MS
        if params.get("recvWindow") not in (None, ""):
            window_ms = _whole(params, "recvWindow")
        if not 0 < window_ms <= RECV_WINDOW_MS_MAX:
            raise BinanceError(-1131, "recvWindow must be less than 60000.")
        made_ms = made_ms // 1000 if made_ms > 10**14 else made_ms
        now_ms = self._clock_of(made_ms)
        if made_ms >= now_ms + AHEAD_MS:
            raise BinanceError(
                -1021, "Timestamp for this request was 1000ms ahead of the server's time."
            )
        if now_ms - made_ms > window_ms:
            raise BinanceError(-1021, "Timestamp for this request is outside of the recvWindow.")

    def _admit(self, key: str, params: dict[str, Any], texts: list[str]) -> SimKey:
        if not re.fullmatch(r"[A-Za-z0-9]{1,64}", key):
            raise BinanceError(-2014, "API-key format invalid.", 401)
        api_key = self._keys.get(key)
        if api_key is None or self.is_revoked(api_key):
            raise refused_key()
        if "timestamp" not in params:
            raise missing("timestamp")
        signed = str(params.pop("signature", ""))
        if not signed:
            raise missing("signature")
        wanted = [
            hmac.new(api_key.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
            for text in texts
        ]
        if not any(hmac.compare_digest(signed, each) for each in wanted):
            raise BinanceError(-1022, "Signature for this request is not valid.")
        self.require_recent(params)
        return api_key


def restrictions(api_key: SimKey) -> dict[str, Any]:
    """Return what a key may do, as ``apiRestrictions`` tells it."""
    rights = api_key.rights
    return {
        "ipRestrict": bool(api_key.addresses),
        "createTime": 0,
        "enableReading": "query" in rights,
        "enableWithdrawals": "withdraw" in rights,
        "enableInternalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "permitsUniversalTransfer": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
        "enableSpotAndMarginTrading": "trade" in rights,
    }


def refused_key() -> BinanceError:
    """Return the error of a key that is unknown, or lacks a right."""
    return BinanceError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def missing(name: str) -> BinanceError:
    """Return the error of a parameter that was not sent."""
    return BinanceError(
        -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."
    )


def _unsigned(text: str) -> str:
    """Return parameters without their signature."""
    return "&".join(part for part in text.split("&") if not part.startswith("signature="))


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _whole(params: Mapping[str, Any], name: str) -> int:
    try:
        return int(str(params.get(name)))
    except ValueError:
        raise BinanceError(-1100, f"Illegal characters found in parameter '{name}'.") from None
