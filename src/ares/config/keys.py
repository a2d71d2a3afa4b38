"""The settings of API keys: how the key file is opened, and how long a key is used."""

from __future__ import annotations

from ares.config.fields import Section, key


class KeysSettings(Section):
    """The key file, keys.vault in this folder; see docs/KEYS.md."""

    passphrase_file: str | None = key(
        None,
        "File whose first line is the passphrase, relative to this folder; only its owner may "
        "read it. null: a systemd credential ares-passphrase, else a prompt.",
        "path",
    )
    keyring: bool = key(
        False,
        "Take the passphrase from the operating system's keyring (pip install "
        "'ares-trading[keyring]'; `ares keys set --keyring` stores it there).",
    )
    rotation_days: int = key(
        90, "Age at which a key is to be replaced by a new one.", "days", ge=1, le=3650
    )
    reminder_days: int = key(
        14, "A start and `ares keys list` remark on it so long before.", "days", ge=0, le=365
    )
