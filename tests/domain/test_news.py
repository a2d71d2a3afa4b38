"""Two rows of news are the same headline whatever their case and spaces."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.domain.news import MARKET, NewsRow

WORDS = st.lists(st.text("abcdefghij", min_size=1, max_size=8), min_size=1, max_size=6)
SPACES = st.sampled_from([" ", "  ", "\t", " \n"])


def row(headline: str | None) -> NewsRow:
    return NewsRow(0, "wire", MARKET, 0.5, "file", headline)


@given(WORDS, SPACES)
def test_case_and_spaces_do_not_tell_headlines_apart(words: list[str], space: str) -> None:
    assert row(space.join(words).upper()).hash == row(" ".join(words)).hash


@given(WORDS, WORDS)
def test_other_words_do(first: list[str], second: list[str]) -> None:
    equal = row(" ".join(first)).hash == row(" ".join(second)).hash
    assert equal == (first == second)


def test_a_bare_score_has_no_headline_to_hash() -> None:
    assert row(None).hash == ""
