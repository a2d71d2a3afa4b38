"""Fixtures that several parts share."""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from ares.kernel.features.user import UserFeatures

# The same examples on every run, so that a red test is about the change; `make explore` draws anew.
# How long an example takes says how busy the machine is, and makes no test red.
UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", UNTIMED, derandomize=True)
settings.register_profile("explore", UNTIMED, print_blob=True)
settings.load_profile(os.environ.get("ARES_EXAMPLES", "same"))


@pytest.fixture(scope="session")
def ares_data() -> Path:
    """Return the folder of real candles; skip, saying why, where it is absent (never in CI)."""
    root = Path(__file__).parent.parent
    folder = Path(os.environ.get("ARES_DATA", root / ".." / "shared" / "data")).resolve()
    if not (folder / "binance").is_dir():
        reason = f"no real candles at {folder}: set ARES_DATA"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


@pytest.fixture
def archived_root(tmp_path: Path) -> Path:
    """Return the folder of a workspace that an earlier version wrote: models, a verdict, a run."""
    archive = Path(__file__).parent / "fixtures" / "workspace.tar.xz"
    with tarfile.open(archive, mode="r:xz") as tar:
        tar.extractall(tmp_path / "archived", filter="data")
    return tmp_path / "archived"


@dataclass(frozen=True)
class UserModule:
    """A file ``mine.py`` with a user's features.

    head : the lines that every such module begins with; good : two features that may be used.
    """

    folder: Path
    head: str = "from ares.kernel.features.user import feature\nimport numpy as np\n"
    good: str = """
@feature(warmup_bars=50)
def from_high(bars):
    return bars.close[-1] / bars.high.max() - 1.0

@feature(warmup_bars=1)
def busy(bars):
    return float(bars.volume[-1] > 0)
"""

    def load(self, source: str) -> UserFeatures:
        """Write the module, ``source`` after the head, and load its features."""
        from ares.adapters.user_module import load_user_features

        (self.folder / "mine.py").write_text(self.head + source)
        return load_user_features("mine.py", self.folder)


@pytest.fixture
def user_module(tmp_path: Path) -> UserModule:
    """Return a user's module in the folder of the test."""
    return UserModule(tmp_path)
