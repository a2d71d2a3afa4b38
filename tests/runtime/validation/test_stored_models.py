"""A stored ensemble that does not work is refused before it is validated."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import msgspec
import pytest

from ares.domain.errors import ExternalError, UserError
from ares.domain.package import sealed
from ares.kernel.features import N_FEATURES
from ares.runtime.registry.model_journal import read_registry

if TYPE_CHECKING:
    from tests.runtime.conftest import World


def _constant(value: float) -> bytes:
    """Return a graph that answers every row with one value."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("ReduceSum", ["features", "axes"], ["total"], keepdims=1),
        helper.make_node("Mul", ["total", "zero"], ["none"]),
        helper.make_node("Add", ["none", "value"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, N_FEATURES])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("zero", TensorProto.FLOAT, [1], [0.0]),
            helper.make_tensor("value", TensorProto.FLOAT, [1], [value]),
        ],
    )
    model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 15)])
    content: bytes = model.SerializeToString()
    return content


@pytest.mark.parametrize("harm", ["byte", "file", "card"])
def test_a_damaged_package_is_refused(world: World, harm: str) -> None:
    graph = world.graph_of(world.refit)
    folder = graph.parent
    if harm == "byte":
        raw = bytearray(graph.read_bytes())
        raw[len(raw) // 2] ^= 1
        graph.write_bytes(raw)
    elif harm == "file":
        graph.unlink()
    else:
        shutil.rmtree(folder)
    with pytest.raises(ExternalError, match=r"damaged|missing"):
        world.validated(world.refit)
    assert read_registry(world.workspace.journal_dir).verdicts == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features_hash": "0" * 64}, "trained with other features"),
        ({"instruments": ("binance:ETH/USDT",)}, "was made for binance:ETH/USDT, not for"),
    ],
)
def test_a_package_for_something_else_is_refused(
    world: World, change: dict[str, object], message: str
) -> None:
    package = world.package_of(world.refit)
    card = msgspec.structs.replace(package.card, version="20230101_000000", files={}, **change)
    ensemble = world.stored(sealed(card, dict(package.files)))
    with pytest.raises(UserError, match=message):
        world.validated(ensemble)


@pytest.mark.parametrize(
    ("kind", "message"),
    [("rubbish", "is no ONNX model"), ("nan", "gives NaN"), ("outside", "a probability lies in")],
)
def test_a_graph_that_is_no_model_is_refused(world: World, kind: str, message: str) -> None:
    package = world.package_of(world.refit)
    graph = b"rubbish" if kind == "rubbish" else _constant(float("nan") if kind == "nan" else 1.5)
    card = msgspec.structs.replace(package.card, version="20230101_000000", files={})
    ensemble = world.stored(sealed(card, {**package.files, "model.onnx": graph}))
    with pytest.raises(UserError, match=message):
        world.validated(ensemble)
