"""A module with the user's own features: loaded, hashed by what its code does, checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ares.adapters.user_module import load_user_features
from ares.domain.errors import UserError
from ares.kernel.bars import Bars


def test_a_module_by_its_dotted_name(tmp_path: Path, user_module: Any) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "own.py").write_text(user_module.head + user_module.good)
    assert load_user_features("pack.own", tmp_path).names == ("from_high", "busy")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "has no feature"),
        ("@feature(warmup_bars=0)\ndef f(bars):\n    return 0\n", "whole number from 1 to 256"),
        ("@feature(warmup_bars=2.5)\ndef f(bars):\n    return 0\n", "whole number from 1 to 256"),
        ("@feature(warmup_bars=1)\ndef return_1(bars):\n    return 0\n", "the name is taken"),
        ("def f(:\n", "SyntaxError"),
        ("import no_such_library_here\n", "needs 'no_such_library_here'"),
        ("1 / 0\n", r"ZeroDivisionError: division by zero \(line 3\)"),
    ],
)
def test_a_bad_module_is_one_line(user_module: Any, source: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        user_module.load(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", ["nothing.py", "nothing_here", "not.a.thing"])
def test_no_module_is_one_line(tmp_path: Path, module: str) -> None:
    with pytest.raises(UserError, match="there is no file"):
        load_user_features(module, tmp_path)


def test_what_runs_is_what_is_hashed(tmp_path: Path) -> None:
    """An edit of the same length within a second: an import would run the old compiled file."""
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n"
        "from ares.kernel.features.user import feature\n"
        "@dataclass\nclass Cell:\n    value: float\n"
        "@feature(warmup_bars=1)\ndef f(bars):\n    return Cell(1.0).value\n"
    )
    same = np.ones(2)
    two_bars = Bars.make(np.array([0, 60_000]), same, same, same, same, same)
    found = []
    for number in "123":
        (tmp_path / "mine.py").write_text(source.replace("1.0", f"{number}.0"))
        loaded = load_user_features("mine.py", tmp_path)
        found.append((float(loaded.of(two_bars, 60_000)[-1, 0]), loaded.hash))
    assert [value for value, _ in found] == [1.0, 2.0, 3.0]
    assert len({hash_ for _, hash_ in found}) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["mine.py"]


def test_a_comment_leaves_the_hash_and_a_number_does_not(user_module: Any) -> None:
    plain = user_module.load(user_module.good).hash
    words = user_module.good.replace(
        "def busy(bars):", 'def busy(bars):\n    """Whether anyone traded."""  # or not'
    )
    assert user_module.load(words).hash == plain
    assert user_module.load(user_module.good.replace("> 0", "> 1")).hash != plain


@pytest.mark.parametrize("content", [b"x = '\xff'\n", b"x = 1\0\n", b"def f(:\n"])
def test_a_file_that_is_no_python_is_one_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.py").write_bytes(content)
    with pytest.raises(UserError, match=r"features\.module 'mine\.py' cannot be loaded") as caught:
        load_user_features("mine.py", tmp_path)
    assert "\n" not in str(caught.value)


def test_an_installed_module_is_hashed_by_its_source_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user_module: Any
) -> None:
    (tmp_path / "ares_installed_features.py").write_text(user_module.head + user_module.good)
    monkeypatch.syspath_prepend(tmp_path)
    elsewhere = tmp_path / "workspace"
    elsewhere.mkdir()
    installed = load_user_features("ares_installed_features", elsewhere)
    (elsewhere / "mine.py").write_text("# the same\n" + user_module.head + user_module.good)
    assert installed.hash == load_user_features("mine.py", elsewhere).hash
