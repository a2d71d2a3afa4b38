"""scripts/check_names.py: names in standard terms, and no two public classes of one name."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_names.py"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("check_names", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_names"] = module
    spec.loader.exec_module(module)
    return module


def test_the_sources_have_no_name_that_is_not_allowed(check: ModuleType) -> None:
    assert [str(problem) for problem in check.old_words(check.ROOT)] == []


def test_no_two_public_classes_share_a_name(check: ModuleType) -> None:
    assert [str(problem) for problem in check.same_classes(check.ROOT)] == []


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("class CourtRules: ...", "CourtRules"),
        ("def hear_now(): ...", "hear_now"),
        ("async def crown(): ...", "crown"),
        ("def f(*, said): ...", "said"),
        ("SAID_EDGE = 1", "SAID_EDGE"),
        ("for one in (): ...", "one"),
        ("row.place = 2", "place"),
        ("f(mine=1)", "mine"),
        ("import numpy as witness", "witness"),
        ("match 1:\n    case told: ...", "told"),
        ("match ():\n    case (*theirs,): ...", "theirs"),
    ],
)
def test_a_planted_name_is_found(check: ModuleType, tmp_path: Path, source: str, name: str) -> None:
    (tmp_path / "planted.py").write_text(source)
    assert [problem.name for problem in check.old_words(tmp_path)] == [name]


def test_texts_and_longer_words_are_left_alone(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "fine.py").write_text('"""The court said."""\nchoose_one = placed = sheared = 1')
    assert check.old_words(tmp_path) == []


def test_the_name_of_a_module_is_read_too(check: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "lessons.py").write_text("")
    assert [problem.name for problem in check.old_words(tmp_path)] == ["lessons"]


def test_a_second_public_class_of_a_name_is_found(check: ModuleType, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("class Rules: ...\n\nclass _Own: ...\n")
    assert [str(problem) for problem in check.same_classes(tmp_path)] == [
        "b.py:1: Rules: is a class of a.py too"
    ]
