"""The key file: what is stored comes back, and nothing comes back from a file that was changed."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ares.domain.api_key import ApiKey
from ares.domain.errors import ExternalError, UserError
from ares.security.vault import KeyVault, _derived
from ares.security.vault_format import KdfCost, KeyEntry, read_vault, written

CHEAP = KdfCost(memory_kib=64, passes=1, lanes=1)
ENGINE, READER = ApiKey("the-engines-key", "c2VjcmV0"), ApiKey("the-readers-key", "cmVhZA==")


def entry(name: str) -> KeyEntry:
    return KeyEntry(name, "kraken", 1_000, 90)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    vault = KeyVault.create(tmp_path / "keys.vault", b"pass", CHEAP)
    vault.put(entry("rehearsal/kraken"), ENGINE)
    vault.put(entry("rehearsal/kraken-reader"), READER)
    return tmp_path / "keys.vault"


def test_keys_come_back_with_the_passphrase_alone(path: Path) -> None:
    vault = KeyVault.open(path, b"pass")
    assert vault.key("rehearsal/kraken") == ENGINE
    assert vault.key("rehearsal/kraken-reader") == READER
    assert [each.name for each in vault.entries] == ["rehearsal/kraken", "rehearsal/kraken-reader"]
    assert path.stat().st_mode & 0o777 == 0o600
    for text in (*ENGINE, *READER):
        assert text.encode() not in path.read_bytes()
    with pytest.raises(UserError, match=r"the passphrase of .* is wrong"):
        KeyVault.open(path, b"Pass")
    with pytest.raises(UserError, match="no key 'live/kraken'"):
        vault.key("live/kraken")


def test_the_same_key_is_encrypted_differently_each_time(path: Path) -> None:
    vault = KeyVault.open(path, b"pass")
    before = vault.entry("rehearsal/kraken").sealed
    vault.put(entry("rehearsal/kraken"), ENGINE)
    assert vault.entry("rehearsal/kraken").sealed != before


def test_every_changed_byte_is_found(path: Path) -> None:
    """One line, also of a file whose checksum was made again: the seal needs the passphrase."""
    content = path.read_bytes()
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        if path.read_bytes().strip() == content.strip():
            continue
        with pytest.raises(UserError, match="is damaged") as error:
            read_vault(path)
        assert "\n" not in str(error.value)
    for cut in (0, 1, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:cut])
        with pytest.raises(UserError, match="is damaged"):
            read_vault(path)


def test_swapped_entries_do_not_decrypt(path: Path) -> None:
    content, _ = read_vault(path)
    first, second = content.entries
    swapped = (
        msgspec.structs.replace(first, sealed=second.sealed),
        msgspec.structs.replace(second, sealed=first.sealed),
    )
    path.write_bytes(written(msgspec.structs.replace(content, entries=swapped)))
    with pytest.raises(UserError, match="changed without the passphrase"):
        KeyVault.open(path, b"pass")
    # Where the seal is made again, by whoever has the passphrase, the names still bind the keys.
    vault = KeyVault(path, content, read_vault(path)[1], _derived(b"pass", content.salt, CHEAP))
    vault._write(list(swapped))
    vault = KeyVault.open(path, b"pass")
    with pytest.raises(UserError, match="belongs to another entry"):
        vault.key("rehearsal/kraken")


@pytest.mark.parametrize("change", ["allows", "removed", "restored", "cost"])
def test_what_is_readable_cannot_be_altered(path: Path, change: str) -> None:
    content, _ = read_vault(path)
    first, second = content.entries
    changes: dict[str, dict[str, Any]] = {
        "allows": {"entries": (msgspec.structs.replace(first, allows=("withdraw",)), second)},
        "removed": {"entries": (first,)},
        "restored": {"entries": (first, second, entry("live/kraken"))},
        "cost": {"cost": KdfCost(64, 2, 1)},
    }
    path.write_bytes(written(msgspec.structs.replace(content, **changes[change])))
    with pytest.raises(UserError, match=r"is damaged|is wrong"):
        KeyVault.open(path, b"pass")


def test_a_full_disk_loses_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vault, before = KeyVault.open(path, b"pass"), path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            vault.put(entry("rehearsal/kraken"), READER)
        with pytest.raises(OSError, match="No space"):
            vault.delete("rehearsal/kraken")
    assert path.read_bytes() == before
    assert vault.key("rehearsal/kraken") == ENGINE
    assert {each.name for each in path.parent.iterdir()} == {"keys.vault", ".keys.vault.lock"}


def test_another_process_is_not_overwritten(path: Path) -> None:
    first, other = KeyVault.open(path, b"pass"), KeyVault.open(path, b"pass")
    other.delete("rehearsal/kraken-reader")
    with pytest.raises(ExternalError, match="changed meanwhile by another process"):
        first.delete("rehearsal/kraken")
    assert KeyVault.open(path, b"pass").key("rehearsal/kraken") == ENGINE


def test_a_new_key_file_needs_a_passphrase(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="passphrase is empty"):
        KeyVault.create(tmp_path / "keys.vault", b"", CHEAP)
    assert list(tmp_path.iterdir()) == []
