"""Settings files: every error is one line that says where it is and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.config.load import SettingsError, changed_settings, load, load_settings
from ares.config.settings import Settings
from ares.domain.errors import UserError
from ares.domain.timeframe import Timeframe

INTERVALS = "timeframes:\n  intervals:\n"


def settings_of(tmp_path: Path, text: str, **environ: str) -> Settings:
    path = tmp_path / "ares.yaml"
    path.write_text(text, encoding="utf-8")
    return load_settings(path, environ)


def error_of(tmp_path: Path, text: str | bytes, **environ: str) -> str:
    path = tmp_path / "ares.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        load_settings(path, environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_an_empty_file_has_all_defaults(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "# nothing\n") == Settings()


def test_values_are_read(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        "symbols: [BTC/EUR]\nrisk:\n  daily_loss_limit: 2e-2\n  orders_per_minute: 1_0\n"
        "timeframes:\n  intervals:\n"
        "    - {interval: 1h, weight: 3}\n    - {interval: 4h, weight: 1}\n"
        "learning: {in_production: no}\n",
    )
    assert settings.symbols == ("BTC/EUR",)
    assert settings.risk.daily_loss_limit == 0.02
    assert settings.risk.orders_per_minute == 10
    assert settings.weights == {Timeframe.H1: 0.75, Timeframe.H4: 0.25}
    assert settings.learning.in_production is False


def test_a_section_whose_keys_are_all_commented_out_has_its_defaults(tmp_path: Path) -> None:
    text = "risk:\n  # daily_loss_limit: 0.02\ncontinuous_learning:\n  retraining:\n"
    assert settings_of(tmp_path, text) == Settings()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (
            "risk:\n  daily_los_limit: 0.1\n",
            ("line 2", "'risk.daily_los_limit'", "did you mean 'daily_loss_limit'"),
        ),
        ("a: 1\nsymbolz: [X/Y]\n", ("line 1", "unknown key 'a'", "(and 1 more")),
        ("symbolz: [X/Y]\n", ("line 1", "did you mean 'symbols'")),
        ("\nmax_drawdown_percent: 10\n", ("line 2", "did you mean 'risk.max_drawdown_percent'")),
        (
            INTERVALS + "    - {interval: 1m, wieght: 1}\n",
            ("line 3", "'timeframes.intervals[0].wieght'", "did you mean 'weight'"),
        ),
        ("risk:\n  daily_loss_limit: 10\n", ("line 2", "10 means 1000%", "write 0.10 for 10%")),
        ("risk:\n  daily_loss_limit: -0.1\n", ("line 2", "above 0")),
        ("breakers:\n  win_rate_min: -0.1\n", ("line 2", "between 0 and 1")),
        ("risk:\n  daily_loss_limit: 0\n", ("line 2", "above 0")),
        (
            "risk:\n  max_position_size_percent: 1.5\n",
            ("line 2", "1.5 means 150%", "write 0.015 for 1.5%"),
        ),
        ("risk:\n  gross_exposure_max: 50\n", ("line 2", "write 0.50 for 50%")),
        ("costs:\n  participation_max: 5\n", ("line 2", "write 0.05 for 5%")),
        ("risk:\n  max_drawdown_percent: 0.15\n", ("line 2", "in percent", "write 15 for 15%")),
        ("risk:\n  max_drawdown_percent: 120\n", ("line 2", "in percent", "at most 100")),
        ("risk:\n  max_drawdown_percent: 0\n", ("line 2", "above 0")),
        ("risk:\n\n  daily_loss_limit: lots\n", ("line 3", '"lots"', "a number is expected")),
        ("risk:\n  daily_loss_limit: true\n", ("line 2", "a number is expected")),
        (
            "risk:\n  daily_loss_limit: .inf\n",
            ("line 2", "'risk.daily_loss_limit'", "finite number"),
        ),
        (
            "risk:\n  daily_loss_limit: .nan\n",
            ("line 2", "'risk.daily_loss_limit'", "finite number"),
        ),
        ("risk:\n  orders_per_minute: 2.5\n", ("line 2", "a whole number is expected")),
        ("live_trading:\n  enabled: 1\n", ("line 2", "true or false is expected")),
        ("live_trading:\n  mode: reel\n", ("line 2", '"reel"', "'paper' or 'live'")),
        ("live_trading:\n  instruments: [BTCUSDT]\n", ("line 2", "write BTC/USDT")),
        ("live_trading:\n  order_quote_max: 0\n", ("line 2", "order_quote_max")),
        ("account:\n  existing: sell\n", ("line 2", "'adopt' or 'ignore'")),
        ("symbols: BTC/USDT\n", ("line 1", "a list such as")),
        ("symbols: []\n", ("line 1", "'symbols' is empty")),
        ("symbols:\n  - BTC/USDT\n  - eth/usdt\n", ("line 3", "write ETH/USDT")),
        ("symbols:\n  - BTCUSDT\n", ("line 2", "'BTCUSDT' is not a symbol: write BTC/USDT")),
        ("symbols:\n  - binance:SOL_USDC\n", ("line 2", "write SOL/USDC")),
        ("symbols:\n  - BTC\n", ("line 2", "write BASE/QUOTE, such as BTC/USDT")),
        ("symbols:\n  - BTC/USDT\n  - ETH/USDT\n  - BTC/USDT\n", ("line 4", "twice")),
        ("symbols:\n  - 5\n", ("line 2", "'symbols[0]'", "a text is expected")),
        ("venue: Binance US\n", ("line 1", "'venue'")),
        ("venue:\n", ("line 1", "'venue' is empty", "a text is expected")),
        ("risk: 0.05\n", ("line 1", "'risk' is 0.05", "a section")),
        ("risk: [1]\n", ("line 1", "a section")),
        (
            INTERVALS + "    - {interval: 1m, weight: 1}\n    - {interval: 1m, weight: 1}\n",
            ("line 4", "'1m' is listed twice"),
        ),
        (INTERVALS + "    - interval: 1m\n      weight: 0\n", ("line 4", "above 0")),
        (INTERVALS + "    - interval: 1m\n", ("line 3", "weight' is missing")),
        (INTERVALS + "    - {interval: 2h, weight: 1}\n", ("line 3", '"2h"', "'1h', '4h' or '1d'")),
        ("timeframes:\n  intervals: []\n", ("line 2", "is empty")),
        ("strategy:\n  edge_bps_exit: 9\n", ("line 2", "below edge_bps_min (5)")),
        (
            "continuous_learning:\n  confidence:\n    hysteresis: 0.9\n",
            ("line 3", "below trading_threshold (0.8)"),
        ),
        ("learning:\n  rows_min: 200000\n", ("line 2", "not be above rows_max")),
        ("risk:\n  order_quote_min: 9000\n", ("line 2", "not be above order_quote_max")),
        ("features:\n  reference: DOGE/USDT\n", ("line 2", "not in symbols")),
        (
            "risk:\n  daily_loss_limit: 0.1\n  daily_loss_limit: 0.2\n",
            ("line 3", "already set in line 2"),
        ),
        ("risk: {}\nvenue: kraken\nrisk: {}\n", ("line 3", "already set in line 1")),
        ("- a\n- b\n", ("line 1", "key: value")),
        ("just words\n", ("line 1", "key: value")),
        ("risk:\n\tdaily_loss_limit: 0.1\n", ("line 2", "tab")),
        ("risk:\n  daily_loss_limit: 0.1\n   orders_per_minute: 3\n", ("line 3", "indentation")),
        ("venue: 'binance\nsymbols: []\n", ("line 1", "never closed")),
        ("symbols: [BTC/USDT\n", ("line 1", "never closed")),
        ("venue: binance\nsymbols\nrisk: {}\n", ("line 2", "without ':'")),
        ("venue: @x\n", ("line 1", "not readable as YAML")),
        ("venue: kraken\n---\nvenue: binance\n", ("line 2", "second document")),
        ("venue: &a [*a]\n", ("line 1", "nested too deep")),
        ("venue: !!python/name:os.system\n", ("line 1", "not readable as YAML")),
        ("{[a]: 1}\n", ("line 1", "one word")),
        (b"venue: kraken\nsymbols: [\xff]\n", ("line 2", "not UTF-8")),
        (b"venue: kraken\n\n# \x00\n", ("line 3", "control character")),
    ],
)
def test_an_error_is_reported_with_its_line(
    tmp_path: Path, text: str | bytes, parts: tuple[str, ...]
) -> None:
    message = error_of(tmp_path, text)
    assert message.startswith("ares.yaml, line ")
    for part in parts:
        assert part in message


def test_all_errors_are_reported_in_the_order_of_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "ares.yaml"
    path.write_text("venue: 7\nrisk:\n  daily_loss_limit: 9\n  foo: 1\nlearner: {latency_ms: x}\n")
    with pytest.raises(SettingsError) as caught:
        load_settings(path, {})
    lines = [int(re.findall(r"line (\d+)", problem)[0]) for problem in caught.value.problems]
    assert lines == [1, 3, 4, 5]
    assert str(caught.value).endswith("(and 3 more: `ares config check` lists them)")


def test_a_missing_file_names_init(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file: run `ares init`"):
        load_settings(tmp_path / "ares.yaml", {})
    with pytest.raises(UserError, match="is a folder"):
        load_settings(tmp_path, {})


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = tmp_path / "ares.yaml"
    path.write_bytes(b"\xef\xbb\xbfvenue: kraken\r\nrisk:\r\n  daily_loss_limit: 0.02\r\n")
    assert load_settings(path, {}).risk.daily_loss_limit == 0.02


def test_the_environment_wins_over_dotenv_and_dotenv_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# remarks\nexport ARES_VENUE=kraken\nARES_RISK__DAILY_LOSS_LIMIT='0.03'\nOTHER=1\n"
    )
    (tmp_path / "ares.yaml").write_text("venue: binance\nrisk:\n  daily_loss_limit: 0.01\n")
    loaded = load(tmp_path / "ares.yaml", {"ARES_RISK__DAILY_LOSS_LIMIT": "0.04", "HOME": "/"})
    assert loaded.settings.venue == "kraken"
    assert loaded.settings.risk.daily_loss_limit == 0.04
    assert loaded.origins["venue"] == ".env, line 2: ARES_VENUE"
    assert loaded.origins["risk.daily_loss_limit"] == "environment: ARES_RISK__DAILY_LOSS_LIMIT"


def test_a_list_and_an_empty_value_can_stand_in_a_variable(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, "database: {url: x}\n", ARES_SYMBOLS="[BTC/EUR, ETH/EUR]", ARES_DATABASE__URL=""
    )
    assert settings.symbols == ("BTC/EUR", "ETH/EUR")
    assert settings.database.url is None


@pytest.mark.parametrize(
    ("name", "value", "parts"),
    [
        ("ARES_RISK__DAILY_LOS_LIMIT", "0.1", ("did you mean 'daily_loss_limit'",)),
        ("ARES_RISC__DAILY_LOSS_LIMIT", "0.1", ("did you mean 'risk'",)),
        ("ARES_RISK__DAILY_LOSS_LIMIT", "10", ("write 0.10 for 10%",)),
        ("ARES_RISK__DAILY_LOSS_LIMIT", "[1", ("a number is expected",)),
        ("ARES_RISK", "0.1", ("is a section",)),
        ("ARES_VENUE__NAME", "x", ("'venue' is a value",)),
    ],
)
def test_an_invalid_variable_is_named(
    tmp_path: Path, name: str, value: str, parts: tuple[str, ...]
) -> None:
    message = error_of(tmp_path, "", **{name: value})
    assert name in message
    for part in parts:
        assert part in message


def test_an_invalid_line_of_dotenv_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ARES_VENUE=kraken\n'oops\n")
    assert ".env, line 2" in error_of(tmp_path, "")


def test_variables_that_are_not_settings_are_ignored(tmp_path: Path) -> None:
    assert settings_of(tmp_path, "", ARES_WORKSPACE="x", ARES_DATA="y", RISK__FOO="1") == Settings()


def test_the_former_name_of_a_section_stays_valid(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path, "rollout:\n  shadow_hours: 7\n", ARES_ROLLOUT__CANARY_HOURS="9"
    )
    assert (settings.challenger.shadow_hours, settings.challenger.canary_hours) == (7.0, 9.0)
    assert (
        settings.hash
        == settings_of(tmp_path, "challenger: {shadow_hours: 7, canary_hours: 9}\n").hash
    )
    (tmp_path / "ares.yaml").write_text("\nrollout:\n  shadow_hours: 7\n")
    assert (
        load(tmp_path / "ares.yaml", {}).origins["challenger.shadow_hours"] == "ares.yaml, line 3"
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("rollout:\n  shadow_hour: 7\n", ("line 2", "did you mean 'shadow_hours'")),
        ("rollout:\n  shadow_hours: -7\n", ("line 2", "'challenger.shadow_hours' is -7")),
        ("rollout: {}\nchallenger: {}\n", ("line 1", "'rollout' is the former name", "line 2")),
        ("challenger: {}\n\nrollout: {}\n", ("line 3", "of 'challenger'", "line 1", "keep one")),
    ],
)
def test_an_error_in_a_section_of_the_former_name_is_reported_with_its_line(
    tmp_path: Path, text: str, parts: tuple[str, ...]
) -> None:
    message = error_of(tmp_path, text)
    assert message.startswith("ares.yaml, line ")
    for part in parts:
        assert part in message


def test_a_variable_and_the_same_under_its_former_name_are_not_both_set(tmp_path: Path) -> None:
    names = {"ARES_CHALLENGER__SHADOW_HOURS": "1", "ARES_ROLLOUT__SHADOW_HOURS": "2"}
    message = error_of(tmp_path, "", **names)
    assert "ARES_ROLLOUT__SHADOW_HOURS" in message
    assert "the same key as ARES_CHALLENGER__SHADOW_HOURS" in message


def message_of(path: Path) -> str:
    """Return the error of a file, empty where there is none."""
    try:
        load_settings(path, {})
    except UserError as error:
        return str(error)
    return ""


@given(st.binary(max_size=200))
def test_whatever_bytes_a_file_holds_the_answer_is_settings_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "ares.yaml"
    path.write_bytes(raw)
    assert "\n" not in message_of(path)


WORDS = [
    *("risk", "venue", "timeframes", "intervals", "interval", "1m", "10", "0.1", "null"),
    *(":", "[", "]", "{", "}", "'", "#", "&", "*", "&a", "*a", "!!int", "|", ">", ",", "?", "-"),
]
YAML_PIECES = st.lists(
    st.sampled_from(
        [*WORDS, ": ", "\n", "  ", "- ", '"', "? "],
    ),
    max_size=30,
)


@given(YAML_PIECES)
def test_whatever_yaml_a_file_holds_the_answer_is_settings_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[str]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "ares.yaml"
    path.write_text("".join(pieces))
    assert "\n" not in message_of(path)


def test_one_value_is_changed_and_all_of_them_checked() -> None:
    key, settings = changed_settings(Settings(), "risk.daily_loss_limit=0.03")
    assert (key, settings.risk.daily_loss_limit) == ("risk.daily_loss_limit", 0.03)
    key, settings = changed_settings(Settings(), " rollout.shadow_hours = 3.5 ")
    assert (key, settings.challenger.shadow_hours) == ("challenger.shadow_hours", 3.5)


@pytest.mark.parametrize(
    ("assignment", "problem"),
    [
        ("risk.daily_loss_limit", "write KEY=VALUE"),
        ("risk.daily_loss_limit=", "write KEY=VALUE"),
        ("=3", "unknown key ''"),
        ("risk.daily_los_limit=3", "did you mean 'daily_loss_limit'"),
        ("risk=3", "'risk' is a section: name one of its keys"),
        ("venue.x=3", "'venue' is a value and has no keys"),
        ("risk.daily_loss_limit=5", "is a fraction: 5 means 500%"),
        ("risk.daily_loss_limit=much", "daily_loss_limit"),
        ("risk.order_quote_min=9000", "must not be above order_quote_max"),
        ("strategy.edge_bps_exit=50", "must be below edge_bps_min"),
        ("risk.daily_loss_limit=[1", "daily_loss_limit"),
    ],
)
def test_a_change_that_is_not_valid_is_one_line(assignment: str, problem: str) -> None:
    with pytest.raises(UserError) as raised:
        changed_settings(Settings(), assignment)
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)
