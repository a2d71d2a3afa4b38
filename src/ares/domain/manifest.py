"""What travels with models from one workspace to another: the list of files, and their past."""

from __future__ import annotations

import msgspec

from ares.domain.model_life import VerdictRecorded
from ares.domain.trial import Trial

MANIFEST_FILE = "manifest.json"
LIFE_FILE = "life.json"
VERDICTS = "verdicts"
FORMAT = 1


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an export holds, so that whoever takes it in can tell whether it is whole and fits.

    ensemble, instrument : hash and key; empty where a single package travels.
    features_hash, kernel_hash : of the columns, and of the code that computes and trades.
    opsets  : by package ``name/version``, the graph's opset of each ONNX domain.
    answers : by package, its probabilities on the rows that ``runtime.model_export.probe`` makes:
              the other machine must come to the same.
    files   : SHA-256 of every other file, by its name in the export.
    """

    format: int = FORMAT
    ensemble: str
    instrument: str
    features_hash: str
    kernel_hash: str
    opsets: dict[str, dict[str, int]]
    answers: dict[str, list[float]]
    files: dict[str, str]


class EnsembleHistory(msgspec.Struct, frozen=True):
    """What is known of an ensemble where it was made.

    judged : the newest verdict for each environment; its file lies under ``verdicts/``.
    trials : every recipe tried on its instrument, so that none is forgotten on the way.
    """

    judged: tuple[VerdictRecorded, ...] = ()
    trials: tuple[Trial, ...] = ()


def json_bytes(value: Manifest | EnsembleHistory) -> bytes:
    """Return the file's content: equal values give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=2) + b"\n"
