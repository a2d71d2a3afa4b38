"""What Alpaca's answers mean."""

from __future__ import annotations

from typing import Any

import pytest

from ares.venues.alpaca_words import FORM, is_not_found, is_refusal


@pytest.mark.parametrize(
    ("answer", "errors", "result"),
    [
        ({"id": "x"}, [], {"id": "x"}),
        ([{"id": "x"}], [], {"rows": [{"id": "x"}]}),
        ({}, [], {}),
        ({"code": 40310000, "message": "no"}, ["40310000: no"], None),
        ({"message": "forbidden."}, ["forbidden."], None),
        (None, [], None),
        ("text", [], None),
    ],
)
def test_the_form_of_answers(answer: Any, errors: list[str], result: Any) -> None:
    assert FORM.errors(200, answer) == errors
    if not errors:
        assert FORM.result(answer) == result


def test_what_was_not_done_and_what_may_have_been() -> None:
    for text in (
        "40310000: insufficient",
        "42210000: x",
        "40410000: order not found",
        "forbidden.",
    ):
        assert is_refusal(text)
    for text in ("42910000: rate limit exceeded", "50010000: internal server error occurred",
                 "40010001: client_order_id must be unique", "something else"):  # fmt: skip
        assert not is_refusal(text)
    assert not is_not_found("40410000: endpoint not found")
