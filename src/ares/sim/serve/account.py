"""Balances of one account, in units of 1e-8 of each asset: what it has, and what orders hold."""

from __future__ import annotations

from collections.abc import Mapping

from ares.domain.errors import UserError
from ares.sim.serve.trades import LOT_DECIMALS
from ares.sim.serve.wire import text

UNIT = 10**LOT_DECIMALS


class Account:
    """Balances by asset (BTC, USDT), and the part of them that open orders hold.

    balances : units of 1e-8; an asset that is absent has none.
    """

    def __init__(self, balances: Mapping[str, int]) -> None:
        self.balances = dict(balances)
        self.held: dict[str, int] = {}

    def balance(self, asset: str) -> int:
        """Return what the account has of an asset."""
        return self.balances.get(asset, 0)

    def free(self, asset: str) -> int:
        """Return what no order holds."""
        return self.balance(asset) - self.held.get(asset, 0)

    def texts(self) -> dict[str, str]:
        """Return the balances as decimal numbers, those that are not 0."""
        return {asset: text(units, LOT_DECIMALS) for asset, units in self.balances.items() if units}

    def add(self, asset: str, units: int) -> None:
        """Add ``units``, negative ones too."""
        self.balances[asset] = self.balance(asset) + units

    def hold(self, asset: str, units: int) -> None:
        """Hold ``units`` more; negative: release them."""
        self.held[asset] = self.held.get(asset, 0) + units


def rounded(amount: int, divisor: int) -> int:
    """Return ``amount / divisor``, rounded half to even.

    >>> rounded(5, 2), rounded(7, 2), rounded(-5, 2)
    (2, 4, -2)
    """
    whole, rest = divmod(amount, divisor)
    return whole + (2 * rest > divisor or (2 * rest == divisor and whole % 2 == 1))


def units_of(number: str, decimals: int = LOT_DECIMALS) -> int:
    """Return a decimal number as whole units of ``10**-decimals``; raise ValueError.

    >>> units_of("0.00012"), units_of("1e3", 2)
    (12000, 100000)
    """
    from decimal import Decimal, InvalidOperation

    try:
        scaled = Decimal(str(number)).scaleb(decimals)
        units = int(scaled)
    except (InvalidOperation, OverflowError, ValueError):
        raise ValueError(f"'{number}' is not a number") from None
    if units != scaled:
        raise ValueError(f"'{number}' has more than {decimals} decimals")
    return units


def parse_balances(texts: list[str] | tuple[str, ...]) -> dict[str, int]:
    """Return the balances written as ``ASSET=AMOUNT``; raise UserError.

    >>> parse_balances(["USDT=10000", "BTC=0.5"])
    {'USDT': 1000000000000, 'BTC': 50000000}
    """
    balances: dict[str, int] = {}
    for given in texts:
        asset, equals, amount = given.partition("=")
        try:
            units = units_of(amount.replace("_", ""))
        except ValueError as error:
            raise UserError(f"--balance {given}: {error}") from None
        if not equals or not asset or units < 0:
            raise UserError(f"--balance {given}: write ASSET=AMOUNT, such as USDT=10000")
        balances[asset.upper()] = balances.get(asset.upper(), 0) + units
    return balances
