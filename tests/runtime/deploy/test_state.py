"""An interrupted install as a sentence: who is champion, and the command that goes on."""

from __future__ import annotations

import msgspec
import pytest

from ares.domain.model_life import InstallStarted
from ares.runtime.deploy.state import describe
from ares.runtime.registry.registry_state import UnfinishedInstall

NEW, OLD = "a" * 64, "b" * 64
STARTED = InstallStarted(
    "live", "binance:BTC/USDT", NEW, OLD, "new.zip", "h", "2024-03-01T03:00:00Z", "me", "", "--yes"
)


@pytest.mark.parametrize(
    ("stage", "champion", "commands"),
    [
        ("announced", OLD, []),
        ("promoted", NEW, ["`ares deploy install`", "`ares deploy rollback`"]),
        ("reverted", OLD, ["`ares deploy rollback`"]),
    ],
)
def test_it_names_the_champion_and_what_to_do(
    stage: str, champion: str, commands: list[str]
) -> None:
    text = describe(UnfinishedInstall(STARTED, stage))  # type: ignore[arg-type]  # a plain string
    assert text.startswith(f"the install of {NEW[:12]} (binance:BTC/USDT, live, 2024-03-01T03:00")
    assert f"champion is {champion[:12]}" in text
    for command in ("`ares deploy install`", "`ares deploy rollback`"):
        assert (command in text) == (command in commands)


def test_a_rollback_is_completed_by_a_rollback() -> None:
    """There is no package to install again."""
    rollback = msgspec.structs.replace(STARTED, package="", package_hash="")
    text = describe(UnfinishedInstall(rollback, "promoted"))
    assert text.startswith("the rollback to ")
    assert "`ares deploy rollback` completes it" in text
    assert "ares deploy install" not in text


def test_without_a_previous_champion_there_is_none() -> None:
    first = msgspec.structs.replace(STARTED, previous_hash="")
    assert describe(UnfinishedInstall(first, "announced")).endswith("champion is none")
