"""Sentiment among rows: hidden now and then in fitting, so that a model does without it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from ares.adapters.onnx_model import open_model
from ares.domain.series import SentimentSpec, ValueSpec
from ares.domain.timeframe import HOUR_MS, Timeframe
from ares.kernel.features.columns import column_names
from ares.kernel.features.observations import ALL_INSTRUMENTS, Observations
from ares.kernel.features.sentiment import N_SENTIMENT
from ares.kernel.features.series import series_columns
from ares.learn.fit import FittedModel
from ares.learn.gate.leaks import walk_leaks
from ares.learn.gate.series_leaks import series_leaks
from ares.learn.onnx_graph import reference_rows, to_onnx
from ares.learn.parity import compare
from ares.learn.recipe import Recipe, default_label
from ares.learn.rows import Rows
from ares.learn.series import (
    HIDDEN_SHARE,
    all_missing,
    fitted_on,
    is_present,
    with_missing,
    with_series,
    without,
)
from ares.learn.walk_forward import WalkForwardResult, fit_walk_forward

SPEC = SentimentSpec(delay_ms=0, stale_ms=24 * HOUR_MS)
NAMES = ("price_a", "price_b", *column_names(None, [SPEC])[-N_SENTIMENT:])
RECIPE = Recipe(
    Timeframe.H1,
    NAMES,
    "hash",
    default_label(Timeframe.H1, 20.0, "triple_barrier"),
    sentiment=SPEC,
    folds=3,
)
N = 3_000
START_MS = 1_704_067_200_000


def made(n: int = N, seed: int = 3, strength: float = 1.5) -> tuple[Rows, Observations]:
    """Return rows whose trades are won by one price and by the newest news."""
    draw = np.random.default_rng(seed)
    decided_ms = START_MS + np.arange(1, n + 1) * HOUR_MS
    mood = np.sign(np.sin(np.arange(n) / 40.0 + draw.normal(0, 0.3, n)))
    news = Observations.of(
        (int(t) - HOUR_MS // 2, int(t) - HOUR_MS // 2, float(m) * 0.8, ALL_INSTRUMENTS)
        for t, m in zip(decided_ms, mood, strict=True)
    )
    price = draw.normal(size=(n, 2)).astype(np.float32)
    edge = strength * mood + 1.0 * price[:, 0]
    won = draw.random(n) < 1.0 / (1.0 + np.exp(-edge))
    net = np.where(won, 0.01, -0.01)
    rows = Rows(
        price, decided_ms, decided_ms + 3 * HOUR_MS, net, np.full(n, 0.01), np.zeros(n, np.int32)
    )
    return with_series(rows, (news,), [SPEC]), news


def log_loss(p: np.ndarray, rows: Rows) -> float:
    return float(-np.log(np.where(rows.won, p, 1.0 - p)).mean())


def test_a_quarter_of_the_instants_is_hidden_and_only_there() -> None:
    rows, _ = made()
    shown = fitted_on(rows.x, rows, RECIPE)
    hidden = ~is_present(shown, [SPEC])[0]
    assert abs(hidden.mean() - HIDDEN_SHARE) < 0.03
    assert np.array_equal(shown[~hidden], rows.x[~hidden])
    assert np.array_equal(shown[hidden, :2], rows.x[hidden, :2])
    few = slice(100, 900)
    again = fitted_on(rows.x[few], rows[few], RECIPE)
    assert np.array_equal(again, shown[few], equal_nan=True)
    other = msgspec.structs.replace(RECIPE, folds=4)
    assert not np.array_equal(fitted_on(rows.x, rows, other), shown, equal_nan=True)
    assert fitted_on(rows.x, rows, without(RECIPE, "sentiment", "hash")) is rows.x


def test_each_lane_has_its_own_news() -> None:
    rows, _ = made(300)
    both = Rows(
        rows.x[:, :2], rows.decided_ms, rows.ends_ms, rows.net, rows.barrier_width,
        np.arange(300, dtype=np.int32) % 2,
    )  # fmt: skip
    news = Observations.of([(START_MS, START_MS, 0.5, 1)])
    shown = with_series(both, (news,), [SPEC])
    assert not is_present(shown.x[::2], [SPEC])[0].any()
    assert is_present(shown.x[1:24:2], [SPEC])[0].all()
    wanted = series_columns(news.about(1), SPEC, both.decided_ms[1::2])
    assert shown.x[1::2, 2:].tobytes() == wanted.tobytes()


def walked(rows: Rows, recipe: Recipe) -> WalkForwardResult:
    return fit_walk_forward(rows.x[:, : len(recipe.features)], rows, recipe)


def test_news_are_learned_and_without_them_prices_decide() -> None:
    rows, _ = made()
    own, twin = walked(rows, RECIPE), walked(rows, without(RECIPE, "sentiment", "hash"))
    with_, by_prices = log_loss(own.probability(rows.x), rows), log_loss(
        twin.probability(rows.x[:, :2]), rows
    )  # fmt: skip
    missing = log_loss(own.probability(all_missing(rows.x, [SPEC])), rows)
    assert with_ < by_prices - 0.1
    assert missing < by_prices + 0.03  # not what the twin says, but not far from it
    p = own.probability(all_missing(rows.x, [SPEC]))
    assert np.isfinite(p).all()
    assert np.corrcoef(p, twin.probability(rows.x[:, :2]))[0, 1] > 0.9


def test_the_graph_agrees_with_and_without_news() -> None:
    rows, _ = made()
    own = walked(rows, RECIPE)
    assert isinstance(own.fitted, FittedModel)
    graph = open_model(to_onnx(own.fitted.trees, own.platt), len(NAMES), "it")
    made_rows = reference_rows(rows.x, own.fitted.trees)
    for some in (made_rows, all_missing(made_rows, [SPEC]), rows.x, all_missing(rows.x, [SPEC])):
        assert compare(own.probability(some), graph, some).passed
    assert any(split >= 2 for split in _splits(own))


def _splits(own: WalkForwardResult) -> set[int]:
    found: set[int] = set()

    def visit(node: dict[str, Any]) -> None:
        if "split_feature" in node:
            found.add(int(node["split_feature"]))
            visit(node["left_child"])
            visit(node["right_child"])

    assert isinstance(own.fitted, FittedModel)
    for tree in own.fitted.trees["tree_info"]:
        visit(tree["tree_structure"])
    return found


def test_neither_the_walk_nor_the_news_leak() -> None:
    rows, news = made(1_200)
    assert walk_leaks(rows.x, rows, RECIPE).leaking == ()
    assert series_leaks(news, SPEC, rows.decided_ms).leaking == ()


def test_recipes_without_sentiment_keep_their_hash() -> None:
    plain = without(RECIPE, "sentiment", "hash")
    assert "sentiment" not in plain.content
    assert RECIPE.content["sentiment"]["stale_ms"] == SPEC.stale_ms
    assert msgspec.convert(RECIPE.content, Recipe) == RECIPE
    assert msgspec.convert(plain.content, Recipe) == plain
    other = msgspec.structs.replace(RECIPE, sentiment=SentimentSpec(delay_ms=1))
    assert len({plain.hash, RECIPE.hash, other.hash}) == 3


RATES = (ValueSpec("rate"), ValueSpec("index"))
ALL = RECIPE.series + RATES
WIDE = msgspec.structs.replace(
    RECIPE, features=(*NAMES, *column_names(None, RATES)[-6:]), value_series=RATES
)


def wide_rows() -> Rows:
    """Return rows with sentiment and two more series, known everywhere."""
    rows, _ = made(2_000)
    more = np.random.default_rng(8).normal(size=(len(rows), 6)).astype(np.float32)
    return replace(rows, x=np.hstack([np.nan_to_num(rows.x), more]))


def test_each_series_is_hidden_by_a_draw_of_its_own() -> None:
    rows = wide_rows()
    hidden = [~present for present in is_present(fitted_on(rows.x, rows, WIDE), ALL)]
    for one in hidden:
        assert abs(one.mean() - HIDDEN_SHARE) < 0.04
    for k in range(3):
        both = (hidden[k] & hidden[k - 1]).mean()
        assert abs(both - HIDDEN_SHARE**2) < 0.03
    fewer = msgspec.structs.replace(WIDE, value_series=RATES[:1], features=WIDE.features[:-3])
    assert fewer.hash != WIDE.hash


def test_a_twin_loses_the_columns_of_its_series_only() -> None:
    twin = without(WIDE, "rate", "other")
    assert [spec.name for spec in twin.series] == ["sentiment", "index"]
    assert twin.features == WIDE.features[:-6] + WIDE.features[-3:]
    assert (twin.features_hash, twin.price_only) == ("other", False)
    last = without(without(twin, "sentiment", "x"), "index", "x")
    assert last.features == ("price_a", "price_b")
    assert last.price_only
    assert last == without(RECIPE, "sentiment", "x")


def test_a_graph_is_compared_without_any_and_without_each_series() -> None:
    x = wide_rows().x[:5]
    tables = with_missing(x, ALL).reshape(5, 5, -1)
    present = [[bool(p.all()) for p in is_present(table, ALL)] for table in tables]
    assert present == [
        [True, True, True],
        [False, False, False],
        [False, True, True],
        [True, False, True],
        [True, True, False],
    ]
    assert with_missing(x, ()).tobytes() == x.tobytes()


def test_recipes_with_other_series_keep_the_hash_of_those_without() -> None:
    assert "value_series" not in RECIPE.content
    assert msgspec.convert(WIDE.content, Recipe) == WIDE
    other = msgspec.structs.replace(WIDE, value_series=(RATES[0], ValueSpec("index", 1)))
    assert len({RECIPE.hash, WIDE.hash, other.hash}) == 3
