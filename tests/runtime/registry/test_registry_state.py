"""What the models' journal amounts to."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.domain.model_life import EnsembleArchived, EnsemblePromoted
from ares.runtime.registry.model_journal import (
    read_registry,
    record,
)


def archived(name: str) -> EnsembleArchived:
    return EnsembleArchived(name, "now", "me", "test")


def promotion(target: str, previous: str, environment: str = "paper") -> EnsemblePromoted:
    return EnsemblePromoted(
        environment, "binance:BTC/USDT", target, previous, "now", "me", "why", True
    )


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return the folder of journals, with three records of models in it."""
    record(tmp_path, [archived("a"), archived("b")])
    record(tmp_path, [promotion("c", "")])
    return tmp_path


def test_what_happened_to_a_model_comes_in_order(journal: Path) -> None:
    record(journal, [promotion("d", "c"), archived("c")])
    assert read_registry(journal).records_on("c") == [
        promotion("c", ""),
        promotion("d", "c"),
        archived("c"),
    ]
