"""A small package that needs no training, and a server with Binance's public REST API."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ares.domain.model import Ensemble, Member, Validation
from ares.domain.package import Package, PackageCard, sealed
from ares.domain.timeframe import Timeframe

MakePackage = Callable[..., Package]


def make_package(
    name: str = "binance_BTC-USDT_1h", version: str = "20230420_120000", graph: bytes = b"graph"
) -> Package:
    """Return a package whose graph is any bytes."""
    card = PackageCard(
        reference=None,
        verdict=None,
        name=name,
        version=version,
        scope="instrument",
        instruments=("binance:BTC/USDT",),
        timeframe=Timeframe(name.rpartition("_")[2]),
        origin="trained",
        features=("a", "b"),
        features_hash="features",
        recipe={"folds": 5, "label": {"horizon_bars": 12}},
        recipe_hash="recipe",
        horizon_bars=12,
        width_sigmas=1.0,
        width_min_bps=33.0,
        cost_bps=22.0,
        gain=0.8,
        loss=1.1,
        data_from_ms=0,
        data_to_ms=10,
        data_rows=100,
        data_hash="data",
        validation=Validation(10, 1.5, 20.0),
        metrics={"brier": 0.24, "auc": None, "thresholds": []},
        parity={"passed": True},
        libraries={"lightgbm": "4"},
        git_commit="commit",
        created_at=f"{version[:4]}-{version[4:6]}-{version[6:8]}T12:00:00Z",
    )
    return sealed(card, {"model.onnx": graph, "training.png": b"picture"})


def make_ensemble(*packages: Package, created_at: str = "2023-04-20T12:00:00Z") -> Ensemble:
    """Return the ensemble of packages with equal weights."""
    members = tuple(
        Member(p.card.timeframe, p.card.name, p.card.version, p.hash, 1 / len(packages))
        for p in packages
    )
    alone = packages[0].alone("binance:BTC/USDT", created_at)
    return Ensemble(
        **{name: getattr(alone, name) for name in alone.__struct_fields__} | {"members": members}
    )


@pytest.fixture
def package() -> MakePackage:
    """Return the maker of packages."""
    return make_package


@pytest.fixture
def ensemble() -> Callable[..., Ensemble]:
    """Return the maker of ensembles."""
    return make_ensemble
