"""One sentence for each invalid setting, with the nearest valid key."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ares.config.explain import all_keys, dotted, explain, nearest
from ares.config.settings import Settings


def sentence(values: dict[str, object]) -> str:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(values)
    ((_, text),) = explain(caught.value)
    return text


@pytest.mark.parametrize(
    ("path", "key"),
    [
        (("risk", "daily_los_limit"), "daily_loss_limit"),
        (("symbol",), "symbols"),
        (("daily_loss_limit",), "risk.daily_loss_limit"),
    ],
)
def test_an_unknown_key_names_the_nearest(path: tuple[str, ...], key: str) -> None:
    assert nearest(path).endswith(f"did you mean '{key}'?")


def test_a_key_near_nothing_lists_the_section() -> None:
    assert "use one of" in nearest(("risk", "zzzzzz"))


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"risk": {"daily_loss_limit": 3.0}}, "'risk.daily_loss_limit' is a fraction"),
        ({"costs": {"fee_bps": -1.0}}, "'costs.fee_bps' is -1.0: it must be at least 0"),
        ({"promotion": {"rule": "luck"}}, "it must be 'evidence' or 'simple'"),
        ({"symbols": ()}, "'symbols' is empty"),
    ],
)
def test_the_sentence_has_value_and_expectation(values: dict[str, object], text: str) -> None:
    assert text in sentence(values)


def test_every_key_is_listed_once_and_paths_read_as_they_are_typed() -> None:
    keys = list(all_keys())
    assert len(keys) == len(set(keys))
    assert {"risk.daily_loss_limit", "symbols", "promotion.alpha_flat"} <= set(keys)
    assert dotted(("timeframes", "intervals", 0, "weight")) == "timeframes.intervals[0].weight"
