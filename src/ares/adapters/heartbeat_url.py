"""Requests a URL at a service that raises an alarm when the requests end."""

from __future__ import annotations

from http.client import HTTPException
from urllib.error import URLError
from urllib.request import Request, urlopen

TIMEOUT_S = 10.0


def request_heartbeat(url: str, timeout_s: float = TIMEOUT_S) -> str:
    """Request the URL once; return what failed, without the URL; empty: nothing did."""
    request = Request(url, headers={"User-Agent": "ares"})
    try:
        with urlopen(request, timeout=timeout_s) as answer:
            answer.read(1_000)
    except URLError as error:  # an HTTP error too
        code = getattr(error, "code", None)
        return f"HTTP status {code}" if code is not None else str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""
