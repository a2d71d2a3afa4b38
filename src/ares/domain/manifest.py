"""What an export holds beside its models: the list of its files, and the models' history."""

from __future__ import annotations

import msgspec

from ares.domain.formats import EXPORT_FORMAT
from ares.domain.model_life import VerdictRecorded
from ares.domain.trial import Trial

MANIFEST_FILE = "manifest.json"
HISTORY_FILE = "history.json"
VERDICTS = "verdicts"


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds, from which an import checks that it is complete and fits.

    ensemble, instrument : hash and key; empty where a single package travels.
    features_hash, kernel_hash : of the columns, and of the code that computes and trades.
    opsets  : by package ``name/version``, the graph's opset of each ONNX domain.
    outputs : by package, its probabilities on the rows of ``runtime.lifecycle.model_export.probe``:
              the other machine must compute the same.
    files   : SHA-256 of every other file, by its name in the export.
    """

    format: int = EXPORT_FORMAT
    ensemble: str
    instrument: str
    features_hash: str
    kernel_hash: str
    opsets: dict[str, dict[str, int]]
    outputs: dict[str, list[float]]
    files: dict[str, str]


class EnsembleHistory(msgspec.Struct, frozen=True):
    """The history of an ensemble in the workspace that made it.

    verdicts : the newest for each environment; its file lies under ``verdicts/``.
    trials   : every recipe tried on its instrument: they count in later verdicts elsewhere too.
    """

    verdicts: tuple[VerdictRecorded, ...] = ()
    trials: tuple[Trial, ...] = ()


def json_bytes(value: Manifest | EnsembleHistory) -> bytes:
    """Return the file's content: equal values give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"
