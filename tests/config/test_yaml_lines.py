"""YAML with line numbers: every value knows its line, and hostile text is one line of error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.config.yaml_lines import LinedYaml, read_text, scalar
from ares.domain.errors import UserError


def test_every_value_knows_its_line() -> None:
    text = "# a comment\nsymbols:\n  - BTC/USDT\n  - ETH/USDT\nrisk: {daily_loss_limit: 0.02}\n"
    read = LinedYaml(text, "ares.yaml")
    assert read.lines["symbols", 1] == 4
    assert read.lines["risk", "daily_loss_limit"] == 5
    assert read.values["risk"] == {"daily_loss_limit": 0.02}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1e-3", 1e-3), ("10:30", "10:30"), ("2023-01-01", "2023-01-01"), ("1_000", 1000),
     ("true", True), ("null", None), ("[1h, 4h]", ["1h", "4h"]), ("010", 10.0)],
)  # fmt: skip
def test_values_are_those_of_yaml_1_2(text: str, value: object) -> None:
    assert scalar(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", "line 2: 'a' was already set in line 1"),
        ("a: [1, 2\n", "opened here and never closed"),
        ("\ta: 1\n", "tab"),
        ("- a\n- b\n", "write lines such as 'key: value'"),
        ("a: \x07\n", "control character"),
        ("a: &x [*x]\n", "line 1"),
    ],
)
def test_a_faulty_text_is_one_line_with_its_place(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        LinedYaml(text, "ares.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("ares.yaml")


@given(st.text(max_size=60))
def test_whatever_the_text_it_is_values_or_one_line(text: str) -> None:
    try:
        values = LinedYaml(text, "x").values
    except UserError as error:
        message = str(error)
    else:
        assert isinstance(values, dict)
        return
    assert message.startswith("x")
    assert "\n" not in message


def test_an_unreadable_file_gives_a_message_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"a: 1\nb: \xff\n")
    for path, message in (
        (tmp_path / "none", "ares init"),
        (tmp_path, "is a folder"),
        (tmp_path / "latin", "line 2: not UTF-8"),
    ):
        with pytest.raises(UserError, match=message):
            read_text(path)
