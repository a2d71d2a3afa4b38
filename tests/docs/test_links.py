"""The documents keep their promises: links lead somewhere, commands exist, names stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ares.cli.main import NOUNS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_names_the_two_commands_and_only_nouns_that_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
    called = re.findall(r"(?:^|`|&& )ares (\w+)", text, flags=re.MULTILINE)
    assert len(called) >= 10
    assert set(called) <= set(NOUNS)


def test_every_decision_has_its_three_parts() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert len(decisions) >= 4
    for page in decisions:
        text = page.read_text(encoding="utf-8")
        for part in ("**Context.**", "**Decision.**", "**Price.**"):
            assert part in text, f"{page.name}: {part}"
