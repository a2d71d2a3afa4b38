"""What the models' journal amounts to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ares.runtime.registry.model_journal import (
    read_registry,
    record,
)


def test_what_happened_to_a_model_comes_in_order(
    journal: Path, archived: Callable[..., Any], promotion: Callable[..., Any]
) -> None:
    record(journal, [promotion("d", "c"), archived("c")])
    assert read_registry(journal).records_on("c") == [
        promotion("c", ""),
        promotion("d", "c"),
        archived("c"),
    ]
