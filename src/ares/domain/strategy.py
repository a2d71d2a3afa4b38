"""A strategy of the user's own, as a recipe and a package name it."""

from __future__ import annotations

import hashlib

import msgspec

Parameter = bool | int | float | str

SOURCE_FILE = "strategy.py"
"""The strategy's source, in a package."""

CALIBRATION_FILE = "calibration.json"
"""What turns a strategy's score into a probability, in a package."""


class StrategySpec(msgspec.Struct, frozen=True):
    """Which strategy a model is: everything that defines its score.

    name        : of its function.
    source_hash : of what its source does, see ``domain.code_hash``.
    parameters  : values of the function's keyword arguments, all of them.
    """

    name: str
    source_hash: str
    parameters: dict[str, Parameter] = {}

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the canonical JSON."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()

    @property
    def column(self) -> str:
        """Return the name of the column with its scores, different for different strategies.

        >>> StrategySpec("sma_cross", "ab", {"fast": 20}).column
        'sma_cross_c2bbc56d'
        """
        return f"{self.name}_{self.hash[:8]}"


class StrategySource(msgspec.Struct, frozen=True):
    """A strategy's source with what is needed to execute it; it can be sent to a worker.

    path       : of its file, for messages.
    parameters : values that replace the defaults of the function's keyword arguments.
    """

    path: str
    source: bytes
    name: str
    parameters: dict[str, Parameter] = {}


class Calibration(msgspec.Struct, frozen=True, tag_field="kind", tag="strategy"):
    """The content of ``calibration.json``: p = sigmoid(a * score + b).

    column, n_features : which of the model's input columns has the score, of how many.
    """

    column: int
    n_features: int
    a: float
    b: float
