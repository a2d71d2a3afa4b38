"""Keys: the seed's are always the same; a file is written once, then read, or refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.domain.errors import UserError
from ares.sim.serve.keys import default_keys, keys_of_file


def test_the_keys_of_a_seed_are_the_same_and_differ_in_their_rights() -> None:
    keys = default_keys(3)
    assert keys == default_keys(3)
    assert len({key.key for key in keys} | {key.key for key in default_keys(4)}) == 6
    rights = {key.name: key.rights for key in keys}
    assert rights["reader"] == ("query",)
    assert "trade" not in rights["watchdog"]


def test_a_key_file_is_written_once_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    assert keys_of_file(path, default_keys(1)) == default_keys(1)
    assert keys_of_file(path, default_keys(2)) == default_keys(1)


@pytest.mark.parametrize(
    "content",
    [
        "x",
        '[{"name": "a"}]',
        '[{"name": "a", "key": "k", "secret": "not base64!"}]',
        '[{"name": "a", "key": "k", "secret": "YQ==", "rights": ["steal"]}]',
    ],
)
def test_a_wrong_key_file_is_one_line(content: str, tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(UserError, match="--key-file"):
        keys_of_file(path, [])
