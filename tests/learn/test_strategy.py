from __future__ import annotations

import msgspec
import numpy as np

from ares.adapters.onnx_model import open_model
from ares.domain.strategy import Calibration
from ares.learn.calibration import Platt
from ares.learn.strategy import fit_strategy

PLATT = Platt(1.7, -0.3)


def table(n: int = 700) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(2.0, 5.0, (n, 4)).astype(np.float32)


def test_the_score_is_the_last_column_in_standard_deviations() -> None:
    x = table()
    fitted = fit_strategy(x)
    assert fitted.raw(x).tolist() == x[:, -1].tolist()
    assert abs(fitted.score(x).mean()) < 1e-9
    assert abs(fitted.score(x).std() - 1.0) < 1e-9
    constant = fit_strategy(np.ones((50, 4), np.float32))
    assert constant.score(np.ones((2, 4), np.float32)).tolist() == [0.0, 0.0]


def test_what_is_exported_gives_the_probabilities_alone_and_in_batches_alike() -> None:
    x = table()
    fitted = fit_strategy(x)
    content = fitted.exported(PLATT)
    assert content == fit_strategy(x).exported(PLATT)
    assert msgspec.json.decode(content, type=Calibration) == Calibration(3, 4, PLATT.a, PLATT.b)
    score = open_model(content, 4, "it")
    batch = score(x)
    assert np.abs(batch - PLATT.probability(fitted.raw(x))).max() < 1e-15
    alone = np.concatenate([score(x[k : k + 1]) for k in range(len(x))])
    assert alone.tobytes() == batch.tobytes()


def test_reference_rows_are_real_ones() -> None:
    x = table(5_000)
    rows = fit_strategy(x).reference_rows(x)
    assert 1_900 <= len(rows) <= 2_000
    assert {row.tobytes() for row in rows} <= {row.tobytes() for row in x}
