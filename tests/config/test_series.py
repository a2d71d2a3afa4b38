"""The settings of external series: named once, with a staleness each."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.config.load import load_settings
from ares.domain.errors import UserError
from ares.domain.series import SentimentSpec, ValueSpec
from ares.domain.timeframe import HOUR_MS


def loaded(path: Path, text: str) -> tuple[object, ...]:
    path.write_text(text)
    return load_settings(path, {}).series


def test_a_series_is_named_alone_or_with_its_staleness(tmp_path: Path) -> None:
    path = tmp_path / "ares.yaml"
    assert loaded(path, "") == (SentimentSpec(),)
    text = "features:\n  series: [funding, {name: fear_greed, stale_after_hours: 96}]\n"
    funding, index = ValueSpec("funding", 72 * HOUR_MS), ValueSpec("fear_greed", 96 * HOUR_MS)
    assert loaded(path, text) == (SentimentSpec(), funding, index)
    assert loaded(path, text + "sentiment: {enabled: false}\n") == (funding, index)


@pytest.mark.parametrize(
    ("series", "line"),
    [
        ("[a, b, a]", "'a' is listed twice"),
        ("[sentiment]", "'sentiment' is made of news"),
        ("[Fear]", "'Fear' is not a valid name"),
        ("[{name: a, stale_after_hours: 0}]", "stale_after_hours"),
        ("[{stale_after_hours: 5}]", "name"),
        ("fear", "series"),
        ("[7]", "series"),
    ],
)
def test_an_error_names_its_line(tmp_path: Path, series: str, line: str) -> None:
    with pytest.raises(UserError, match=r"line 2") as caught:
        loaded(tmp_path / "ares.yaml", f"features:\n  series: {series}\n")
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
