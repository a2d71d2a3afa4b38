"""The manifest and the history of an export: equal values give equal bytes."""

from __future__ import annotations

import msgspec

from ares.domain.formats import EXPORT_FORMAT
from ares.domain.manifest import EnsembleHistory, Manifest, json_bytes
from ares.domain.model import Validation
from ares.domain.trial import Trial

MANIFEST = Manifest(
    ensemble="e", instrument="binance:BTC/USDT", features_hash="f", kernel_hash="k",
    opsets={"a/1": {"ai.onnx": 17, "ai.onnx.ml": 3}}, outputs={"a/1": [0.5, 0.25]},
    files={"model.onnx": "x", "history.json": "y"},
)  # fmt: skip


def test_the_order_in_which_files_were_added_changes_no_byte() -> None:
    turned = msgspec.structs.replace(
        MANIFEST,
        opsets={"a/1": dict(reversed(MANIFEST.opsets["a/1"].items()))},
        files=dict(reversed(MANIFEST.files.items())),
    )
    assert list(turned.files) != list(MANIFEST.files)
    assert json_bytes(turned) == json_bytes(MANIFEST)
    other = msgspec.structs.replace(MANIFEST, outputs={"a/1": [0.5, 0.2500001]})
    assert json_bytes(other) != json_bytes(MANIFEST)


def test_both_files_read_back_with_the_format_that_wrote_them() -> None:
    read = msgspec.json.decode(json_bytes(MANIFEST), type=Manifest)
    assert read == MANIFEST
    assert read.format == EXPORT_FORMAT
    trial = Trial("package", "universe", "1h", "r", "a/1", "d", 0, 1, Validation(), "now")
    history = EnsembleHistory((), (trial,))
    content = json_bytes(history)
    assert msgspec.json.decode(content, type=EnsembleHistory) == history
    assert content.endswith(b"}\n")
