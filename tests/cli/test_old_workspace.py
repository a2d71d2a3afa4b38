"""A workspace that an older version of Ares wrote is refused in one line that says what to do."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ares.config.workspace import Workspace
from ares.journal.log import HEAD, LENGTH_MASK, chain, read

Ares = Callable[..., tuple[int, str, str]]

RUN_COMMANDS = (
    ("certify",), ("restep",), ("why", "BTC/USDT"), ("models", "ab"), ("learn", "status"),
    ("run", "--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00", "--run"),
)  # fmt: skip
"""Commands that open the journal of a run; the last takes the run's name."""

MODEL_COMMANDS = (
    ("models", "list"), ("models", "list", "--json"), ("models", "show", "BTC/USDT"),
    ("models", "validate", "ETH/USDT"), ("models", "promote", "ETH/USDT"),
    ("models", "rollback", "BTC/USDT"), ("models", "archive", "ETH/USDT"),
    ("models", "export", "BTC/USDT", "out"), ("models", "sync"), ("deploy", "status"),
    ("backtest", "-s", "BTC/USDT"), ("train", "-s", "BTC/USDT"),
    ("run", "--from", "2024-01-02T01:00", "--to", "2024-01-02T07:00"),
)  # fmt: skip
"""Commands that open the models' journal."""


def as_format_2(folder: Path) -> None:
    """Write a journal again as commit 5650984 did: its chain begins with ``ares journal 2``."""
    payloads = list(read(folder))
    for path in folder.glob("*.journal"):
        path.unlink()
    before = hashlib.blake2b(b"ares journal 2", digest_size=16).digest()
    raw = b""
    for payload in payloads:
        before = chain(before, payload)
        raw += HEAD.pack(len(payload), len(payload) ^ LENGTH_MASK, before) + payload
    (folder / "000001.journal").write_bytes(raw)


def everything(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def refused(answer: tuple[int, str, str], journal: Path) -> None:
    code, out, err = answer
    assert (code, out) == (2, "")
    (line,) = [line for line in err.splitlines() if line.startswith("ares: ")]
    assert err.endswith(line + "\n"), "besides it only progress"
    assert line.startswith(f"ares: journal {journal} has format 2, written by an older version")
    assert "ares init DIR" in line


@pytest.mark.parametrize("arguments", RUN_COMMANDS, ids=" ".join)
def test_a_run_of_an_older_format_is_refused(
    root: Path, ares: Ares, arguments: tuple[str, ...]
) -> None:
    (folder,) = (Workspace(root).journal_dir / "history").iterdir()
    as_format_2(folder)
    before = everything(folder)
    named = (*arguments, folder.name) if arguments[-1] == "--run" else arguments
    refused(ares(*named), folder)
    assert everything(folder) == before


@pytest.mark.parametrize("arguments", MODEL_COMMANDS, ids=" ".join)
def test_a_models_journal_of_an_older_format_is_refused(
    root: Path, ares: Ares, arguments: tuple[str, ...]
) -> None:
    folder = Workspace(root).journal_dir / "models"
    as_format_2(folder)
    (folder.with_name("models.head")).unlink()
    before = everything(root / "models"), everything(folder)
    refused(ares(*arguments), folder)
    assert (everything(root / "models"), everything(folder)) == before


def test_a_card_of_an_older_format_is_refused(root: Path, ares: Ares) -> None:
    shutil.rmtree(Workspace(root).journal_dir)
    for path in (root / "models" / "packages").rglob("model.json"):
        card = json.loads(path.read_bytes())
        del card["format"]
        path.write_text(json.dumps(card, indent=2, sort_keys=True))
    code, out, err = ares("models", "list")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "model.json has format 1, written by an older version of Ares" in err
