"""External series of a model: their order is that of its last columns."""

from __future__ import annotations

from ares.domain.series import SENTIMENT, SentimentSpec, ValueSpec, all_series


def test_sentiment_comes_first_and_the_others_keep_their_order() -> None:
    values = (ValueSpec("funding"), ValueSpec("fear_greed"))
    assert [spec.name for spec in all_series(SentimentSpec(), values)] == [
        SENTIMENT,
        "funding",
        "fear_greed",
    ]
    assert all_series(None, values) == values
    assert all_series(None, ()) == ()
