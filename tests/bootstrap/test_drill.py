"""A drill is for rehearsals whose supervisor and server run; `tests/sim/rehearsal` runs one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.bootstrap.drill import drill_rehearsal
from ares.config.workspace import Workspace
from ares.domain.errors import ExternalError, UserError


def test_what_cannot_be_drilled_is_one_line(tmp_path: Path) -> None:
    workspace, _ = Workspace.init(tmp_path / "w")
    for environment in ("live", "paper"):
        with pytest.raises(UserError, match="in a rehearsal/NAME only"):
            drill_rehearsal(workspace, environment, "http://127.0.0.1:1", print)
    with pytest.raises(UserError, match="is not on this machine"):
        drill_rehearsal(workspace, "rehearsal/x", "https://api.kraken.com", print)
    with pytest.raises(ExternalError, match="no `ares up` runs in rehearsal/x"):
        drill_rehearsal(workspace, "rehearsal/x", "http://127.0.0.1:1", print)
