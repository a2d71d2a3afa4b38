"""Who is champion: asked for with a reason, written once, and kept whole."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import msgspec
import pytest

from ares.adapters.model_store import ModelStore
from ares.config.workspace import Workspace
from ares.domain.errors import AresError, UserMistake, WorldTrouble
from ares.domain.model import Ensemble, Member
from ares.domain.timeframe import Timeframe
from ares.journal.log import Lock, Writer
from ares.runtime.promotion import champions, promote, promotions, promotions_dir


def ensemble(instrument: str, created_at: str = "1", gain: float = 1.0) -> Ensemble:
    return Ensemble(
        instrument=instrument, members=(Member(Timeframe.H1, "m", "1", "h", 1.0),),
        anchor=Timeframe.H1, platt_a=1.0, platt_b=0.0, horizon_bars=1, width_sigmas=1.0,
        width_min_bps=1.0, gain=gain, loss=1.0, cost_bps=1.0, recipe_hash="r", features_hash="f",
        created_at=created_at,
    )  # fmt: skip


OLD, NEW = ensemble("binance:BTC/USDT"), ensemble("binance:BTC/USDT", "2", gain=2.0)
ETH = ensemble("binance:ETH/USDT")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    Workspace.init(tmp_path / "w")
    made = Workspace(tmp_path / "w")
    store = ModelStore(made.models_dir)
    for one in (OLD, NEW, ETH):
        store.save_ensemble(one)
    return made


def test_the_newest_of_every_instrument_becomes_champion(workspace: Workspace) -> None:
    made = promote(workspace, None, "history", True, "  rehearsal ")
    assert [p.ensemble_hash for p in made] == [NEW.hash, ETH.hash]
    assert {(p.reason, p.forced, p.previous_hash, p.environment) for p in made} == {
        ("rehearsal", True, "", "history")
    }
    crowned = champions(workspace.journal_dir, "history/some-run")
    assert crowned == {NEW.instrument: NEW.hash, ETH.instrument: ETH.hash}
    assert champions(workspace.journal_dir, "paper") == {}
    assert promotions(workspace.journal_dir) == made


@pytest.mark.parametrize("target", ["BTC/USDT", "binance:BTC/USDT", NEW.hash, NEW.hash[:12]])
def test_a_target_is_a_symbol_a_key_or_a_hash(workspace: Workspace, target: str) -> None:
    (made,) = promote(workspace, target, "history", True, "test")
    assert made.ensemble_hash == NEW.hash


def test_each_promotion_names_the_one_before(workspace: Workspace) -> None:
    for wanted in (OLD.hash, NEW.hash, OLD.hash):
        promote(workspace, wanted, "history", True, "test")
    told = promotions(workspace.journal_dir)
    assert [p.ensemble_hash for p in told] == [OLD.hash, NEW.hash, OLD.hash]
    assert [p.previous_hash for p in told] == ["", OLD.hash, NEW.hash]
    assert champions(workspace.journal_dir, "history") == {OLD.instrument: OLD.hash}


@pytest.mark.parametrize(
    ("target", "to", "force", "reason", "words"),
    [
        ("BTC/USDT", "history", True, None, "needs a reason"),
        ("BTC/USDT", "history", True, "   ", "needs a reason"),
        ("BTC/USDT", "history", False, "because", "no passing verdict"),
        ("BTC/USDT", "paper", True, "because", "promotes to history, not to paper"),
        ("BTC/USDT", "live", True, "because", "promotes to history, not to live"),
        ("BTC/USDT", "moon", True, "because", "unknown environment 'moon'"),
        ("XRP/USDT", "history", True, "because", "XRP/USDT"),
        ("deadbeef", "history", True, "because", "deadbeef"),
        ("*", "history", True, "because", "'*'"),
    ],
)
def test_what_cannot_be_promoted_is_one_line_and_writes_nothing(
    workspace: Workspace, target: str, to: str, force: bool, reason: str | None, words: str
) -> None:
    with pytest.raises(UserMistake) as raised:
        promote(workspace, target, to, force, reason)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert promotions(workspace.journal_dir) == []


def test_without_any_ensemble_it_says_how_to_make_one(tmp_path: Path) -> None:
    Workspace.init(tmp_path / "w")
    with pytest.raises(UserMistake, match="ares train"):
        promote(Workspace(tmp_path / "w"), None, "history", True, "test")


def test_a_symbol_on_two_venues_must_be_named_in_full(workspace: Workspace) -> None:
    ModelStore(workspace.models_dir).save_ensemble(ensemble("kraken:BTC/USDT"))
    with pytest.raises(UserMistake, match=r"more than one venue.*binance:BTC/USDT") as raised:
        promote(workspace, "BTC/USDT", "history", True, "test")
    assert "kraken:BTC/USDT" in str(raised.value)


def test_while_one_writes_the_other_is_told(workspace: Workspace) -> None:
    lock = Lock(promotions_dir(workspace.journal_dir))
    with pytest.raises(WorldTrouble, match=rf"another promotion \(process {os.getpid()}\)"):
        promote(workspace, "BTC/USDT", "history", True, "test")
    lock.release()
    assert promotions(workspace.journal_dir) == []
    assert promote(workspace, "BTC/USDT", "history", True, "test")


def test_of_two_at_once_each_is_written_whole_or_told(workspace: Workspace) -> None:
    hashes, told, made = [OLD.hash, NEW.hash], [], []
    start = threading.Barrier(2)

    def one(target: str) -> None:
        start.wait()
        try:
            made.extend(promote(workspace, target, "history", True, "test"))
        except WorldTrouble as trouble:
            told.append(str(trouble))

    threads = [threading.Thread(target=one, args=(target,)) for target in hashes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = promotions(workspace.journal_dir)
    assert len(made) == len(written) >= 1
    assert len(made) + len(told) == 2
    assert [p.previous_hash for p in written] == ["", *[p.ensemble_hash for p in written[:-1]]]


def test_damage_is_found_before_anything_is_decided_on_it(workspace: Workspace) -> None:
    promote(workspace, None, "history", True, "test")
    (path,) = promotions_dir(workspace.journal_dir).glob("*.journal")
    raw = bytearray(path.read_bytes())
    raw[40] ^= 1
    path.write_bytes(raw)
    for ask in (
        lambda: champions(workspace.journal_dir, "history"),
        lambda: promote(workspace, None, "history", True, "again"),
    ):
        with pytest.raises(AresError, match="damaged at byte 0") as raised:
            ask()
        assert raised.value.exit_code == 3
    assert path.read_bytes() == raw


def test_a_torn_promotion_never_was(workspace: Workspace) -> None:
    promote(workspace, OLD.hash, "history", True, "test")
    folder = promotions_dir(workspace.journal_dir)
    writer = Writer(folder)
    writer.append(msgspec.msgpack.encode(promotions(workspace.journal_dir)[0]))
    writer.close()
    (path,) = folder.glob("*.journal")
    path.write_bytes(path.read_bytes()[:-3])
    assert len(promotions(workspace.journal_dir)) == 1
    (made,) = promote(workspace, NEW.hash, "history", True, "test")
    assert made.previous_hash == OLD.hash
