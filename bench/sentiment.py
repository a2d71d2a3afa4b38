"""What real headlines add to prices, and what hiding them in fitting costs and brings.

    ARES_DATA=... .venv/bin/python -m bench.sentiment [--quick]

Candles: Binance 1h, 2021-11-05 to 2024-01-01 (later headlines have dates only). News: the headlines
with the scores of their file, the same scored by the lexicon, the fear-and-greed index.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import yaml

from ares.bootstrap.training import train, training_rules
from ares.bootstrap.validation import validate_model
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument
from ares.domain.timeframe import DAY_MS, Timeframe
from ares.kernel.features.sentiment import N_SENTIMENT
from ares.learn import series as learned
from ares.learn.fit import fit
from ares.learn.rows import Rows
from ares.learn.series import all_missing, without
from ares.learn.splits import walk_forward
from ares.runtime.ingest.candle_import import import_candles
from ares.runtime.ingest.news_import import NewsFormat, import_news
from ares.runtime.training.job import PreparedTraining, prepare
from ares.runtime.training.plan import TrainingRequest, package_jobs
from ares.runtime.training.train import training_pool
from ares.store.candles import CandleStore
from ares.store.database import open_database
from ares.store.news import NewsStore

FROM_MS, TO_MS = 1_636_070_400_000, 1_704_067_200_000  # 2021-11-05, 2024-01-01
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
HEADLINES = "bitcoin_headlines_sentiment_2021_2024.parquet"
SOURCES = {"given": False, "lexicon": True}
SHARES = (0.0, 0.1, 0.25, 0.5)
RESULTS = Path(__file__).with_name("sentiment.json")


def main() -> None:
    """Print both tables; keep them where they are whole."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="BTC and one source only; nothing is kept"
    )
    quick = parser.parse_args().quick
    data = Path(os.environ.get("ARES_DATA", Path(__file__).parents[2] / "shared" / "data"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "w"
        Workspace.init(root)
        fill(settled(root, ["given"]), data)
        added = list(what_it_adds(root, quick))
        hidden = list(what_hiding_costs(root))
    if not quick:
        unfinished = RESULTS.with_suffix(".tmp")
        unfinished.write_text(json.dumps({"added": added, "hidden": hidden}, indent=1) + "\n")
        unfinished.replace(RESULTS)


def settled(root: Path, sources: list[str]) -> Workspace:
    """Return the workspace with news of these sources."""
    content = {
        "symbols": list(SYMBOLS),
        "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
        "sentiment": {"sources": sources},
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    return Workspace(root)


def fill(workspace: Workspace, data: Path) -> None:
    """Import candles and news."""
    engine = open_database(workspace.db_url)
    store, now_ms = CandleStore(engine, workspace.cache_dir), TO_MS + 900 * DAY_MS
    for symbol in SYMBOLS:
        name = f"{symbol.replace('/', '')}_1h.parquet"
        import_candles(store, data / "binance" / name, "binance", symbol, "1h")
    for source, rescore in SOURCES.items():
        how = NewsFormat(source=source, rescore=rescore)
        import_news(NewsStore(engine), data / "news" / HEADLINES, how, now_ms)
    index = NewsFormat(source="index")
    import_news(NewsStore(engine), data / "news" / "fear_greed_daily.parquet", index, now_ms)
    engine.dispose()


def what_it_adds(root: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Yield the paired result of each symbol with each kind of news."""
    print(
        "symbol     news           decisions  Brier gain  bps/hour  Sharpe: own  prices  e better"
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    kinds = [["given"], ["lexicon"], ["index"], ["lexicon", "index"]]
    with training_pool(2) as pool:
        for symbol in SYMBOLS[: 1 if quick else 3]:
            for sources in kinds[: 1 if quick else 4]:
                workspace, now = settled(root, sources), now + timedelta(minutes=1)
                request = TrainingRequest((symbol,), ("1h",), FROM_MS, TO_MS)
                report = train(workspace, request, now=lambda at=now: at, pool=pool)  # type: ignore[misc]  # a lambda's default has no type
                judged = validate_model(workspace, report.ensembles[0].hash, pool=pool)
                (found,), evidence = judged.ablations, judged.evidence
                assert found is not None
                own, twin = found.with_series, found.without_series
                test = found.difference
                assert not evidence.leaking
                row = {
                    "symbol": symbol,
                    "news": "+".join(sources),
                    "decisions": found.decisions,
                    "brier_gain": found.brier_gain,
                    "mean_bps": test.mean_bps,
                    "sharpe": own.sharpe,
                    "sharpe_by_prices": twin.sharpe,
                    "trades": own.trades,
                    "trades_by_prices": twin.trades,
                    "e_better": test.e_first_better,
                    "e_worse": test.e_second_better,
                    "leak_values": evidence.leak_values,
                    "parity_difference": evidence.parity_difference,
                }
                sharpes = [
                    "      –" if value is None else f"{value:7.2f}"
                    for value in (own.sharpe, twin.sharpe)
                ]
                print(
                    f"{symbol:10s} {row['news']:14s} {found.decisions:9,d} "
                    f"{found.brier_gain or 0:+11.2%} {test.mean_bps:+9.4f}     {sharpes[0]} "
                    f"{sharpes[1]}  {test.e_first_better:8.3g}",
                    flush=True,
                )
                yield row


def what_hiding_costs(root: Path) -> Iterator[dict[str, Any]]:
    """Yield, for each share of hidden instants, how well rows are ranked with and without news."""
    print("\nworld     hidden   AUC with news   without   by prices")
    for world, (rows, recipe, features_hash) in {
        "real": real_rows(root), "planted": planted_rows(real_rows(root))
    }.items():  # fmt: skip
        price_only = without(recipe, "sentiment", features_hash)
        twin = held_out(rows, price_only, rows.x[:, :-N_SENTIMENT])[0]
        for share in SHARES:
            with mock.patch.object(learned, "HIDDEN_SHARE", share):
                own, absent = held_out(rows, recipe, rows.x, all_missing(rows.x, recipe.series))
            row = {
                "world": world,
                "hidden": share,
                "with": own,
                "without": absent,
                "prices": twin,
            }
            print(f"{world:9s} {share:6.2f} {own:15.4f} {absent:9.4f} {twin:11.4f}", flush=True)
            yield row


def real_rows(root: Path) -> tuple[Rows, Any, str]:
    """Return the rows of BTC with the lexicon's sentiment, and their recipe."""
    workspace = settled(root, ["lexicon"])
    request = TrainingRequest(("BTC/USDT",), ("1h",), FROM_MS, TO_MS)
    plain = TrainingRequest(("BTC/USDT",), ("1h",), FROM_MS, TO_MS, price_only=True)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    (job,), _ = package_jobs(training_rules(workspace), request, now)
    (other,), _ = package_jobs(training_rules(workspace), plain, now)
    ready = prepare(job)
    assert isinstance(ready, PreparedTraining)
    assert (job.instruments, job.recipe.timeframe) == (
        (Instrument("binance", "BTC/USDT"),), Timeframe.H1
    )  # fmt: skip
    return ready.rows, job.recipe, other.recipe.features_hash


def planted_rows(real: tuple[Rows, Any, str]) -> tuple[Rows, Any, str]:
    """Return the same rows, won by a price and by the news as well as by chance."""
    rows, recipe, features_hash = real
    draw = np.random.default_rng(1)
    x = rows.x.astype(np.float64)
    price = (x[:, 0] - x[:, 0].mean()) / x[:, 0].std()
    mood = x[:, -N_SENTIMENT]
    mood = np.nan_to_num((mood - np.nanmean(mood)) / np.nanstd(mood))
    won = draw.random(len(rows)) < 1.0 / (1.0 + np.exp(-0.35 * price - 0.35 * mood))
    return replace(rows, net=np.where(won, 0.01, -0.01)), recipe, features_hash


def held_out(rows: Rows, recipe: Any, *tables: np.ndarray) -> list[float]:
    """Return the area under the ROC curve of the walk's held-out scores, for each table asked."""
    from sklearn.metrics import roc_auc_score

    areas: list[list[float]] = [[] for _ in tables]
    splits = walk_forward(rows.decided_ms, rows.ends_ms, recipe.folds, recipe.embargo_ms)
    for split in splits:
        model = fit(tables[0][split.train], rows[split.train], recipe)
        for area, table in zip(areas, tables, strict=True):
            area.append(roc_auc_score(rows.won[split.test], model.score(table[split.test])))
    return [float(np.mean(area)) for area in areas]


if __name__ == "__main__":
    main()
