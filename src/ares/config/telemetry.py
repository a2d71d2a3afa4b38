"""The dependencies' telemetry, off: nothing leaves the machine that its user did not configure."""

from __future__ import annotations

import os

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def switch_off() -> None:
    """Set the switches in this process and its children; call it before a dependency is imported.

    ONNX Runtime reads its switch while it is imported: later is too late.
    """
    os.environ.update(SWITCHES)
