"""A package's identity is the SHA-256 of its card, which lists every other file."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.model import Validation
from ares.domain.package import PackageCard, card_bytes, card_of, sealed, sha256
from ares.domain.timeframe import Timeframe

CARD = PackageCard(
    name="binance_BTC-USDT_1h", version="20230420_000000", scope="instrument",
    instruments=("binance:BTC/USDT",), timeframe=Timeframe.H1, origin="trained",
    features=("return_1",), features_hash="f", recipe={"algorithm": "lightgbm"}, recipe_hash="r",
    horizon_bars=12, width_sigmas=1.0, width_min_bps=30.0, cost_bps=22.0, gain=1.0, loss=0.9,
    data_from_ms=0, data_to_ms=1, data_rows=100, data_hash="d",
    validation=Validation(10, 1.5, 20.0), metrics={}, parity={}, libraries={}, git_commit="c",
    created_at="2023-04-20T00:00:00Z",
)  # fmt: skip
FILES = {"model.onnx": b"graph", "training.png": b"picture"}


def test_a_card_survives_its_bytes() -> None:
    assert card_of(card_bytes(CARD)) == CARD
    assert card_bytes(card_of(card_bytes(CARD))) == card_bytes(CARD)


def test_the_card_lists_each_file_and_a_changed_byte_is_another_package() -> None:
    package = sealed(CARD, FILES)
    assert package.card.files == {name: sha256(content) for name, content in FILES.items()}
    assert package.hash == sha256(package.content)
    changed = sealed(CARD, {**FILES, "model.onnx": b"graph!"})
    assert changed.hash != package.hash


def test_equal_files_in_another_order_are_the_same_package() -> None:
    assert sealed(CARD, dict(reversed(FILES.items()))).hash == sealed(CARD, FILES).hash


def test_a_card_without_a_field_is_refused() -> None:
    values = msgspec.json.decode(card_bytes(CARD))
    for name in ("name", "features", "gain", "data_hash"):
        less = {key: value for key, value in values.items() if key != name}
        with pytest.raises(msgspec.DecodeError, match=name):
            card_of(msgspec.json.encode(less))


def test_the_ensemble_of_one_package_is_that_package() -> None:
    package = sealed(CARD, FILES)
    ensemble = package.alone("binance:BTC/USDT", "2023-04-20T00:00:00Z")
    (member,) = ensemble.members
    assert (member.package_hash, member.weight) == (package.hash, 1.0)
    assert (ensemble.platt_a, ensemble.platt_b) == (1.0, 0.0)
    assert ensemble.horizon_ms == 12 * Timeframe.H1.ms
    assert ensemble.validation == CARD.validation
