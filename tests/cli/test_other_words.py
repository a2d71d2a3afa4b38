"""Words of other tools are answered with ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ares.cli.main import NOUNS, run
from ares.cli.other_words import COMMANDS, OPTIONS, VALUES
from ares.config.workspace import Workspace


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("backtest", "--timerange", "20240101-"), "--from 2024-01-01 --to 2024-02-01"),
        (("download-data",), "ares data fetch"),
        (("dry-run",), "ares run --env paper"),
        (("list-pairs",), "ares data list"),
        (("train", "--force-price-only"), "ares train --price-only"),
        (("run", "--paper-trading"), "ares run --env paper"),
        (("deploy", "--phase", "1"), "ares run --env paper"),
        (("deploy", "phase1"), "ares run --env paper"),
        (("hyperopt",), "ares sweep"),
    ],
)
def test_a_word_of_another_tool_is_answered(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


def test_the_name_of_another_tools_model_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Workspace.init(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert run(["backtest", "--model", "ml_basic"]) == 2
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line == "ares: no model 'ml_basic': " + (
        "write `ares backtest` alone: the champion, else the newest model"
    )


def test_an_unknown_word_has_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["frobnicate"]) == 2
    assert "write" not in capsys.readouterr().err


def test_the_answers_name_commands_that_exist() -> None:
    coming = {"sweep"}
    for text in (*COMMANDS.values(), *OPTIONS.values(), *VALUES.values()):
        for noun in re.findall(r"`ares (\w+)", text):
            assert noun in NOUNS.keys() | coming, text
