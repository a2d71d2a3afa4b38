"""Times and numbers of Alpaca's requests."""

from __future__ import annotations

import pytest

from ares.sim.serve.alpaca_words import AlpacaError, ms_of, whole_of


def test_times_of_requests() -> None:
    for text in ("2023-11-14T22:13:20Z", "2023-11-14T17:13:20-05:00", "2023-11-14T22:13:20"):
        assert ms_of({"after": text}, "after", 0) == 1_700_000_000_000
    assert ms_of({}, "after", 7) == 7
    with pytest.raises(AlpacaError, match="Invalid format for parameter start") as refused:
        ms_of({"start": "0x"}, "start", 0)
    assert refused.value.answer().status == 400


def test_whole_numbers_of_requests() -> None:
    assert (whole_of({}, "limit", 50, 500), whole_of({"limit": "7"}, "limit", 50, 500)) == (50, 7)
    for wrong in ("0", "501", "x"):
        with pytest.raises(AlpacaError, match="between 1 and 500"):
            whole_of({"limit": wrong}, "limit", 50, 500)
