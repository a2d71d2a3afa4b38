"""The lexicon that scores raw headlines: VADER, with the words of markets that it does not know.

VADER (Hutto & Gilbert 2014) was made for social media: 'Bitcoin crashes as FTX files for
bankruptcy' is neutral to it. The words added here are few and plain, and have a version of their
own; a score carries the name of who gave it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.metadata import version

WORDS_VERSION = 1
"""Raised with every change of ``MARKET_WORDS``: stored scores keep the name of theirs."""

MARKET_WORDS = {
    2.5: "soar soars soared soaring skyrocket skyrockets skyrocketing bullish",
    2.0: "surge surges surged surging rally rallies rallied rallying breakout outperform "
    "outperforms upgrade upgraded ath approval approves approved adoption adopts",
    1.5: "rise rises rising rose climb climbs climbed climbing rebound rebounds rebounded "
    "recover recovers recovered recovery inflow inflows buys bought accumulate accumulates "
    "partnership partners milestone",
    -1.5: "fall falls falling fell drop drops dropped dropping slide slides slid sliding dip dips "
    "decline declines declined declining outflow outflows delay delays delayed volatile "
    "investigation probe subpoena downgrade downgraded",
    -2.0: "tumble tumbles tumbled tumbling slump slumps slumped plunge plunges plunged plunging "
    "selloff sell-off lawsuit sues sued sanctions sanctioned ban bans banned banning "
    "liquidated liquidation liquidations halts halted suspends suspended bearish correction",
    -3.0: "crash crashes crashed crashing collapse collapses collapsed collapsing bankrupt "
    "bankruptcy insolvent insolvency hack hacks hacked hacker hackers exploit exploited rug "
    "ponzi fraud scam scams default defaults stolen depeg depegs depegged",
}
"""Words by valence, in VADER's units of -4 to 4."""

Lexicon = Callable[[str], float]
"""A headline to its score, -1 to 1; 0 where nothing in it is known."""


@lru_cache(maxsize=1)
def lexicon() -> tuple[str, Lexicon]:
    """Return the lexicon's name with its version, and its function.

    >>> _, score = lexicon()
    >>> score("Exchange hacked, coins stolen") < -0.5 < 0.3 < score("ETF approved, bitcoin soars")
    True
    """
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyser = SentimentIntensityAnalyzer()
    for valence, words in MARKET_WORDS.items():
        analyser.lexicon.update(dict.fromkeys(words.split(), valence))
    name = f"vader {version('vaderSentiment')} + market words {WORDS_VERSION}"
    return name, lambda text: float(analyser.polarity_scores(text)["compound"])
