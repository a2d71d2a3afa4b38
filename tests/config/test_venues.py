"""Venues are known by name, wherever a name is written: in the settings and at the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.adapters.candle_names import parse_venue
from ares.config.load import SettingsError, load_settings
from ares.config.settings import Settings
from ares.config.venues import known_venues
from ares.domain.errors import UserError


def test_the_known_venues_are_those_of_ccxt_and_the_simulated_one() -> None:
    import ccxt

    assert known_venues() == {*ccxt.exchanges, "simulated"}


def test_a_venue_nobody_knows_is_refused_with_the_nearest_name() -> None:
    assert parse_venue("Kraken") == "kraken"
    assert parse_venue("simulated") == "simulated"
    with pytest.raises(UserError, match=r"unknown venue 'binanse': did you mean binance\?"):
        parse_venue("binanse")
    with pytest.raises(UserError, match=r"unknown venue 'q': Write its ccxt name, such as bin"):
        parse_venue("q")


def test_the_settings_name_the_line_of_an_unknown_venue(tmp_path: Path) -> None:
    path = tmp_path / "ares.yaml"
    path.write_text("# mine\nvenue: binanse\n")
    with pytest.raises(SettingsError, match=r"ares.yaml, line 2: 'venue': unknown venue 'bin"):
        load_settings(path)
    assert Settings(venue="simulated").venue == "simulated"
