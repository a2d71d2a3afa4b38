"""The priority of a process against all others of the machine."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

AUTOGROUP = Path("/proc/self/autogroup")


def set_niceness(niceness: int) -> bool:
    """Give this process a niceness (20 levels below 0 and 19 above); False where not permitted.

    Linux shares the processor between sessions first (autogroup, on in most distributions), and
    niceness counts inside a session only: a learner in a session of its own would take as much as
    the engine. So the leader of a session sets its session's niceness too.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, niceness)
    except OSError:
        return False
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # no such file without autogroup
            AUTOGROUP.write_text(str(niceness))
    return True


def lower_priority(by: int) -> bool:
    """Let other processes run before this one; False where not permitted."""
    return set_niceness(min(os.getpriority(os.PRIO_PROCESS, 0) + by, 19))
