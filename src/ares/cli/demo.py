"""``ares demo``: the whole story on one screen, from candles to a report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time_ns
from typing import TYPE_CHECKING

import typer

from ares.cli.output import count, duration, number, percent, print_table, progress, say, utc

if TYPE_CHECKING:
    from ares.bootstrap import RunResult
    from ares.demo import DemoCandles, DemoWorkspace
    from ares.observe.run_report import ClosedTrades
    from ares.research import BacktestResult
    from ares.runtime.replay.certify import Certificate
    from ares.runtime.training.report import TrainingReport


def command(
    data: Path = typer.Option(
        None, "--data", help="File or folder with candles of two symbols (BTCUSDT_1h.parquet ...)."
    ),
    simulated: bool = typer.Option(
        False, "--simulated", help="Ask no venue: trade in the made-up world."
    ),
    folder: Path = typer.Option(
        Path(), "--folder", help="Where the workspace ares-demo is made; default: here."
    ),
) -> None:
    """Get candles, train, judge, backtest, run the engine, report: two symbols, four timeframes.

    Candles come from --data, else from a venue if the network answers within 3 s, else from a
    made-up world; the screen says which. Everything lies in a new folder, ares-demo.
    """
    from ares import demo
    from ares.research import report

    began = monotonic()
    say("1. Candles", style="bold")
    source = demo.source(data, simulated, time_ns() // 1_000_000)
    say(source.said + ".")
    with progress("candles", total=100, unit="%") as bar:
        source, stage = demo.stage(source, folder, lambda share, what: bar.reach(100 * share, what))
    _show_stage(source, stage)

    say("\n2. Models, judged on what they had not seen", style="bold")
    with progress("train", unit="models") as bar:

        def trained(done: int, total: int, what: str) -> None:
            bar.expect(total)
            bar.reach(done, what)

        training = demo.train(stage, trained)
    _show_training(training)

    say("\n3. Backtest of the last two weeks", style="bold")
    result = demo.backtest(stage)
    virtual = demo.best_signals(stage, result) if result.metrics.entries == 0 else None
    _show_backtest(result, virtual)

    say("\n4. The engine over the same two weeks, event by event", style="bold")
    with progress("run", unit="instants") as bar:
        ran = demo.run(stage, _reaching(bar.expect, bar.reach))
    certificate = demo.certify(stage)
    _show_run(ran, certificate)

    say("\n5. What came of it", style="bold")
    page = report(virtual or result, stage.workspace.reports_dir / "demo.html").html
    say(_verdict(source, training, ran, virtual), style="bold")
    say(f"report: {page}")
    say(f"workspace: {stage.workspace.root} (cd there: `ares models list`, `ares why BTC/USDT`)")
    say(f"{duration(monotonic() - began)} in all")


def _reaching(
    expect: Callable[[float], None], reach: Callable[[float], None]
) -> Callable[[int, int], None]:
    def reached(done: int, total: int) -> None:
        expect(total)
        reach(done)

    return reached


def _show_stage(source: DemoCandles, stage: DemoWorkspace) -> None:
    say(
        f"{' and '.join(source.symbols)}: trained on {utc(stage.from_ms)} to "
        f"{utc(stage.split_ms)}, run on what follows, to {utc(stage.to_ms)} UTC."
    )


def _show_training(training: TrainingReport) -> None:
    from ares.cli.train_views import EVIDENCE, evidence

    rows = [(one.name, count(one.rows), *evidence(one.metrics)) for one in training.pairs]
    print_table(("package", "rows", *EVIDENCE), rows)
    for missing in training.missing:
        say(f"left out: {missing.subject}: {missing.reason}")
    for one in training.ensembles:
        say(f"Ensemble of {one.instrument}: {one.sentence}")


def _show_backtest(result: BacktestResult, virtual: BacktestResult | None) -> None:
    from ares.research.report_words import headline

    say(headline(result))
    if virtual is not None:
        m = virtual.metrics
        say(
            f"Its best 2% of signals, traded virtually all the same: {m.trades} trades, "
            f"{number(m.trade_mean_bps, 1)} bps each after costs, {percent(m.win_rate, 0)} won; "
            f"{percent(m.net_return)} of the account."
        )


def _show_run(ran: RunResult, certificate: Certificate) -> None:
    from ares.cli.run import speed

    for one in ran.report.instruments:
        if one.mode_confidence is not None:
            say(
                f"{one.instrument}: mode {one.mode} (confidence {percent(one.mode_confidence, 0)}; "
                f"80% may trade), {one.real.trades} real and {one.virtual.trades} virtual trades."
            )
    say(ran.report.verdict)
    say(speed(ran.end))
    say(
        f"All of it is journaled, and certified against the backtest path: "
        f"{count(certificate.compared)} comparisons, {certificate.mismatches} mismatches."
    )


def _verdict(
    source: DemoCandles, training: TrainingReport, ran: RunResult, virtual: BacktestResult | None
) -> str:
    """Return in plain words whether there was an edge, with the numbers that say so."""
    judged = [one.metrics for one in training.ensembles]
    trades, rows = sum(m.trades for m in judged), sum(m.rows for m in judged)
    where = "in this made-up world" if source.kind == "simulated" else "in these candles"
    if any(one.sentence.startswith("An edge shows") for one in training.ensembles):
        text = f"An edge after costs shows {where}"
    else:
        text = f"No evidence of an edge after costs {where}"
    mean = None
    if trades:
        mean = sum((m.net_bps or 0.0) * m.trades for m in judged) / trades
        plural = "s" if trades > 1 else ""
        text += f": {trades} trade{plural} out of sample, {mean:+.1f} bps each."
    else:
        text += f": of {count(rows)} decisions out of sample none promised more than it costs."
    real = [one.real for one in ran.report.instruments if one.real.trades]
    if real:
        return f"{text} {_since(mean, real, ran.report.net_return)}"
    text += " In the two weeks after, Ares did not trade, and kept the account whole."
    if virtual is not None and (virtual.metrics.trade_mean_bps or 0.0) <= 0.0:
        text += " Its best signals would have lost: it was right not to."
    return text


def _since(judged_bps: float | None, real: Sequence[ClosedTrades], net_return: float) -> str:
    """Return what the engine's trades made, beside what the models were judged by.

    judged_bps : mean net bps of a trade out of sample, before these two weeks; None: no trade.
    """
    trades = sum(side.trades for side in real)
    mean = sum(side.total_net_bps for side in real) / trades
    plural = "s" if trades > 1 else ""
    text = (
        f"In the two weeks after, the engine made {trades} trade{plural}, {mean:+.1f} bps each "
        f"after costs: {percent(net_return)} of the account"
    )
    if judged_bps is None or judged_bps <= 0.0 or mean >= judged_bps / 2:
        return f"{text}."
    left = "nothing" if mean <= 0.0 else f"only {percent(mean / judged_bps, 0)}"
    return f"{text}, and {left} left of what was judged."
