"""A process of low priority is so for the whole machine, not only within its session."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ares.adapters import priority

CHILD = """
import os
from ares.adapters.priority import AUTOGROUP, lower_priority
assert lower_priority(by=7)
print(os.getpriority(os.PRIO_PROCESS, 0), AUTOGROUP.read_text() if AUTOGROUP.exists() else "")
"""


def lowered(own_session: bool) -> tuple[int, str]:
    """Return the niceness of a child that has lowered its priority, and its session's."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD], start_new_session=own_session, capture_output=True,
        text=True, check=True, timeout=60,
    )  # fmt: skip
    niceness, _, group = done.stdout.strip().partition(" ")
    return int(niceness), group


def test_a_child_is_lowered() -> None:
    niceness, _ = lowered(own_session=False)
    assert niceness == min(os.getpriority(os.PRIO_PROCESS, 0) + 7, 19)


@pytest.mark.skipif(not priority.AUTOGROUP.exists(), reason="a kernel without autogroup")
def test_a_session_of_its_own_is_lowered_as_a_whole() -> None:
    niceness, group = lowered(own_session=True)
    assert group.endswith(f"nice {niceness}")


@pytest.mark.skipif(not priority.AUTOGROUP.exists(), reason="a kernel without autogroup")
def test_a_child_in_its_parents_session_leaves_the_session_alone() -> None:
    before = priority.AUTOGROUP.read_text()
    lowered(own_session=False)
    assert priority.AUTOGROUP.read_text() == before


def test_without_permission_the_priority_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "setpriority", refuse)
    assert not priority.set_niceness(-10)
