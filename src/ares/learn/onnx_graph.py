"""The exported graph: trees and calibration as ONNX, features in, calibrated probabilities out.

Written node by node, because the available converters are silently wrong (a calibrated classifier
by up to 0.56 in probability) or wrong at the edges: they round thresholds to the nearest
float32. Rows are float32, so ``x <= t`` holds exactly when ``x <= largest float32 not above t``:
with thresholds rounded down (and LightGBM's view of zero kept), the graph takes the same branch
as LightGBM on every row there is.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import msgspec
import numpy as np

from ares.domain.strategy import Calibration
from ares.kernel.bars import F64
from ares.learn.calibration import Platt
from ares.learn.rows import F32

ZERO = np.float32(1e-35)
"""LightGBM reads a value this near to zero as zero (its ``kZeroThreshold``)."""

OPSET = 15
OPSET_TREES = 3
INPUT, OUTPUT = "features", "probability"


def to_onnx(trees: dict[str, Any], platt: Platt) -> bytes:
    """Return the graph of a LightGBM model and its calibration, the same bytes for the same model.

    trees : ``Booster.dump_model()`` of a binary model without categorical splits.
    """
    from onnx import TensorProto, helper

    n_features = int(trees["max_feature_idx"]) + 1
    attributes: dict[str, Any] = _attributes(trees)
    nodes = [
        helper.make_node(
            "TreeEnsembleRegressor",
            [INPUT],
            ["log_odds"],
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function="SUM",
            post_transform="NONE",
            **attributes,
        ),
        helper.make_node("Mul", ["log_odds", "platt_a"], ["scaled"]),
        helper.make_node("Add", ["scaled", "platt_b"], ["calibrated_log_odds"]),
        helper.make_node("Sigmoid", ["calibrated_log_odds"], [OUTPUT]),
    ]
    graph = helper.make_graph(
        nodes,
        "ares",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, n_features])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None, 1])],
        [
            helper.make_tensor("platt_a", TensorProto.FLOAT, [1], [platt.a]),
            helper.make_tensor("platt_b", TensorProto.FLOAT, [1], [platt.b]),
        ],
    )
    model = helper.make_model(
        graph,
        producer_name="ares",
        ir_version=8,
        opset_imports=[
            helper.make_opsetid("", OPSET),
            helper.make_opsetid("ai.onnx.ml", OPSET_TREES),
        ],
    )
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def split_points(trees: dict[str, Any]) -> list[tuple[int, np.float32]]:
    """Return every (feature, float32 threshold) at which some tree branches, sorted, once each."""
    points: set[tuple[int, np.float32]] = set()

    def visit(node: dict[str, Any]) -> None:
        if "split_feature" in node:
            points.add((int(node["split_feature"]), served_threshold(node["threshold"])))
            visit(node["left_child"])
            visit(node["right_child"])

    for tree in trees["tree_info"]:
        visit(tree["tree_structure"])
    return sorted(points)


def splits_of(graph: bytes, n_features: int) -> F64:
    """Return how often the trees of a graph branch on each feature, ``(n_features,)``; of a
    strategy's calibration, once on its score.
    """
    counts = np.zeros(n_features)
    if graph.startswith(b"{"):
        counts[msgspec.json.decode(graph, type=Calibration).column] = 1.0
        return counts
    import onnx

    for node in onnx.load_model_from_string(graph).graph.node:
        if not node.op_type.startswith("TreeEnsemble"):
            continue
        lists = {attribute.name: attribute for attribute in node.attribute}
        modes = lists["nodes_modes"].strings
        for feature, mode in zip(lists["nodes_featureids"].ints, modes, strict=True):
            if mode != b"LEAF":
                counts[feature] += 1.0
    return counts


def served_threshold(threshold: float) -> np.float32:
    """Return the float32 t for which ``x <= t`` is LightGBM's branch for every float32 x.

    Tiny values count as zero: a threshold among them parts them all from what lies below or above.
    """
    if 0.0 <= threshold <= float(ZERO):
        return ZERO
    if -float(ZERO) <= threshold < 0.0:
        return np.float32(np.nextafter(-ZERO, np.float32(-np.inf)))
    return floor32(threshold)


def floor32(value: float) -> np.float32:
    """Return the largest float32 that is not above ``value``.

    >>> float(np.float32(0.1)) > 0.1 > float(floor32(0.1))
    True
    """
    with np.errstate(over="ignore"):
        nearest = np.float32(value)
        if float(nearest) > float(value):
            return np.float32(np.nextafter(nearest, np.float32(-np.inf)))
    return nearest


def _attributes(trees: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the node lists of a TreeEnsembleRegressor: one entry a node, tree after tree."""
    lists: dict[str, list[Any]] = defaultdict(list)
    for tree_id, tree in enumerate(trees["tree_info"]):
        _add_tree(lists, tree_id, tree["tree_structure"])
    return lists


def _add_tree(lists: dict[str, list[Any]], tree_id: int, root: dict[str, Any]) -> None:
    queue, numbered = [(0, root)], 1
    while queue:
        node_id, node = queue.pop(0)
        split = "split_feature" in node
        true_id, false_id = (numbered, numbered + 1) if split else (0, 0)
        entry = {
            "nodes_treeids": tree_id,
            "nodes_nodeids": node_id,
            "nodes_featureids": int(node["split_feature"]) if split else 0,
            "nodes_values": float(served_threshold(node["threshold"])) if split else 0.0,
            "nodes_modes": "BRANCH_LEQ" if split else "LEAF",
            "nodes_truenodeids": true_id,
            "nodes_falsenodeids": false_id,
            "nodes_missing_value_tracks_true": int(split and _nan_goes_left(node)),
        }
        for name, value in entry.items():
            lists[name].append(value)
        if split:
            queue += [(true_id, node["left_child"]), (false_id, node["right_child"])]
            numbered += 2
            continue
        lists["target_treeids"].append(tree_id)
        lists["target_nodeids"].append(node_id)
        lists["target_ids"].append(0)
        lists["target_weights"].append(float(node["leaf_value"]))


def _nan_goes_left(node: dict[str, Any]) -> bool:
    """Return the branch of a NaN: where training saw none, LightGBM reads it as 0."""
    if node["decision_type"] != "<=" or node["missing_type"] not in {"NaN", "None"}:
        raise AssertionError(f"a split that Ares does not make: {node['decision_type']}")
    if node["missing_type"] == "NaN":
        return bool(node["default_left"])
    return bool(node["threshold"] >= 0.0)


def reference_rows(x: F32, trees: dict[str, Any], rows_max: int = 2000) -> F32:
    """Return rows on which a wrong graph differs: real ones, and synthetic ones at every edge.

    Real rows evenly over ``x``; a row exactly on, just below and just above every threshold;
    NaN in each column and in all; zeros; the extremes and infinities of float32.
    """
    real = x[np.linspace(0, len(x) - 1, min(rows_max, len(x))).astype(np.int64)]
    points = split_points(trees)
    host = real[np.arange(3 * len(points)) % len(real)].copy()
    for k, (feature, threshold) in enumerate(points):
        with np.errstate(over="ignore"):
            below, above = (np.nextafter(threshold, np.float32(to)) for to in (-np.inf, np.inf))
        host[3 * k : 3 * k + 3, feature] = threshold, below, above
    n_features = x.shape[1]
    holes = real[np.arange(n_features) % len(real)].copy()
    holes[np.arange(n_features), np.arange(n_features)] = np.nan
    top = np.finfo(np.float32).max
    whole = np.repeat(
        np.array([np.nan, 0.0, -0.0, top, -top, np.inf, -np.inf], np.float32)[:, None],
        n_features,
        axis=1,
    )
    return np.concatenate([real, host, holes, whole]).astype(np.float32)
