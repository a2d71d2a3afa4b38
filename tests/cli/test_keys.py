"""``ares keys`` as a person and a script call it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.sim.serving import Served, serving_in_thread

from ares.cli.main import run
from ares.config.workspace import Workspace


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving_in_thread("kraken", speed=1.0) as scene:
        yield scene


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    workspace, _ = Workspace.init(tmp_path / "w")
    path = workspace.settings_path
    text = path.read_text().replace("venue: binance", "venue: kraken")
    path.write_text(text.replace("passphrase_file: null", "passphrase_file: pass"))
    (workspace.root / "pass").write_text("a passphrase\n")
    (workspace.root / "pass").chmod(0o600)
    monkeypatch.setenv("ARES_WORKSPACE", str(workspace.root))
    return workspace.root


def typed(monkeypatch: pytest.MonkeyPatch, served: Served, name: str) -> None:
    """Let stdin hold a key of the server."""
    key = served.key(name)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{key.key}\n{key.secret}\n"))


def test_from_the_first_key_to_the_last(
    root: Path,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, at = "rehearsal/kraken", ("--address", served.address)
    typed(monkeypatch, served, "owner")
    assert run(["keys", "set", name]) == 0
    assert run(["keys", "check", name, *at]) == 1
    assert "REFUSED: it can withdraw" in capsys.readouterr().out
    typed(monkeypatch, served, "engine")
    assert run(["keys", "rotate", name, *at]) == 0
    capsys.readouterr()
    assert run(["keys", "check", "--json", *at]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["rights"]["can_trade"]
    assert found["problems"] == []
    assert run(["keys", "list", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["venue"], row["remark"]) == (name, "kraken", None)
    assert row["proven"]
    assert run(["keys", "list"]) == 0
    assert name in capsys.readouterr().out
    assert run(["keys", "delete", name]) == 1
    assert run(["keys", "delete", name, "--yes"]) == 0
    assert run(["keys", "list"]) == 0
    assert "no keys" in capsys.readouterr().out


def test_a_rotation_without_an_answer_keeps_both_keys(
    root: Path,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "rehearsal/kraken"
    typed(monkeypatch, served, "engine")
    assert run(["keys", "set", name]) == 0
    typed(monkeypatch, served, "watchdog")
    assert run(["keys", "rotate", name, "--address", "http://127.0.0.1:9"]) == 3
    assert "the old one stays in use" in capsys.readouterr().err
    assert run(["keys", "list"]) == 0
    assert "a new key waits to be proven" in capsys.readouterr().err


def test_what_is_wrong_is_one_line(
    root: Path,
    served: Served,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def line(*arguments: str, code: int = 2) -> str:
        capsys.readouterr()
        assert run(["keys", *arguments]) == code
        found = capsys.readouterr().err.strip()
        assert found.count("\n") == 0
        return found

    assert "does not exist" in line("check", "rehearsal/kraken")
    assert "there is no .env here" in line("set", code=1)
    monkeypatch.setattr(sys, "stdin", io.StringIO("only one line"))
    assert "two lines, the key and its secret" in line("set", "rehearsal/kraken")
    typed(monkeypatch, served, "engine")
    assert run(["keys", "set", "rehearsal/kraken"]) == 0
    assert "give its --address" in line("check", "rehearsal/kraken")
    assert "stored are rehearsal/kraken" in line("check", "live/kraken")
    other = root / "other"
    other.write_text("another passphrase")
    other.chmod(0o600)
    assert "is wrong; nothing was changed" in line(
        "delete", "rehearsal/kraken", "--yes", "--passphrase-file", str(other)
    )
    content = (root / "keys.vault").read_bytes()
    (root / "keys.vault").write_bytes(content.replace(b'"venue": "kraken"', b'"venue": "krakem"'))
    assert "is damaged" in line("list")
    assert "is damaged" in line("check", "--address", served.address)


def test_keys_of_dotenv_are_moved(
    root: Path, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    key = served.key("reader")
    (root / ".env").write_text(
        f"REHEARSAL_KRAKEN_READER_KEY={key.key}\nREHEARSAL_KRAKEN_READER_SECRET={key.secret}\n"
    )
    assert run(["keys", "set"]) == 0
    assert "rehearsal/kraken-reader" in capsys.readouterr().out
    assert (root / ".env").read_text() == ""
    assert key.secret not in (root / "keys.vault").read_text()
