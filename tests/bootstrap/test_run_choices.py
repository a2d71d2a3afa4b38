"""What a run is made of: champions before candidates, one reference, one setting of each series."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap import run_choices as chosen
from ares.bootstrap.data import candle_store
from ares.config.settings import Settings
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.domain.events import RunStarted
from ares.domain.instrument import Instrument
from ares.domain.package import PackageCard
from ares.domain.run import RunSetup
from ares.domain.series import SentimentSpec, ValueSpec
from ares.domain.timeframe import DAY_MS, HOUR_MS, Timeframe
from ares.journal.run import RunJournal, setup_of
from ares.kernel.features.observations import Observations
from ares.runtime.registry.model_journal import models_journal
from ares.store.database import open_database

MakeWorkspace = Callable[..., Workspace]
BTC = Instrument("simulated", "BTC/USDT")
START_MS = 1_672_531_200_000  # 2023-01-01


@pytest.fixture
def card(archived_root: Path) -> PackageCard:
    return ModelStore(Workspace(archived_root).models_dir).listed().packages[0]


def test_a_champion_trades_and_a_candidate_only_makes_virtual_trades(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    ((champion,), remarks) = chosen.choices_of(workspace, [BTC], None, "history")
    assert (champion.is_champion, remarks) == (True, [])
    journal = models_journal(workspace.journal_dir)
    shutil.rmtree(journal)
    journal.with_name("models.head").unlink()
    ((candidate,), (remark,)) = chosen.choices_of(workspace, [BTC], None, "history")
    assert (candidate.ensemble, candidate.is_champion) == (champion.ensemble, False)
    assert "has no champion: " in remark
    assert ", the newest, makes virtual trades only" in remark


def test_an_instrument_without_model_is_watched_and_none_at_all_is_refused(
    archived_root: Path,
) -> None:
    workspace, other = Workspace(archived_root), Instrument("simulated", "ETH/USDT")
    ((_, watched), (remark,)) = chosen.choices_of(workspace, [BTC, other], None, "history")
    assert watched.ensemble is None
    assert remark.startswith("simulated:ETH/USDT has no model, so it is not traded")
    assert {key for key, _ in chosen.cards_of(workspace, [watched])} == set()
    with pytest.raises(UserError, match="there is no model for any of these symbols"):
        chosen.choices_of(workspace, [other], None, "history")


def test_results_before_the_end_of_training_are_in_sample(card: PackageCard) -> None:
    older = msgspec.structs.replace(card, data_to_ms=START_MS - DAY_MS)
    newer = msgspec.structs.replace(card, data_to_ms=START_MS)
    cards = [("a", newer), ("a", older), ("b", older)]
    assert chosen.in_sample(cards, START_MS) == []
    (remark,) = chosen.in_sample(cards, START_MS - 1)
    assert remark.startswith("a: its models were trained on candles up to 2023-01-01 00:00")
    assert len(chosen.in_sample(cards, START_MS - 2 * DAY_MS)) == 2


def test_a_run_has_one_reference(workspace_of: MakeWorkspace, card: PackageCard) -> None:
    workspace = workspace_of(bars=3, keys=("binance:BTC/USDT", "kraken:BTC/USDT"))
    by_symbol = msgspec.structs.replace(card, reference="BTC/USDT")
    by_key = msgspec.structs.replace(card, reference="binance:BTC/USDT")
    other = msgspec.structs.replace(card, reference="kraken:BTC/USDT")
    none = msgspec.structs.replace(card, reference=None)
    with candle_store(workspace) as store:

        def reference(*cards: PackageCard) -> Instrument | None:
            return chosen.reference_of(workspace.settings, store, [("a", each) for each in cards])

        assert reference() is reference(none) is None
        assert reference(by_symbol, by_key) == Instrument("binance", "BTC/USDT")
        for cards in ((by_key, other), (by_key, none)):
            with pytest.raises(UserError, match="the models have different reference instruments"):
                reference(*cards)


def with_series(card: PackageCard, **series: object) -> tuple[str, PackageCard]:
    """Return the card of a model that was trained with external series."""
    return "a", msgspec.structs.replace(card, recipe={**card.recipe, **series})


def test_series_are_those_of_the_models_and_sentiment_is_first(
    workspace_of: MakeWorkspace, card: PackageCard
) -> None:
    rate = {"value_series": msgspec.to_builtins([ValueSpec("rate")])}
    news = {"sentiment": msgspec.to_builtins(SentimentSpec())}
    later = {"value_series": msgspec.to_builtins([ValueSpec("rate", stale_ms=1)])}
    database = open_database(workspace_of().db_url)
    try:
        cards = [with_series(card, **rate), with_series(card, **news)]
        found = chosen.series_of(Settings(), database, cards, learn=False)
        assert found == (SentimentSpec(), ValueSpec("rate"))
        cards = [with_series(card, **rate), with_series(card, **later)]
        with pytest.raises(UserError, match="trained with different settings of rate"):
            chosen.series_of(Settings(), database, cards, learn=False)
    finally:
        database.dispose()


def test_a_series_without_a_fresh_value_in_the_window_is_remarked_with_its_import() -> None:
    series = (SentimentSpec(stale_ms=DAY_MS), ValueSpec("rate", stale_ms=HOUR_MS))
    at = np.array([START_MS], np.int64)
    rows = Observations(at, at, np.ones(1), np.array([-1]))
    assert chosen.missing_in_window(series, (rows, rows), START_MS) == []
    (rate,) = chosen.missing_in_window(series, (rows, rows), START_MS + 2 * HOUR_MS)
    assert "ares data import-series PATH --name rate" in rate
    both = chosen.missing_in_window(series, (rows, rows), START_MS + 2 * DAY_MS)
    assert len(both) == 2
    assert "ares news import PATH" in both[0]


def setup(cash_quote: float) -> RunSetup:
    return RunSetup("", (), (Timeframe.H1,), -1, START_MS, START_MS + DAY_MS, START_MS, cash_quote,
                    {}, 0.25, {})  # fmt: skip


def test_a_name_is_that_of_the_window_and_of_one_run_only(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of()
    first, other = setup(100.0), setup(200.0)
    name = chosen.free_name(workspace, first)
    assert name == "20230101-20230102"
    folder = workspace.journal_dir / "history" / name
    journal = RunJournal(folder)
    journal.event(1, RunStarted(first))
    journal.effects(1, [])
    journal.close()
    assert setup_of(folder) == first
    assert chosen.free_name(workspace, first) == name, "the same run is resumed"
    assert chosen.free_name(workspace, other) == f"{name}-2"
    damaged = bytearray((folder / "000001.journal").read_bytes())
    damaged[damaged.index(b"RunStarted")] ^= 1
    (folder / "000001.journal").write_bytes(damaged)
    assert chosen.free_name(workspace, first) == f"{name}-2", "a damaged run keeps its name"
