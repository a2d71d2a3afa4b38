"""Kinds of settings: a fraction, a probability and a percentage refuse each other's numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ares.config.fields import Percent, Probability, Section, Share, key


class Sample(Section):
    """One setting of each kind."""

    share: Share = key(0.1, "A share.", "fraction")
    probability: Probability = key(0.5, "A probability.")
    percent: Percent = key(15.0, "A percentage.", live=True)


@given(st.floats(0, 1))
def test_what_lies_within_is_taken(value: float) -> None:
    assert Sample(share=value, probability=value).share == value


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        ({"share": 10.0}, "write 0.10 for 10%"),
        ({"share": -0.1}, "between 0 and 1"),
        ({"probability": 1.01}, "such as 0.80"),
        ({"percent": 0.15}, "write 15 for 15%"),
        ({"percent": 100.1}, "at most 100"),
        ({"share": float("nan")}, "finite"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_what_does_not_is_refused_with_a_hint(values: dict[str, float], hint: str) -> None:
    with pytest.raises(ValidationError, match=hint):
        Sample(**values)


@pytest.mark.parametrize("name", ["share", "percent"])
def test_a_section_cannot_be_changed(name: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(Sample(), name, 0.2)


def test_a_declaration_states_whether_it_may_change_live() -> None:
    extra = Sample.model_fields["percent"].json_schema_extra
    assert isinstance(extra, dict)
    assert extra["live"] is True
