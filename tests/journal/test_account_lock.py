"""One environment trades one account: a second one is refused, also where it starts later."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.domain.errors import ExternalError, UserError
from ares.journal.account_lock import AccountLock


def locked(
    root: Path, environment: str = "rehearsal/a", identity: str = "k", *, binds: bool = True
) -> AccountLock:
    return AccountLock(root / "w", environment, identity, binds=binds, shared=root / "shared")


def begun(root: Path, environment: str) -> None:
    folder = root / "w" / environment
    folder.mkdir(parents=True)
    (folder / "000001.journal").touch()


@pytest.mark.parametrize("binds", [True, False])
def test_two_engines_do_not_trade_one_account(tmp_path: Path, binds: bool) -> None:
    first = locked(tmp_path, binds=binds)
    with pytest.raises(ExternalError, match=r"rehearsal/b: an engine of .* trades the account"):
        locked(tmp_path, "rehearsal/b", binds=binds)
    other = locked(tmp_path, "rehearsal/b", "another key", binds=binds)
    other.release()
    first.release()


def test_nor_do_those_of_two_workspaces(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    first = AccountLock(tmp_path / "one", "live", "k", binds=True, shared=shared)
    with pytest.raises(ExternalError, match="an engine of live trades the account"):
        AccountLock(tmp_path / "two", "live", "k", binds=True, shared=shared)
    first.release()
    AccountLock(tmp_path / "two", "live", "k", binds=True, shared=shared).release()


def test_an_account_belongs_to_the_environment_whose_journal_explains_its_orders(
    tmp_path: Path,
) -> None:
    locked(tmp_path, "live").release()
    begun(tmp_path, "live")
    with pytest.raises(UserError, match="belongs to live, whose journal explains its orders"):
        locked(tmp_path, "rehearsal/b")
    locked(tmp_path, "live").release()  # refused, the other left the lock free


def test_without_a_journal_it_belongs_to_nobody(tmp_path: Path) -> None:
    locked(tmp_path, "rehearsal/a").release()
    locked(tmp_path, "rehearsal/b").release()


def test_a_server_of_ones_own_may_give_a_key_to_another_account(tmp_path: Path) -> None:
    locked(tmp_path, "rehearsal/a", binds=False).release()
    begun(tmp_path, "rehearsal/a")
    locked(tmp_path, "rehearsal/b", binds=False).release()
