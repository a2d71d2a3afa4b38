"""Every command that a page shows is one that exists: nouns, verbs, options and arguments."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from ares.cli.main import NOUNS, load

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
"""A block of code: its language and its text."""

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def commands(page: Path) -> list[str]:
    """Return each ``ares`` command of a page's code blocks, without its comment."""
    found: list[str] = []
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    shell = [block for language, block in blocks if language in ("", "sh")]
    for line in "\n".join(shell).splitlines():
        text = re.sub(r"\s+#.*", "", line)
        for part in re.split(r"&&|;|\|\||\s{3,}|\bdo\b", text):
            command = re.sub(r"^([A-Z_]+=\S+ )+(?=ares )", "", part.strip())
            if command.startswith("ares "):
                found.append(command)
    return found


SHOWN = [(page, text) for page in PAGES for text in commands(page)]


def test_pages_show_commands() -> None:
    assert len(SHOWN) > 50
    assert {page.name for page, _ in SHOWN} >= {"README.md", "JOURNEY.md", "DEPLOY.md"}


@pytest.mark.parametrize(("page", "text"), SHOWN, ids=lambda value: getattr(value, "name", value))
def test_a_command_of_a_page_exists(page: Path, text: str) -> None:
    _, noun, *words = shlex.split(text)
    assert noun in NOUNS, f"{page.name}: ares {noun} does not exist"
    command = load(noun)
    context = None
    while getattr(command, "commands", None):
        assert words, f"{page.name}: '{text}' lacks a verb"
        assert words[0] in command.commands, f"{page.name}: '{text}': no verb {words[0]}"
        context = typer.Context(command, info_name=noun, parent=context)
        command = command.commands[words.pop(0)]
    try:
        command.make_context(noun, list(words), parent=context)
    except typer.TyperException as error:
        if "does not exist" not in error.format_message():  # a path of the example
            raise AssertionError(f"{page.name}: '{text}': {error.format_message()}") from None


def test_a_wrong_command_would_be_found() -> None:
    with pytest.raises(AssertionError, match="--no-such"):
        test_a_command_of_a_page_exists(ROOT / "README.md", "ares data list --no-such")
    with pytest.raises(AssertionError, match="verb"):
        test_a_command_of_a_page_exists(ROOT / "README.md", "ares data lst")
