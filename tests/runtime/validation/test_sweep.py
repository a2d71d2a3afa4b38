"""Pieces of a sweep; whole ones are in tests/bootstrap/test_sweeps.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ares.domain.errors import ExternalError
from ares.domain.sweep import SweepResult
from ares.runtime.validation.sweep import (
    RESULTS_FILE,
    annual_sharpe,
    read_results,
    write_results,
)


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    results = [SweepResult({"a": k}, f"r{k}", daily=bytes([k] * 8)) for k in range(3)]
    assert read_results(tmp_path) == {}
    write_results(tmp_path, results)
    assert list(read_results(tmp_path).values()) == results
    (tmp_path / RESULTS_FILE).write_bytes(b"{")
    with pytest.raises(ExternalError, match="move the folder away"):
        read_results(tmp_path)


def test_a_sharpe_ratio_needs_days_that_vary() -> None:
    draw = np.random.default_rng(1).normal(0.001, 0.01, 400)
    expected = draw.mean() / draw.std(ddof=1) * 365**0.5
    assert annual_sharpe(draw.tobytes()) == pytest.approx(expected)
    assert annual_sharpe(np.zeros(400).tobytes()) is None
    assert annual_sharpe(draw[:20].tobytes()) is None
