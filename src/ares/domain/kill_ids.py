"""Client ids of the orders that ``ares kill`` and the watchdog send: 32 hex digits."""

from __future__ import annotations

KILL_MARK = "6b696c6c"
"""After the owner's 8 digits; an id of the engine has it once in 4e9 orders, and is known then."""

OWNER_DIGITS, LANE_DIGITS, SESSION_DIGITS, COUNT_DIGITS = 8, 4, 8, 4


def kill_id(owner: str, lane: int, session: str, count: int) -> str:
    """Return the id of the ``count``-th order of one kill for a lane.

    owner : 8 digits of environment and workspace. session: 8 digits, of this kill alone.

    >>> kill_id("0123abcd", lane=2, session="deadbeef", count=1)
    '0123abcd6b696c6c0002deadbeef0001'
    """
    assert len(owner) == OWNER_DIGITS
    assert len(session) == SESSION_DIGITS
    return f"{owner}{KILL_MARK}{lane:04x}{session}{count % 65_536:04x}"


def kill_lane(client_id: str) -> int:
    """Return the lane of such an id; -1: it is another id.

    >>> kill_lane("0123abcd6b696c6c0002deadbeef0001"), kill_lane("0" * 32), kill_lane("")
    (2, -1, -1)
    """
    begin = OWNER_DIGITS + len(KILL_MARK)
    if len(client_id) != 32 or client_id[OWNER_DIGITS:begin] != KILL_MARK:
        return -1
    try:
        return int(client_id[begin : begin + LANE_DIGITS], 16)
    except ValueError:
        return -1
