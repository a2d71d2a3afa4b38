"""What venues' requests share."""

from __future__ import annotations

import pytest

from ares.venues.known_signing import KNOWN
from ares.venues.signing import without


def test_parameters_are_left_out_by_name() -> None:
    assert without("nonce=1&pair=X", "nonce") == "pair=X"
    assert without("a=1&nonces=2&signature=3", "nonce", "signature") == "a=1&nonces=2"
    assert without("", "nonce") == ""


@pytest.mark.parametrize("signing", KNOWN.values(), ids=KNOWN)
def test_nothing_that_moves_money_out_is_sent(signing: object) -> None:
    right = signing.right  # type: ignore[attr-defined]
    paths = [
        *("/0/private/Withdraw", "/0/private/WithdrawInfo", "/0/private/WalletTransfer"),
        *("/0/private/Earn/Allocate", "/0/private/AddExport", "/0/private/DepositAddresses"),
        *("/0/private/AddOrder/../Withdraw", "/0/private/addorder", "//0/private/AddOrder"),
        *("/0/private/AddOrder?", "/0/private/AddOrder#", "/0/public/Time", "/", ""),
        *("/sapi/v1/capital/withdraw/apply", "/sapi/v1/asset/transfer", "/sapi/v1/asset/dust"),
        *("/sapi/v1/localentity/withdraw/apply", "/api/v3/order/../../sapi/v1/asset/transfer"),
        *("/v2/wallets/transfers", "/v2/wallets", "/v2/account/configurations/x", "/v2/watchlists"),
        *("/v1/transfers", "/v2/orders/../wallets/transfers", "/v2/orders/a/b", "/v2/orders/\n"),
        *("https://evil.example/0/private/AddOrder", "@evil.example/v2/orders"),
    ]
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "post"):
        for path in paths:
            assert right(method, path) == "", (method, path)
