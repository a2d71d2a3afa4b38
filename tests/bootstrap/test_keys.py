"""Keys of a workspace against a server that tells what they may do."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.sim.serving import Served, serving_in_thread

from ares.bootstrap import keys as composed
from ares.bootstrap.keys import (
    NewKey,
    check_key,
    due_text,
    import_keys,
    key_remarks,
    open_vault,
    rotate_key,
    set_key,
    stored_keys,
)
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.security.passphrase import PassphraseSources
from ares.security.vault import KeyVault
from ares.security.vault_format import KdfCost

NAME = "rehearsal/kraken"
WRONG = ApiKey("a-key-of-nobody", "c2VjcmV0")
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving_in_thread("kraken", speed=1.0) as scene:
        yield scene


def key(served: Served, name: str = "engine") -> ApiKey:
    found = served.key(name)
    return ApiKey(found.key, found.secret)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found, _ = Workspace.init(tmp_path / "w")
    path = found.settings_path
    path.write_text(path.read_text().replace("venue: binance", "venue: kraken"))
    return found


@pytest.fixture
def vault(workspace: Workspace) -> KeyVault:
    return KeyVault.create(workspace.keys_path, b"pass", KdfCost(64, 1, 1))


def test_a_key_is_stored_and_proven(workspace: Workspace, vault: KeyVault, served: Served) -> None:
    set_key(workspace, vault, NAME, NewKey(key(served)))
    (entry,) = stored_keys(workspace)
    assert (entry.name, entry.venue, entry.proven_ms, entry.rotate_days) == (NAME, "kraken", 0, 90)
    found = check_key(vault, NAME, served.address)
    assert found.problems == ()
    assert found.rights is not None
    assert found.rights.can_trade
    assert not found.rights.can_withdraw
    assert any("bound to no address" in text for text in found.remarks)
    assert stored_keys(workspace)[0].proven_ms > 0


def test_a_key_that_withdraws_is_refused(
    workspace: Workspace, vault: KeyVault, served: Served
) -> None:
    owner = key(served, "owner")
    set_key(workspace, vault, NAME, NewKey(owner))
    (problem,) = check_key(vault, NAME, served.address).problems
    assert "it can withdraw" in problem
    assert stored_keys(workspace)[0].proven_ms == 0
    set_key(workspace, vault, NAME, NewKey(owner, allows=("withdraw",)))
    assert check_key(vault, NAME, served.address).problems == ()


def test_the_old_key_is_kept_until_the_new_one_is_proven(
    workspace: Workspace, vault: KeyVault, served: Served
) -> None:
    old, new = key(served), key(served, "watchdog")
    name = f"{NAME}-watchdog"
    set_key(workspace, vault, name, NewKey(old))
    with pytest.raises(ExternalError, match=r"kraken at http://127\.0\.0\.1:9"):
        rotate_key(vault, name, new, NOWHERE)
    assert vault.key(name) == old
    assert vault.key(name, pending=True) == new
    assert "waits to be proven" in due_text(workspace, stored_keys(workspace)[0])
    assert check_key(vault, name, served.address).pending
    assert vault.key(name) == new
    assert not vault.entry(name).pending
    assert vault.entry(name).proven_ms >= vault.entry(name).made_ms


def test_a_new_key_that_is_refused_is_forgotten(
    workspace: Workspace, vault: KeyVault, served: Served
) -> None:
    set_key(workspace, vault, NAME, NewKey(key(served)))
    assert "EAPI:Invalid key" in rotate_key(vault, NAME, WRONG, served.address).problems[0]
    assert vault.key(NAME) == key(served)
    assert not vault.entry(NAME).pending
    with pytest.raises(UserError, match="is the one in use"):
        rotate_key(vault, NAME, key(served), served.address)


@pytest.mark.parametrize("writes", [0, 1])
def test_a_full_disk_during_a_rotation_loses_no_key(
    workspace: Workspace,
    vault: KeyVault,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    writes: int,
) -> None:
    """Full at the first write: the old key is there. At the second: the old, and the new one."""
    old, new = key(served), key(served, "watchdog")
    name = f"{NAME}-watchdog"
    set_key(workspace, vault, name, NewKey(old))
    sync, done = os.fsync, list[int]()

    def full(handle: int) -> None:
        if len(done) >= 2 * writes:  # a write syncs the file and its folder
            raise OSError(errno.ENOSPC, "No space left on device")
        done.append(handle)
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            rotate_key(vault, name, new, served.address)
    again = KeyVault.open(workspace.keys_path, b"pass")
    assert again.key(name) == old
    assert bool(again.entry(name).pending) == bool(writes)
    if writes:
        check_key(again, name, served.address)
        assert again.key(name) == new


@pytest.mark.parametrize(
    ("name", "venue", "text"),
    [
        ("kraken", None, "is not the name of a key"),
        ("live/", None, "is not the name of a key"),
        ("paper/kraken", None, "is not the name of a key"),
        ("live/bitstamp", None, "Ares has no keys of 'bitstamp'"),
        ("live/kraken", "binance", "is a key of kraken, not of binance"),
        ("rehearsal/x", "bitstamp", "Ares has no keys of 'bitstamp'"),
    ],
)
def test_names_that_are_none(
    workspace: Workspace, vault: KeyVault, name: str, venue: str | None, text: str
) -> None:
    with pytest.raises(UserError, match=text):
        set_key(workspace, vault, name, NewKey(WRONG, venue))
    assert not workspace.keys_path.exists()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (ApiKey("", "c2VjcmV0"), "is empty"),
        (ApiKey("k", "not base64!"), "character that cannot"),
        (ApiKey("k", "abc"), "is base64"),
        (ApiKey("k\r\nX: y", "c2VjcmV0"), "character that cannot"),
    ],
)
def test_keys_that_are_none(
    workspace: Workspace, vault: KeyVault, wrong: ApiKey, text: str
) -> None:
    with pytest.raises(UserError, match=text):
        set_key(workspace, vault, NAME, NewKey(wrong))
    with pytest.raises(UserError, match="--allow everything: allowed can be withdraw"):
        set_key(workspace, vault, NAME, NewKey(WRONG, allows=("everything",)))


def test_a_key_is_never_sent_to_another_server_than_its_own(
    workspace: Workspace, vault: KeyVault
) -> None:
    set_key(workspace, vault, NAME, NewKey(WRONG))
    set_key(workspace, vault, "live/kraken", NewKey(WRONG))
    with pytest.raises(UserError, match="give its --address"):
        check_key(vault, NAME, None)
    with pytest.raises(UserError, match="is not on this machine"):
        check_key(vault, NAME, "https://example.com")
    with pytest.raises(UserError, match="sent to its venue only"):
        check_key(vault, "live/kraken", "http://127.0.0.1:8600")


def test_keys_in_dotenv_are_imported_and_removed(
    workspace: Workspace, vault: KeyVault, served: Served
) -> None:
    dotenv, found = workspace.root / ".env", key(served)
    dotenv.write_text(
        f"# mine\nREHEARSAL_KRAKEN_KEY={found.key}\nREHEARSAL_KRAKEN_SECRET={found.secret}\n"
        f"ARES_VENUE=kraken\nKRAKEN_API_KEY=half\n"
    )
    dotenv.chmod(0o600)
    assert any("in plain text" in text for text in key_remarks(workspace, NAME))
    names, remarks = import_keys(workspace, vault)
    assert names == [NAME]
    assert "KRAKEN_API_KEY" in remarks[0]
    assert vault.key(NAME) == found
    assert dotenv.read_text() == "# mine\nARES_VENUE=kraken\nKRAKEN_API_KEY=half\n"
    assert dotenv.stat().st_mode & 0o777 == 0o600
    assert key_remarks(workspace, NAME) == []
    assert import_keys(workspace, vault)[0] == []


def test_another_key_in_dotenv_is_not_taken_silently(
    workspace: Workspace, vault: KeyVault, served: Served
) -> None:
    set_key(workspace, vault, NAME, NewKey(key(served)))
    dotenv = workspace.root / ".env"
    text = f"REHEARSAL_KRAKEN_KEY={WRONG.key}\nREHEARSAL_KRAKEN_SECRET={WRONG.secret}\n"
    dotenv.write_text(text)
    with pytest.raises(UserError, match="is another key than rehearsal/kraken"):
        import_keys(workspace, vault)
    assert dotenv.read_text() == text
    assert vault.key(NAME) == key(served)


def test_a_key_is_due_after_its_days(
    workspace: Workspace, vault: KeyVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = set_key(workspace, vault, NAME, NewKey(WRONG, rotate_days=30))
    day_ms = composed.DAY_MS

    def after(days: int) -> str:
        moved = msgspec.structs.replace(entry, made_ms=entry.made_ms - days * day_ms - 1_000)
        return due_text(workspace, moved)

    assert after(10) == ""
    assert "is to be rotated in 9 days" in after(20)
    assert "was to be rotated 11 days ago" in after(40)
    vault.put(msgspec.structs.replace(entry, made_ms=entry.made_ms - 40 * day_ms))
    assert "was to be rotated" in key_remarks(workspace, NAME)[0]
    assert key_remarks(workspace, "live") == []


def test_a_damaged_file_is_a_remark_at_a_start_and_asks_nobody(workspace: Workspace) -> None:
    workspace.keys_path.write_bytes(b"{}")
    assert "is damaged" in key_remarks(workspace, NAME)[0]

    def prompt(_: str) -> str:
        raise AssertionError("nobody is asked")

    with pytest.raises(UserError, match="is damaged"):
        open_vault(workspace, PassphraseSources(environ={}, prompt=prompt))


def test_binance_tells_what_a_key_may_do(workspace: Workspace, vault: KeyVault) -> None:
    with serving_in_thread("binance", speed=1.0) as served:
        for name, problems in (("engine", 0), ("owner", 1), ("reader", 2)):
            stored = f"rehearsal/binance-{name}1"
            set_key(workspace, vault, stored, NewKey(key(served, name), "binance"))
            found = check_key(vault, stored, served.address)
            assert len(found.problems) == problems, found
        assert found.remarks[0].startswith("bound to no address")
