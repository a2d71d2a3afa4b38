"""docs/REFUSALS.md has every code, halt and difference of the code, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ares.config.load import changed_settings, section_of
from ares.config.settings import Settings
from ares.core import halts
from ares.kernel.trade import layout

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "src" / "ares"
SECTIONS = re.split(r"^## ", (ROOT / "docs" / "REFUSALS.md").read_text("utf-8"), flags=re.MULTILINE)


def table(title: str) -> dict[str, list[str]]:
    """Return the rows of a section's table by the name in their first column."""
    (text,) = [section for section in SECTIONS if section.startswith(title)]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {row[0].strip("`"): row[1:] for row in rows if row and row[0].startswith("`")}


def test_every_code_is_explained() -> None:
    assert table("Codes").keys() == set(layout.REFUSAL_NAMES[1:])
    assert all(row[0] for row in table("Codes").values())


def test_every_code_has_a_constant_that_the_kernel_gives() -> None:
    names = [name for name in vars(layout) if name.startswith("REFUSED_")]
    codes = {getattr(layout, name): name for name in names}
    assert sorted(codes) == list(range(1, len(layout.REFUSAL_NAMES)))
    kernel = (SOURCES / "kernel" / "trade").glob("*.py")
    given = "".join(path.read_text("utf-8") for path in kernel if path.name != "layout.py")
    never = {name for name in names if name not in given}
    assert never == {"REFUSED_COLLAR"}  # of backtests: the simulated venue does not fill it


@pytest.mark.parametrize("row", table("Codes").items(), ids=lambda row: row[0])
def test_a_setting_of_a_code_exists(row: tuple[str, list[str]]) -> None:
    section = ""
    for name in re.findall(r"`([a-z_.]+)`", row[1][1]):
        section = name.rpartition(".")[0] or section
        kind = Settings
        for part in (*section.split("."), name.rpartition(".")[2]):
            assert part in kind.model_fields, name
            kind = section_of(kind, part) or kind  # type: ignore[assignment]  # of a section


def test_every_halt_is_explained() -> None:
    reasons = {value for name, value in vars(halts).items() if name.startswith("BY_")}
    assert table("Halts").keys() == reasons


def test_every_kind_of_difference_is_explained() -> None:
    text = "".join(path.read_text("utf-8") for path in (SOURCES / "core").glob("*.py"))
    found = set(re.findall(r"""differ\(\s*state,[^"]*?"([a-z_]+)\"""", text, re.DOTALL))
    booked = set(re.findall(r'"((?:beyond|wrong)_[a-z]+)"', text))
    assert table("Differences").keys() == found | booked


def test_the_settings_of_live_are_no_live_settings() -> None:
    _, settings = changed_settings(Settings(), "live_trading.order_quote_max=100")
    assert settings.live_trading.order_quote_max == 100.0
