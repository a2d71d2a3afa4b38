"""A rehearsal trades on a server of one's own, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.bootstrap.real_time_plan import RealTimeRequest
from ares.bootstrap.rehearsal import rehearsal_run, rehearsal_server, require_loopback
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import UserError
from ares.security.vault import KeyVault
from ares.security.vault_format import KdfCost, KeyEntry


@pytest.fixture
def kraken(tmp_path: Path) -> Workspace:
    workspace, _ = Workspace.init(tmp_path / "w")
    path = workspace.settings_path
    path.write_text(path.read_text().replace("venue: binance", "venue: kraken"))
    return workspace


@pytest.mark.parametrize(
    "address",
    [
        "https://api.kraken.com",
        "http://192.168.1.2:8600",
        "http://127.0.0.1.example.com:8600",
        "http://8600",
        "127.0.0.1:8600",
        "http://",
    ],
)
def test_only_this_machine_is_a_rehearsal(address: str) -> None:
    with pytest.raises(UserError, match="is not on this machine"):
        require_loopback("kraken", address)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"])
def test_loopback_addresses_are(address: str) -> None:
    assert require_loopback("kraken", address) == address


def test_what_is_missing_is_one_line(kraken: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    here = RealTimeRequest(address="http://127.0.0.1:1")
    with pytest.raises(UserError, match="is no rehearsal: write rehearsal/NAME"):
        rehearsal_run(kraken, "rehearsal/Kraken", here)
    with pytest.raises(UserError, match="needs the --address of its server"):
        rehearsal_run(kraken, "rehearsal/kraken", RealTimeRequest())
    with pytest.raises(UserError, match="REHEARSAL_KRAKEN_KEY and REHEARSAL_KRAKEN_SECRET are not"):
        rehearsal_run(kraken, "rehearsal/kraken", here)
    monkeypatch.setenv("ARES_VENUE", "bitstamp")
    with pytest.raises(UserError, match="bitstamp"):
        rehearsal_run(Workspace(kraken.root), "rehearsal/kraken", here)


def test_a_sandbox_takes_the_place_of_a_server_where_the_venue_has_one(
    kraken: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_LIVE_TRADING__SANDBOX", "true")
    with pytest.raises(UserError, match="kraken has no sandbox"):
        rehearsal_server(Workspace(kraken.root), "rehearsal/kraken", None)
    here = "http://127.0.0.1:1"
    assert rehearsal_server(Workspace(kraken.root), "rehearsal/kraken", here) == here


def test_a_stored_key_needs_a_stream_that_takes_a_token(
    kraken: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is started: the signer sends requests, and signs no stream in."""
    vault = KeyVault.create(kraken.keys_path, b"pass", KdfCost(64, 1, 1))
    vault.put(KeyEntry("rehearsal/b", "binance", 1_000, 90), ApiKey("k", "s"))
    monkeypatch.setenv("ARES_VENUE", "binance")
    here = RealTimeRequest(address="http://127.0.0.1:1")
    with pytest.raises(UserError, match="private stream of binance signs in with the secret"):
        rehearsal_run(Workspace(kraken.root), "rehearsal/b", here)
