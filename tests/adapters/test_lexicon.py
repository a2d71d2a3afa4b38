"""Headlines scored by the lexicon: words of markets count, and the name carries the version."""

from __future__ import annotations

import pytest

from ares.adapters.lexicon import MARKET_WORDS, WORDS_VERSION, lexicon


@pytest.mark.parametrize("valence", list(MARKET_WORDS))
def test_each_word_has_its_sign(valence: float) -> None:
    _, score = lexicon()
    for word in MARKET_WORDS[valence].split():
        assert score(f"Bitcoin {word}") * valence > 0, word


def test_a_score_is_within_its_range_and_unknown_words_are_neutral() -> None:
    name, score = lexicon()
    assert name.endswith(f"market words {WORDS_VERSION}")
    assert score("") == score("xqj zqx") == 0.0
    for words in MARKET_WORDS.values():
        assert -1.0 <= score(words * 3) <= 1.0
