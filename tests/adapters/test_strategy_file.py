from __future__ import annotations

from pathlib import Path

import pytest

from ares.adapters.strategy_file import load_strategy, read_strategy, with_strategies
from ares.domain.errors import UserError
from ares.domain.strategy import Parameter, StrategySource

HEAD = b"from ares.kernel.features.strategy import strategy\n"
RULE = HEAD + (
    b"@strategy(warmup_bars=4)\n"
    b"def rise(bars, features, share=0.5, bars_back=2, name='x', on=True):\n"
    b"    return share\n"
)


def rule(source: bytes = RULE, **parameters: Parameter) -> StrategySource:
    return StrategySource("rules.py", source, "rise", parameters)


def test_parameters_replace_defaults_and_keep_their_types() -> None:
    assert load_strategy(rule()).spec.parameters == {
        "share": 0.5, "bars_back": 2, "name": "x", "on": True,
    }  # fmt: skip
    changed = load_strategy(rule(share=1, on=False)).spec
    assert (changed.parameters["share"], changed.parameters["on"]) == (1.0, False)
    assert type(changed.parameters["share"]) is float


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"fast": 3}, "has no parameter fast; it has share, bars_back, name, on"),
        ({"bars_back": 2.5}, "parameter bars_back is 2.5, and its default 2: give the same type"),
        ({"on": 1}, "parameter on is 1, and its default True"),
        ({"share": "much"}, "parameter share is 'much'"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Parameter], message: str) -> None:
    with pytest.raises(UserError, match=r"strategy 'rise' of rules\.py") as caught:
        load_strategy(StrategySource("rules.py", RULE, "rise", parameters))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("bars", "its first two arguments must be bars and features"),
        ("bars, *features", "its first two arguments must be bars and features"),
        ("bars, features, fast", "parameter fast needs a default"),
        ("bars, features, fast=None", "parameter fast needs a default"),
    ],
)
def test_a_function_with_other_arguments_is_refused(arguments: str, message: str) -> None:
    source = HEAD + f"@strategy(warmup_bars=4)\ndef rise({arguments}):\n    return 0.0\n".encode()
    with pytest.raises(UserError, match=message):
        load_strategy(rule(source))


@pytest.mark.parametrize("bars", ["0", "257", "2.0", "True"])
def test_a_warmup_out_of_range_is_refused(bars: str) -> None:
    source = RULE.replace(b"warmup_bars=4", f"warmup_bars={bars}".encode())
    with pytest.raises(UserError, match="give a whole number from 1 to 256"):
        load_strategy(rule(source))


def test_a_comment_changes_nothing_and_a_number_everything() -> None:
    known = load_strategy(rule()).columns
    same = load_strategy(rule(RULE + b"# a comment\n")).columns
    assert (same.hash, same.names) == (known.hash, known.names)
    for other in (rule(RULE.replace(b"0.5", b"0.6")), rule(bars_back=3)):
        assert load_strategy(other).columns.hash != known.hash
        assert load_strategy(other).columns.names != known.names


def test_a_file_is_read_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_bytes(RULE)
    assert read_strategy("rules.py:rise", tmp_path) == rule()
    assert read_strategy("rules.py", tmp_path).name == "rise"
    with pytest.raises(UserError, match="no strategy 'fall'; it has rise"):
        read_strategy("rules.py:fall", tmp_path)
    with pytest.raises(UserError, match="cannot read"):
        read_strategy("other.py:rise", tmp_path)
    (tmp_path / "two.py").write_bytes(RULE + RULE.replace(b"rise", b"fall").replace(HEAD, b""))
    with pytest.raises(UserError, match=r"has rise, fall: name one of them, as two\.py:fall"):
        read_strategy("two.py", tmp_path)
    (tmp_path / "bad.py").write_text("x = (\n")
    with pytest.raises(UserError, match=r"strategy file bad\.py cannot be loaded: SyntaxError"):
        read_strategy("bad.py:rise", tmp_path)
    (tmp_path / "none.py").write_text("x = 1\n")
    with pytest.raises(UserError, match=r"none\.py has no strategy"):
        read_strategy("none.py", tmp_path)


def test_a_run_without_strategies_keeps_its_columns() -> None:
    assert with_strategies(None, []) is None
    columns = load_strategy(rule()).columns
    assert with_strategies(columns, []) is columns
