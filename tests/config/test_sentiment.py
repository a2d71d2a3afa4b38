"""The section ``sentiment``: what it is made into, and mistakes in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.config.load import load_settings
from ares.config.settings import SentimentSettings
from ares.domain.errors import UserError
from ares.domain.series import SentimentSpec


def test_the_defaults_are_those_of_the_spec() -> None:
    assert SentimentSettings().spec == SentimentSpec()


def test_feeds_and_sources(tmp_path: Path) -> None:
    path = tmp_path / "ares.yaml"
    path.write_text(
        "sentiment:\n  sources: [wire]\n  delay_minutes: 30\n  feeds:\n"
        "    - {name: wire, url: 'https://example.org/rss', about: BTC}\n"
    )
    settings = load_settings(path, {}).sentiment
    assert settings.feeds[0].about == "BTC"
    assert settings.spec.delay_ms == 1_800_000
    assert settings.spec.sources == ("wire",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("slow_hours: 20", "must lie between"),
        ("delay_minutes: -1", "line 2"),
        ("feeds: [{name: a, url: 'ftp://x'}]", "url"),
        ("feeds: [{name: a, url: 'http://x'}, {name: a, url: 'http://y'}]", "name of two feeds"),
        ("stale_after_hours: 513", "512"),  # as many hours as the columns remember
        ("sources: ['']", "not a valid name of a source"),
    ],
)
def test_an_error_names_its_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "ares.yaml"
    path.write_text(f"sentiment:\n  {text}\n")
    with pytest.raises(UserError, match=line):
        load_settings(path, {})
