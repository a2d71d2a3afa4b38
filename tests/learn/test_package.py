"""A package: graph, card and picture of one walk, the same bytes for the same rows."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from ares.adapters.onnx_model import open_model
from ares.domain.instrument import Instrument
from ares.domain.package import card_bytes, card_of, sha256
from ares.kernel.bars import Bars
from ares.learn.package import PackageSpec, TrainingEvidence, make_package, package_name
from ares.learn.parity import ConversionWrongError, Scorer
from ares.learn.recipe import Recipe
from ares.learn.rows import Rows

MakeRows = Callable[..., Rows]
HOUR = 3_600_000


def opener(graph: bytes, n_features: int) -> Scorer:
    return open_model(graph, n_features, "test")


def subject(columns: tuple[str, ...], n: int = 3000) -> PackageSpec:
    close = 100 + np.sin(np.arange(n) / 50)
    bars = Bars.make(np.arange(n) * HOUR, close, close, close, close, close)
    return PackageSpec(
        (Instrument("binance", "BTC/USDT"),),
        columns,
        (bars,),
        5.0,
        "20230420_120000",
        "2023-04-20T12:00:00Z",
        "commit",
        {"lightgbm": "4"},
    )


def test_a_package_describes_itself_and_serves_what_was_evaluated(
    rows: MakeRows, recipe: Recipe
) -> None:
    table = rows(2000)
    trained = make_package(table, recipe, subject(recipe.features), opener)
    card = trained.package.card
    assert card.ref == "binance_BTC-USDT_1h/20230420_120000"
    assert (card.data_rows, card.data_hash, card.recipe_hash) == (2000, table.hash, recipe.hash)
    assert msgspec.convert(card.recipe, Recipe).hash == recipe.hash
    assert card.files == {name: sha256(data) for name, data in trained.package.files.items()}
    assert set(card.files) == {"model.onnx"}, "without a function that draws there is no picture"
    assert card.verdict is None
    assert card.parity["passed"]
    assert card.metrics["brier_skill"] > 0
    assert card.gain > 0 < card.loss
    served = opener(trained.package.graph, 12)(table.x)
    assert np.corrcoef(served, table.x[:, 0])[0, 1] > 0.7
    assert card_of(card_bytes(card)) == card
    alone = trained.package.alone("binance:BTC/USDT", "now")
    assert alone.members[0].package_hash == trained.package.hash
    assert (alone.horizon_bars, alone.platt_a, alone.platt_b) == (12, 1.0, 0.0)


def test_the_same_rows_make_the_same_bytes(rows: MakeRows, recipe: Recipe) -> None:
    made = [make_package(rows(1200), recipe, subject(recipe.features), opener) for _ in range(2)]
    assert made[0].package.files == made[1].package.files
    assert made[0].package.hash == made[1].package.hash


def test_the_picture_is_drawn_from_the_evidence(rows: MakeRows, recipe: Recipe) -> None:
    table, shown = rows(1200), []

    def draw(evidence: TrainingEvidence) -> bytes:
        shown.append(evidence)
        return b"drawn"

    trained = make_package(table, recipe, subject(recipe.features), opener, draw)
    assert trained.package.files["training.png"] == b"drawn"
    [evidence] = shown
    assert evidence.metrics == trained.metrics
    assert (evidence.rows, evidence.instruments) == (1200, ("binance:BTC/USDT",))
    assert evidence.trained_ms[0] < evidence.evaluated_ms[0] < evidence.evaluated_ms[1]
    assert evidence.evaluated_ms[1] == int(table.ends_ms.max())
    assert len(evidence.p) == trained.metrics.rows


def test_a_graph_with_other_outputs_makes_no_package(rows: MakeRows, recipe: Recipe) -> None:
    def wrong(graph: bytes, n_features: int) -> Scorer:
        right = opener(graph, n_features)
        return lambda made: right(made) + 0.001

    with pytest.raises(ConversionWrongError):
        make_package(rows(800), recipe, subject(recipe.features), wrong)


def test_names_of_packages(recipe: Recipe) -> None:
    bitcoin = [Instrument("binance", "BTC/USDT")]
    assert package_name(recipe, bitcoin) == "binance_BTC-USDT_1h"
    universe = msgspec.structs.replace(recipe, scope="universe")
    assert package_name(universe, bitcoin) == "universe_1h"
