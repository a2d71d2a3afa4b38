"""Who may probe a venue: the checks before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.sim.serving import serving_in_thread

from ares.bootstrap.probe import ProbeRequest, probe_venue
from ares.config.workspace import Workspace
from ares.domain.errors import UserError


def nothing(_: Any) -> None:
    raise AssertionError("something was sent")


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    for name in ("LIVE", "REHEARSAL_KRAKEN", "REHEARSAL_BINANCE"):
        monkeypatch.delenv(f"{name}_KEY", raising=False)
        monkeypatch.delenv(f"{name}_SECRET", raising=False)
    made, _ = Workspace.init(tmp_path / "w")
    return made


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "agree with --yes"),
        ({"sandbox": True, "venue": "binance"}, "the sandbox of binance: agree with --yes"),
        ({"sandbox": True}, "no sandbox"),
        ({"address": "http://192.0.2.1:8600"}, "not on this machine"),
        ({"agreed": True}, "LIVE_KEY and LIVE_SECRET are not set"),
        ({"address": "http://127.0.0.1:9"}, "REHEARSAL_KRAKEN_KEY and .* are not set"),
        ({"venue": "krakn"}, "did you mean kraken"),
    ],
)
def test_what_is_refused(workspace: Workspace, values: dict[str, Any], words: str) -> None:
    request = ProbeRequest(**{"venue": "kraken", **values})
    with pytest.raises(UserError, match=words):
        probe_venue(workspace, request, nothing, nothing)


def test_a_server_on_this_machine_is_probed_with_the_key_of_its_rehearsal(
    workspace: Workspace,
) -> None:
    venue = "binance"
    plans: list[Any] = []
    found: list[Any] = []
    with serving_in_thread(venue, speed=1.0) as served:
        key, stem = served.key("engine"), f"REHEARSAL_{venue.upper()}"
        text = f"{stem}_KEY={key.key}\n{stem}_SECRET={key.secret}\n"
        (workspace.root / ".env").write_text(text)
        request = ProbeRequest(venue, address=served.address)
        probe_venue(workspace, request, plans.append, found.append)
    assert plans[0].symbol == "BTC/USDT"
    assert [t for t in found if t.agrees is False] == []
    lock = next(t for t in found if "locks" in t.trait)
    assert "holds other BTC" in lock.found, "a sale would have sold what is not the probe's"
