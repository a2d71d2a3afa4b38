"""What stands in a key file, and what is refused before anything is derived from it."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ares.domain.errors import UserError
from ares.security.vault_format import KdfCost, KeyEntry, VaultContent, read_vault, written

CONTENT = VaultContent(
    1, KdfCost(), b"s" * 16, b"p" * 28, (KeyEntry("live/kraken", "kraken", 7, 90),)
)


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "keys.vault"
    path.write_bytes(written(CONTENT))
    assert read_vault(path)[0] == CONTENT
    assert CONTENT.entries[0].due_ms == 7 + 90 * 86_400_000


@pytest.mark.parametrize(
    "cost",
    [
        KdfCost(1 << 30, 3, 4),
        KdfCost(8, 3, 4),
        KdfCost(64, 0, 1),
        KdfCost(64, 1000, 1),
        KdfCost(64, 1, 0),
    ],
)
def test_a_cost_out_of_range_is_not_paid(tmp_path: Path, cost: KdfCost) -> None:
    path = tmp_path / "keys.vault"
    path.write_bytes(written(msgspec.structs.replace(CONTENT, cost=cost)))
    with pytest.raises(UserError, match="out of range"):
        read_vault(path)


def test_other_files_are_one_line(tmp_path: Path) -> None:
    path = tmp_path / "keys.vault"
    with pytest.raises(UserError, match="does not exist"):
        read_vault(path)
    path.write_bytes(written(msgspec.structs.replace(CONTENT, format=2)))
    with pytest.raises(UserError, match="has format 2"):
        read_vault(path)
    path.write_bytes(written(CONTENT) + b"\nx")
    with pytest.raises(UserError, match="is damaged"):
        read_vault(path)
