"""The passphrase: of the first source that is set, and of no other."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from ares.domain.errors import UserError
from ares.security.passphrase import PassphraseSources, passphrase, store_in_keyring

NOTHING: dict[str, str] = {}


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_gives_its_first_line(tmp_path: Path) -> None:
    path = private(tmp_path / "p", "a pass phrase\r\nrest\n")
    assert passphrase(PassphraseSources(file=path)) == b"a pass phrase"
    with pytest.raises(UserError, match="chmod 600"):
        passphrase(PassphraseSources(file=private(path, "x", 0o640)))
    with pytest.raises(UserError, match="holds no passphrase"):
        passphrase(PassphraseSources(file=private(path, "\nx")))
    with pytest.raises(UserError, match="cannot be read: No such file"):
        passphrase(PassphraseSources(file=tmp_path / "none", prompt=lambda _: "typed"))


def test_a_pipe_gives_what_a_parent_wrote() -> None:
    read, write = os.pipe()
    os.write(write, b"of the pipe\n")
    os.close(write)
    assert passphrase(PassphraseSources(read)) == b"of the pipe"
    read, write = os.pipe()
    os.close(write)
    with pytest.raises(UserError, match=r"--passphrase-fd .* holds no passphrase"):
        passphrase(PassphraseSources(read))
    with pytest.raises(UserError, match="cannot be read"):
        passphrase(PassphraseSources(read))


def test_a_systemd_credential(tmp_path: Path) -> None:
    sources = PassphraseSources(
        environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}, prompt=lambda _: "typed"
    )
    with pytest.raises(UserError, match="systemd credential 'ares-passphrase' is missing in"):
        passphrase(sources)
    private(tmp_path / "ares-passphrase", "of systemd", 0o400)
    assert passphrase(sources) == b"of systemd"


def test_a_person_types_a_new_one_twice() -> None:
    typed = iter(["one", "one", "one", "two"])
    sources = PassphraseSources(environ=NOTHING, prompt=lambda _: next(typed))
    assert passphrase(sources, is_new=True) == b"one"
    with pytest.raises(UserError, match="the two passphrases differ"):
        passphrase(sources, is_new=True)
    with pytest.raises(UserError, match="the passphrase of the key file is needed"):
        passphrase(PassphraseSources(environ=NOTHING))


def test_a_keyring_is_used_where_it_keeps_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    stored: dict[tuple[str, str], str] = {}
    secure = type("Backend", (), {"__module__": "keyring.backends.SecretService"})
    plain = type("Backend", (), {"__module__": "keyrings.alt.file"})
    module = SimpleNamespace(
        get_keyring=secure,
        get_password=lambda service, account: stored.get((service, account)),
        set_password=lambda service, account, text: stored.update({(service, account): text}),
    )
    monkeypatch.setitem(sys.modules, "keyring", module)
    sources = PassphraseSources(keyring="w", environ=NOTHING)
    with pytest.raises(UserError, match="the keyring has no passphrase of w"):
        passphrase(sources)
    store_in_keyring("w", b"kept")
    assert passphrase(sources) == b"kept"
    module.get_keyring = plain
    with pytest.raises(UserError, match=r"keyrings.alt.file keeps no secret"):
        passphrase(sources)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(UserError, match="no keyring is installed"):
        passphrase(sources)
