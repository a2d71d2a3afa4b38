"""Keys of accounts come from the environment's own variables, and are never shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.config.account_keys import account_key
from ares.domain.errors import UserError


def test_an_environment_has_a_key_of_its_own(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("REHEARSAL_KRAKEN_KEY=of-the-file\nREHEARSAL_KRAKEN_SECRET=hidden $x\n")
    found = account_key(dotenv, {}, "rehearsal/kraken")
    assert found == ("of-the-file", "hidden $x")
    assert "hidden" not in f"{found!r} {found}"
    assert account_key(dotenv, {}, "rehearsal/binance") is None
    assert account_key(dotenv, {}, "live") is None
    other = account_key(dotenv, {"REHEARSAL_KRAKEN_KEY": "of-the-process"}, "rehearsal/kraken")
    assert other == ("of-the-process", "hidden $x")


def test_half_a_key_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="LIVE_SECRET is not set"):
        account_key(tmp_path / ".env", {"LIVE_KEY": "k"}, "live")
