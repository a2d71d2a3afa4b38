"""The telemetry of dependencies is off in this process and in its children."""

from __future__ import annotations

import os
import subprocess
import sys

from ares.config.telemetry import SWITCHES

OFF = "import ares.config.telemetry as t; t.switch_off(); "
SHOW = f"import os; print(*(os.environ[name] for name in {tuple(SWITCHES)!r}))"
CHILD = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SHOW!r}], check=True)"


def test_the_switches_are_set_and_inherited() -> None:
    clean = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    for program in (OFF + SHOW, OFF + CHILD):
        done = subprocess.run(
            [sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == list(SWITCHES.values())
