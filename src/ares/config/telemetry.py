"""Switches off the telemetry of dependencies: nothing leaves the machine unless configured."""

from __future__ import annotations

import os

SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def switch_off() -> None:
    """Set the switches in this process and its children; call it before a dependency is imported.

    ONNX Runtime reads its switch when it is imported.
    """
    os.environ.update(SWITCHES)
