"""A process whose memory others cannot take."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ares.domain.api_key import ApiKey
from ares.security.process_memory import LockedBytes, LockedKey

PROGRAM = """
import resource
from pathlib import Path
from ares.security.process_memory import keep_private, lock_memory
problems = keep_private()
lock_memory()
assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
import ctypes
assert problems or ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE
print("ok")
"""


def test_a_process_is_not_dumped() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True
    )
    assert done.stdout == "ok\n", done.stderr


def test_a_key_is_read_and_wiped() -> None:
    held = LockedKey(ApiKey("k", "s"))
    assert held.read() == ApiKey("k", "s")
    held.wipe()
    with pytest.raises(Exception, match=r".*"):
        held.read()
    assert LockedBytes(b"").read() == b""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_its_pages_are_locked_and_kept_out_of_dumps() -> None:
    held = LockedBytes(b"x" * 100)
    if not held.is_locked:
        pytest.skip("RLIMIT_MEMLOCK allows no locked page here")
    text = Path("/proc/self/smaps").read_text()
    assert any("lo" in line and "dd" in line for line in text.split("VmFlags:")[1:])
