"""A models' journal with a few records, and the makers of such records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.domain.model_life import EnsembleArchived, EnsemblePromoted
from ares.runtime.registry.model_journal import record


def make_archived(name: str) -> EnsembleArchived:
    return EnsembleArchived(name, "now", "me", "test")


def make_promotion(target: str, previous: str, environment: str = "paper") -> EnsemblePromoted:
    return EnsemblePromoted(
        environment, "binance:BTC/USDT", target, previous, "now", "me", "why", True
    )


@pytest.fixture
def archived() -> Callable[..., EnsembleArchived]:
    """Return what makes the record of an archived ensemble."""
    return make_archived


@pytest.fixture
def promotion() -> Callable[..., EnsemblePromoted]:
    """Return what makes the record of a promotion."""
    return make_promotion


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Return the folder of journals, with three records of models in it."""
    record(tmp_path, [make_archived("a"), make_archived("b")])
    record(tmp_path, [make_promotion("c", "")])
    return tmp_path
