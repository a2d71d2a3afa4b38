"""The options of ``ares backtest``: each is there under its name, with its unit and its default."""

from __future__ import annotations

import inspect

from typer.models import OptionInfo

from ares.cli import backtest_options
from ares.cli.backtest import command
from ares.research.backtest_request import BacktestRequest

OPTIONS = {
    name: option
    for name, option in vars(backtest_options).items()
    if isinstance(option, OptionInfo)
}


def test_every_option_is_one_of_the_command_and_no_name_is_used_twice() -> None:
    used = [parameter.default for parameter in inspect.signature(command).parameters.values()]
    assert all(any(option is default for default in used) for option in OPTIONS.values())
    names = [name for option in OPTIONS.values() for name in option.param_decls or ()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("-") for name in names)


def test_the_defaults_are_those_of_the_request() -> None:
    """A person who gives no option backtests what a notebook does with an empty request."""
    request = BacktestRequest()
    assert backtest_options.FAST.default == request.fast_bars
    assert backtest_options.SLOW.default == request.slow_bars
    assert backtest_options.FILL.default == request.fill
    assert backtest_options.GATE.default == request.gate
    others = {"FAST", "SLOW", "FILL", "GATE", "SYMBOL", "NO_DB", "COMPARE", "SET"}
    assert {name for name, option in OPTIONS.items() if option.default is not None} == others


def test_a_number_with_a_unit_names_it() -> None:
    for name in ("FEE", "SPREAD", "SLIPPAGE", "EDGE", "STOP"):
        assert "bps" in (OPTIONS[name].help or "")
        assert "%" in (OPTIONS[name].help or "")
    for name in ("POSITION_CAP", "DAILY_LOSS", "DRAWDOWN"):
        assert "%" in (OPTIONS[name].help or "")
