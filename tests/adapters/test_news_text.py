"""Text from outside is one line that no terminal obeys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.adapters.news_text import one_line


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_nothing_is_left_that_a_terminal_or_a_database_refuses(text: str) -> None:
    clean = one_line(text)
    clean.encode()
    assert clean == one_line(clean) == clean.strip()
    assert not any(ord(mark) < 0x20 or 0x7F <= ord(mark) <= 0x9F for mark in clean)
    assert not any(mark in clean for mark in "\u202e\u2066")


def test_readable_text_stays() -> None:
    assert one_line("Bitcoin at 50’000 – ₿ 🚀") == "Bitcoin at 50’000 – ₿ 🚀"
