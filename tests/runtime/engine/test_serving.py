"""The models that an engine serves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ares.runtime.engine.serving import ServedModels


def score(rows: Any) -> Any:
    return np.zeros(len(rows))


def test_models_are_added_and_released_in_place() -> None:
    served = ServedModels({"a": score})
    scorers = served.scorers
    served.add({"b": score, "a": np.ones_like})
    assert scorers["a"] is score, "a model that is served is not replaced"
    assert served.retain({"b"}) == [score]
    assert list(scorers) == ["b"], "the engine's mapping is the same one"
