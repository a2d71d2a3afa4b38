"""What an instrument's name stands for: judged before newer, and no careless training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ares.adapters.model_choice import choose_by_symbol, choose_model
from ares.adapters.model_store import ModelStore
from ares.domain.model import Ensemble
from ares.domain.package import Package, sealed

MakePackage = Callable[..., Package]
MakeEnsemble = Callable[..., Ensemble]
KEY = "binance:BTC/USDT"
DAY_MS = 86_400_000


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models")


@pytest.fixture
def trained(
    store: ModelStore, package: MakePackage, ensemble: MakeEnsemble
) -> Callable[..., Ensemble]:
    """Return what stores an ensemble of one package, trained on so many days."""

    def make(day: int, days: int, origin: str = "trained") -> Ensemble:
        each = package(version=f"202304{day:02d}_120000")
        card = msgspec.structs.replace(
            each.card, data_from_ms=0, data_to_ms=days * DAY_MS, origin=origin
        )
        stored = store.add(sealed(card, each.files))
        made = ensemble(stored, created_at=f"2023-04-{day:02d}T12:00:00Z")
        store.save_ensemble(made)
        return made

    return make


def test_a_training_on_a_day_does_not_become_the_default(
    store: ModelStore, trained: Callable[..., Ensemble]
) -> None:
    first, second, careless = trained(1, 700), trained(2, 400), trained(3, 1)
    choice = choose_model(store.listed(), KEY)
    assert choice is not None
    assert choice.ensemble == second
    assert choice.reason == (
        f"{second.hash[:12]}, the newest with enough rows (1 newer passed over)"
    )
    judged = choose_model(store.listed(), KEY, judged={first.hash})
    assert judged is not None
    assert judged.ensemble == first
    assert judged.reason == f"{first.hash[:12]}, the newest with a verdict (2 newer passed over)"
    rest = choose_model(store.listed(), KEY, without={first.hash, second.hash})
    assert rest is not None
    assert rest.reason == f"{careless.hash[:12]}, the newest"
    assert choose_model(store.listed(), "binance:ETH/USDT") is None


def test_the_long_window_of_an_imported_model_passes_no_trained_one_over(
    store: ModelStore, trained: Callable[..., Ensemble]
) -> None:
    own = trained(1, 10)
    trained(2, 5_000, "imported")
    choice = choose_model(store.listed(), KEY)
    assert choice is not None
    assert choice.ensemble == own


def test_a_symbol_in_any_notation_means_the_same_choice(
    store: ModelStore, trained: Callable[..., Ensemble]
) -> None:
    first, careless = trained(1, 700), trained(3, 1)
    for name in ("BTC/USDT", "btcusdt", KEY):
        choice = choose_by_symbol(store.listed(), name)
        assert choice is not None
        assert choice.ensemble == first
        judged = choose_by_symbol(store.listed(), name, {careless.hash})
        assert judged is not None
        assert judged.ensemble == careless
    for name in ("ETH/USDT", first.hash[:12], ""):
        assert choose_by_symbol(store.listed(), name) is None
