"""The evidence on an ensemble: its hash is of every number that a verdict rests on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ares.learn.gate.evidence import Baseline, Evidence, PerformanceMetrics

METRICS = PerformanceMetrics(trades=40, net_bps=3.0, sharpe=1.5)
EVIDENCE = Evidence(subject="e", hypothesis="better", metrics=METRICS)


def other(value: Any) -> Any:
    """Return another value that the same field may have."""
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, int):
        return value + 1
    if isinstance(value, tuple):
        return (*value, "x")
    return 0.125


@pytest.mark.parametrize("name", Evidence.__struct_fields__)
def test_every_field_is_in_the_hash(name: str) -> None:
    changed = msgspec.structs.replace(EVIDENCE, **{name: other(getattr(EVIDENCE, name))})
    assert changed.hash != EVIDENCE.hash


@pytest.mark.parametrize("name", PerformanceMetrics.__struct_fields__)
def test_every_metric_is_in_the_hash(name: str) -> None:
    metrics = msgspec.structs.replace(METRICS, **{name: other(getattr(METRICS, name))})
    assert msgspec.structs.replace(EVIDENCE, metrics=metrics).hash != EVIDENCE.hash


def test_an_unknown_number_is_not_a_zero() -> None:
    zero = msgspec.structs.replace(EVIDENCE, e_value=0.0)
    flat = msgspec.structs.replace(EVIDENCE, baselines=(Baseline("sma_cross", 0.0),))
    unknown = msgspec.structs.replace(EVIDENCE, baselines=(Baseline("sma_cross", None),))
    assert len({EVIDENCE.hash, zero.hash, flat.hash, unknown.hash}) == 4


def test_the_hash_survives_a_file() -> None:
    content = msgspec.json.encode(EVIDENCE)
    assert msgspec.json.decode(content, type=Evidence).hash == EVIDENCE.hash
    wrong = msgspec.to_builtins(EVIDENCE) | {"hypothesis": "lucky"}
    with pytest.raises(msgspec.ValidationError, match="hypothesis"):
        msgspec.convert(wrong, Evidence)
