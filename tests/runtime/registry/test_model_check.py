"""A model that is not what it should be is refused with a reason, journaled, nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ares.adapters.model_store import ModelStore
from ares.bootstrap.lifecycle import rollback
from ares.bootstrap.validation import validate_model
from ares.domain.errors import AresError
from ares.domain.model import Member
from ares.domain.package import CARD_FILE, GRAPH_FILE, PackageCard, sealed
from ares.runtime.lifecycle.promotion import PromotionResult

if TYPE_CHECKING:
    from tests.runtime.conftest import World

COLUMNS = 56


def linear(
    kind: str = "Sigmoid",
    weight: float = 0.01,
    dtype: int = TensorProto.FLOAT,
    columns: int = COLUMNS,
    inputs: tuple[str, ...] = ("features",),
    answers: int = 1,
) -> bytes:
    """Return a graph: ``kind`` applied to features times a weight that falls by the column."""
    numbers = weight * np.linspace(1.0, 0.1, columns * answers)
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["raw"]),
        helper.make_node(kind, ["raw"], ["probability"]),
    ]
    if kind == "Softmax":
        nodes[1] = helper.make_node(kind, ["raw"], ["probability"], axis=0)
    made = helper.make_graph(
        nodes,
        "forged",
        [helper.make_tensor_value_info(name, dtype, [None, columns]) for name in inputs],
        [helper.make_tensor_value_info("probability", dtype, [None, answers])],
        [helper.make_tensor("weights", dtype, [columns, answers], numbers.tolist())],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def other_opset() -> bytes:
    model = onnx.load_from_string(linear())
    model.opset_import[0].version = 99
    return bytes(model.SerializeToString())


def forged(world: World, graph: bytes | None, change: Callable[[PackageCard], PackageCard]) -> str:
    """Store a package with another graph or card, sealed as it should be; return its ensemble."""
    store = ModelStore(world.workspace.models_dir)
    real = store.ensemble(world.refit)
    package = store.member(real.members[0])
    files = {**package.files, **({} if graph is None else {GRAPH_FILE: graph})}
    card = msgspec.structs.replace(package.card, version="20300101_000000")
    made = store.add(sealed(change(card), files))
    member = Member(real.anchor, made.card.name, made.card.version, made.hash, 1.0)
    ensemble = msgspec.structs.replace(real, members=(member,), created_at="2030-01-01T00:00:00Z")
    store.save_ensemble(ensemble)
    return ensemble.hash


def same(card: PackageCard) -> PackageCard:
    return card


def other_features(card: PackageCard) -> PackageCard:
    return msgspec.structs.replace(card, features=(*card.features[:-1], "moon"))


def older_features(card: PackageCard) -> PackageCard:
    return msgspec.structs.replace(card, features_hash="0" * 64)


def other_symbol(card: PackageCard) -> PackageCard:
    return msgspec.structs.replace(card, instruments=("binance:ETH/USDT",))


def require_refused(world: World, target: str, message: str) -> None:
    """Ask for everything that can be asked with a model: all of it is refused, and journaled."""
    world.let_pass(target)
    requests: list[Callable[[], PromotionResult]] = [
        lambda: world.promote(target),
        lambda: world.force(target),
        lambda: rollback(world.workspace, None, target, None),
    ]
    for ask in requests:
        before = len(world.journal())
        (refusal,) = ask().refused
        assert message in refusal
        assert "\n" not in refusal
        assert len(world.journal()) == before + 1
        assert (world.last_refusal().target, message in world.last_refusal().reason) == (
            target,
            True,
        )
        assert world.champion() == world.first
    with pytest.raises(AresError) as raised:
        validate_model(world.workspace, target, pool=world.pool)
    assert message in str(raised.value)


@pytest.fixture
def with_champion(world: World) -> World:
    """Return the world with a champion that must stay it."""
    world.let_pass(world.first)
    assert world.promote(world.first).promoted
    return world


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (other_features, "names other columns than those of its hash"),
        (older_features, "other features"),
        (other_symbol, "was made for binance:ETH/USDT, not for binance:BTC/USDT"),
    ],
)
def test_a_package_made_for_something_else_is_refused(
    with_champion: World, change: Callable[[PackageCard], PackageCard], message: str
) -> None:
    require_refused(with_champion, forged(with_champion, None, change), message)


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (b"no model at all", "is no ONNX model that can be opened"),
        (linear()[:-200], "is no ONNX model that can be opened"),
        (other_opset(), "was made for opset 99 of ai.onnx, and onnxruntime "),
        (linear(kind="Log", weight=-1.0), "gives NaN for"),
        (linear(kind="Identity"), "a probability lies in [0, 1]"),
        (linear(columns=9), "was made for 9 features; this version of Ares has 56"),
        (linear(dtype=TensorProto.DOUBLE), "must be tensors of float32"),
        (linear(inputs=("features", "extra")), "wanted one called 'features'"),
        (linear(answers=2), "'probability' has shape (256, 2) for 256 rows; wanted (n, 1)"),
        (linear(kind="Softmax"), "the output of a row depends on the other rows of its batch"),
    ],
)
def test_a_graph_that_keeps_no_contract_is_refused(
    with_champion: World, graph: bytes, message: str
) -> None:
    require_refused(with_champion, forged(with_champion, graph, same), message)


def test_a_constant_is_refused_with_or_without_force(with_champion: World) -> None:
    """The gate may look at it, and says so in a line of its verdict; nobody promotes it."""
    target = forged(with_champion, linear(weight=0.0), same)
    with_champion.let_pass(target)
    for outcome in (with_champion.promote(target), with_champion.force(target)):
        assert "gives 0.5 for every row; a constant is no model" in outcome.refused[0]
    assert with_champion.champion() == with_champion.first


def test_a_good_graph_of_the_same_making_is_taken(with_champion: World) -> None:
    """Else the refusals above would prove nothing."""
    target = forged(with_champion, linear(), same)
    with_champion.let_pass(target)
    assert with_champion.promote(target).promoted


def flipped(graph: Path) -> None:
    raw = bytearray(graph.read_bytes())
    raw[-9] ^= 1
    graph.write_bytes(raw)


def edited(graph: Path) -> None:
    card = graph.with_name(CARD_FILE)
    card.write_text(card.read_text().replace('"trained"', '"imported"'))


def exchanged(graph: Path) -> None:
    """Exchange the graph, and seal the card anew: the ensemble names the card's hash."""
    card = msgspec.json.decode(graph.with_name(CARD_FILE).read_bytes(), type=PackageCard)
    other = sealed(card, {GRAPH_FILE: linear(), "training.png": b""})
    graph.write_bytes(linear())
    graph.with_name("training.png").write_bytes(b"")
    content = msgspec.json.format(msgspec.json.encode(other.card, order="sorted"), indent=2)
    graph.with_name(CARD_FILE).write_bytes(content + b"\n")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (flipped, "model.onnx is damaged"),
        (Path.unlink, "model.onnx is missing"),
        (lambda graph: graph.with_name("training.png").unlink(), "training.png is missing"),
        (lambda graph: graph.with_name(CARD_FILE).unlink(), "has no model.json"),
        (edited, "model.json has changed since its ensemble was made"),
        (exchanged, "model.json has changed since its ensemble was made"),
    ],
)
def test_a_damaged_package_is_refused(
    with_champion: World, harm: Callable[[Path], object], message: str
) -> None:
    harm(with_champion.graph_of(with_champion.refit))
    require_refused(with_champion, with_champion.refit, message)


def test_an_ensemble_that_was_edited_is_refused(with_champion: World) -> None:
    path = with_champion.workspace.models_dir / "ensembles" / f"{with_champion.refit}.json"
    path.write_text(path.read_text().replace('"gain"', '"gain" '))  # the same, as JSON
    with_champion.let_pass(with_champion.refit)
    assert with_champion.promote(with_champion.refit).promoted  # it is the content that is hashed
    path.write_text(path.read_text().replace("0.", "1.", 1))
    (refusal,) = rollback(with_champion.workspace, None, with_champion.refit, None).refused
    assert "no model" in refusal or "was changed since" in refusal
