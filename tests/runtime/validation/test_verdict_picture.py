"""The picture of a verdict: the same verdict, the same bytes; another one, other bytes."""

from __future__ import annotations

from dataclasses import is_dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from ares.domain.model import Member
from ares.domain.timeframe import Timeframe
from ares.learn.gate.plausible import Attestation
from ares.runtime.validation.verdict_picture import picture_of, title_of

if TYPE_CHECKING:
    from tests.runtime.conftest import World

    from ares.runtime.validation.pipeline import ValidationResult


@pytest.fixture(scope="module")
def result(trained: World) -> ValidationResult:
    return trained.validated(trained.noise)


def changed(result: Any, **changes: Any) -> Any:
    if is_dataclass(result):
        return replace(result, **changes)  # type: ignore[type-var]  # any of them
    return msgspec.structs.replace(result, **changes)


def test_the_same_verdict_gives_the_same_picture(result: ValidationResult) -> None:
    picture = picture_of(result)
    assert picture.startswith(b"\x89PNG")
    assert picture_of(result) == picture
    refused = changed(result.verdict, passed=not result.verdict.passed)
    assert picture_of(changed(result, verdict=refused)) != picture
    more = changed(result.evidence, trials=result.evidence.trials + 40)
    assert picture_of(changed(result, evidence=more)) != picture
    assert picture_of(changed(result, attestation=Attestation("Ada", "planted"))) != picture


def test_a_result_out_of_a_worker_cannot_be_drawn(result: ValidationResult) -> None:
    with pytest.raises(ValueError, match="no plots to draw"):
        picture_of(changed(result, plots=None))


def test_the_title_names_the_instrument_and_every_timeframe(result: ValidationResult) -> None:
    members = tuple(Member(t, "n", "v", "p", 0.5) for t in (Timeframe.M15, Timeframe.H4))
    ensemble = msgspec.structs.replace(result.ensemble, members=members)
    assert title_of(ensemble) == "binance:ETH/USDT  15m 4h"
