"""``ares symbols`` says what it does before it is used."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import call


def test_a_reason_must_be_given(tmp_path: Path) -> None:
    code, _, err = call(tmp_path, ["symbols", "remove", "BTC/USDT"])
    assert code == 2
    assert "--reason" in err
