"""Records of the models' journal: each reads back as what it is, and a basis names what changed."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.model import Validation
from ares.domain.model_life import (
    EnsembleArchived,
    EnsemblePromoted,
    InstallCompleted,
    InstallFailed,
    InstallStarted,
    ModelsImported,
    Record,
    RequestRefused,
    VerdictBasis,
    VerdictRecorded,
    hash_of,
)
from ares.domain.trial import Trial

BASIS = VerdictBasis("c", "evidence", "l", "t", 3, "k")
RECORDS: list[Record] = [
    Trial("package", "binance:BTC/USDT", "1h", "r", "a/b", "d", 0, 1, Validation(), "now"),
    VerdictRecorded(
        "paper", "binance:BTC/USDT", "e", False, ("trades",), "v", "x", BASIS, "f", "h", "now", "me"
    ),
    EnsemblePromoted("paper", "binance:BTC/USDT", "e", "", "now", "me", "why", False, "v"),
    EnsembleArchived("e", "now", "me", "why"),
    ModelsImported(("a/b",), "e", "x.zip", "now", "me"),
    RequestRefused("promote", "e", "paper", "no verdict", "now", "me"),
    InstallStarted("live", "binance:BTC/USDT", "e", "", "p", "h", "now", "me", "why", "--yes"),
    InstallCompleted("live", "binance:BTC/USDT", "e", 3, "now", "me"),
    InstallFailed("live", "binance:BTC/USDT", "e", "", None, "why", "now", "me"),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_reads_back_as_its_own_kind(record: Record) -> None:
    again = msgspec.json.decode(msgspec.json.encode(record), type=Record)
    assert type(again) is type(record)
    assert again == record


def test_a_record_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"type":"Judged","environment":"paper"}', type=Record)


def test_a_basis_names_each_thing_that_changed() -> None:
    assert BASIS.changed(BASIS) == ()
    now = msgspec.structs.replace(BASIS, champion="d", trials=4)
    assert BASIS.changed(now) == ("champion", "trials")
    assert hash_of(now) != hash_of(BASIS)


def test_what_a_verdict_rests_on_is_named_when_it_changes() -> None:
    one = VerdictBasis("", "evidence", "l", "t", 1, "c")
    assert one.changed(one) == ()
    assert one.changed(msgspec.structs.replace(one, trials=2, champion="x")) == (
        "champion",
        "trials",
    )
