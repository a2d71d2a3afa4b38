"""A client of the server's own door: its clock, its account and its faults."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import msgspec

from ares.domain.errors import ExternalError, UserError
from ares.sim.serve.faults import Fault

TIMEOUT_S = 5.0


class SimAdmin:
    """Talks to a server of `ares sim serve`.

    address : http://HOST:PORT.

    Every method raises ExternalError where no such server answers.
    """

    def __init__(self, address: str) -> None:
        if not address.startswith(("http://", "https://")):
            raise UserError(f"'{address}' is not an address: write http://HOST:PORT")
        self._address = address.rstrip("/")

    def clock(self) -> dict[str, Any]:
        """Return wall_ms, market_ms, speed and what is played."""
        return self._ask("GET", "/sim/clock")

    def account(self) -> dict[str, Any]:
        """Return the account's balances, what orders hold of them, and how many orders it has."""
        return self._ask("GET", "/sim/account")

    def transfer(self, asset: str, amount: str) -> dict[str, Any]:
        """Deposit an amount, or withdraw it where it is negative; return the balances."""
        return self._ask("POST", "/sim/account", {"asset": asset, "amount": amount})

    def faults(self) -> list[dict[str, Any]]:
        """Return the faults that are active or still to come."""
        faults: list[dict[str, Any]] = self._ask("GET", "/sim/faults")["faults"]
        return faults

    def add(self, fault: Fault) -> int:
        """Start a fault and return its number."""
        return int(self._ask("POST", "/sim/faults", msgspec.to_builtins(fault))["id"])

    def clear(self, number: int | None = None) -> int:
        """End one fault, or all; return how many."""
        path = "/sim/faults" if number is None else f"/sim/faults/{number}"
        return int(self._ask("DELETE", path)["cleared"])

    def _ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._address + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                found: dict[str, Any] = json.loads(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise UserError(f"{self._address} refused the request: {text[:200]}") from error
        except (OSError, ValueError) as error:
            raise ExternalError(
                f"{self._address}: no answer of `ares sim serve` ({error}): start it, or give its "
                "--address"
            ) from error
        return found
