"""``ares demo``: candles, models, backtest, engine and report in one command."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, time_ns
from typing import TYPE_CHECKING

import typer

from ares.cli.output import count, duration, number, percent, print_table, progress, say, utc

if TYPE_CHECKING:
    from ares.bootstrap import RunResult
    from ares.demo import DemoCandles, DemoVerdict, DemoWorkspace
    from ares.observe.run_report import ClosedTrades
    from ares.research import BacktestResult
    from ares.runtime.replay.certify import Certificate
    from ares.runtime.training.report import TrainingReport


def command(
    data: Path = typer.Option(
        None, "--data", help="File or folder with candles of two symbols (BTCUSDT_1h.parquet ...)."
    ),
    simulated: bool = typer.Option(
        False, "--simulated", help="Use a synthetic market; do not contact a venue."
    ),
    folder: Path = typer.Option(
        Path(), "--folder", help="Where the workspace ares-demo is created; default: here."
    ),
) -> None:
    """Load candles, train models, ask the gate, backtest, run the engine, report: two symbols,
    four timeframes.

    Candles come from --data, else from a venue if it answers within 3 s, else from a synthetic
    market; the output says which. All files are in a new folder, ares-demo.
    """
    from ares import demo
    from ares.research import report

    began = monotonic()
    say("1. Candles", style="bold")
    source = demo.source(data, simulated, time_ns() // 1_000_000)
    say(source.description + ".")
    with progress("candles", total=100, unit="%") as bar:
        source, stage = demo.prepare(
            source, folder, lambda share, what: bar.reach(100 * share, what)
        )
    _show_stage(source, stage)

    say("\n2. Models, evaluated out of sample", style="bold")
    with progress("train", unit="models") as bar:

        def trained(done: int, total: int, what: str) -> None:
            bar.expect(total)
            bar.reach(done, what)

        training = demo.train(stage, trained)
    _show_training(training)

    say("\n3. The gate: may these models trade?", style="bold")
    with progress("validate", unit="steps") as bar:

        def validated(done: int, total: int, what: str) -> None:
            bar.expect(max(total, bar.total or 0))
            bar.reach(done, what)

        verdicts = demo.evaluate(stage, training, validated)
    _show_verdicts(verdicts)

    say("\n4. Backtest of the last two weeks", style="bold")
    result = demo.backtest(stage)
    virtual = demo.best_signals(stage, result) if result.metrics.entries == 0 else None
    _show_backtest(result, virtual)

    say("\n5. The engine, event by event, over the same two weeks", style="bold")
    with progress("run", unit="instants") as bar:
        ran = demo.run(stage, _reaching(bar.expect, bar.reach))
    certificate = demo.certify(stage)
    _show_run(ran, certificate)

    say("\n6. Result", style="bold")
    page = report(virtual or result, stage.workspace.reports_dir / "demo.html").html
    say(_verdict(source, training, ran, virtual), style="bold")
    say(f"report: {page}")
    say(f"workspace: {stage.workspace.root} (try there: `ares models list`, `ares why BTC/USDT`)")
    say(f"total time: {duration(monotonic() - began)}")


def _reaching(
    expect: Callable[[float], None], reach: Callable[[float], None]
) -> Callable[[int, int], None]:
    def reached(done: int, total: int) -> None:
        expect(total)
        reach(done)

    return reached


def _show_stage(source: DemoCandles, stage: DemoWorkspace) -> None:
    say(
        f"{' and '.join(source.symbols)}: training from {utc(stage.from_ms)} to "
        f"{utc(stage.split_ms)}, run from there to {utc(stage.to_ms)} UTC."
    )


def _show_training(training: TrainingReport) -> None:
    from ares.cli.train_views import EVIDENCE, evidence

    rows = [(pair.name, count(pair.rows), *evidence(pair.metrics)) for pair in training.packages]
    print_table(("package", "rows", *EVIDENCE), rows)
    for missing in training.missing:
        say(f"skipped: {missing.subject}: {missing.reason}")
    for ensemble in training.ensembles:
        say(f"Ensemble of {ensemble.instrument}: {ensemble.sentence}")


def _show_verdicts(verdicts: Sequence[DemoVerdict]) -> None:
    """Print the verdicts line by line, and what follows from them."""
    from ares.cli.gate_views import show_verdict

    for each in verdicts:
        show_verdict(each.result, each.saved, brief=True)
        if each.refused:
            say(f"Not promoted: {'; '.join(each.refused)}.", style="bold yellow")
        elif each.forced:
            say(
                "Forced: made champion of the history slot in spite of this verdict, so that the "
                "engine below has something to trade. Virtual money only: paper and live would "
                "refuse it.",
                style="bold yellow",
            )
        else:
            say("Promoted: champion of the history slot, by the gate's own decision.")


def _show_backtest(result: BacktestResult, virtual: BacktestResult | None) -> None:
    from ares.research.report_text import headline

    say(headline(result))
    if virtual is not None:
        m = virtual.metrics
        say(
            f"The best 2% of signals, traded virtually: {m.trades} trades, "
            f"{number(m.trade_mean_bps, 1)} bps each after costs, {percent(m.win_rate, 0)} won; "
            f"{percent(m.net_return)} of the account."
        )


def _show_run(ran: RunResult, certificate: Certificate) -> None:
    from ares.cli.run import speed

    for row in ran.report.instruments:
        if row.mode_confidence is not None:
            say(
                f"{row.instrument}: mode {row.mode} (confidence {percent(row.mode_confidence, 0)}; "
                f"80% may trade), {row.real.trades} real and {row.virtual.trades} virtual trades."
            )
    say(ran.report.verdict)
    say(speed(ran.end))
    say(
        f"The run is journaled and certified against the backtest path: "
        f"{count(certificate.compared)} comparisons, {certificate.mismatches} mismatches."
    )


def _verdict(
    source: DemoCandles, training: TrainingReport, ran: RunResult, virtual: BacktestResult | None
) -> str:
    """Return whether there was an edge, with its numbers."""
    evaluated = [ensemble.metrics for ensemble in training.ensembles]
    trades, rows = sum(m.trades for m in evaluated), sum(m.rows for m in evaluated)
    where = "in this synthetic market" if source.kind == "simulated" else "in these candles"
    if any(each.sentence.startswith("Evidence of an edge") for each in training.ensembles):
        text = f"Evidence of an edge after costs {where}"
    else:
        text = f"No evidence of an edge after costs {where}"
    mean = None
    if trades:
        mean = sum((m.net_bps or 0.0) * m.trades for m in evaluated) / trades
        plural = "s" if trades > 1 else ""
        text += f": {trades} trade{plural} out of sample, {mean:+.1f} bps each."
    else:
        text += (
            f": none of {count(rows)} out-of-sample decisions had an expected return above costs."
        )
    real = [row.real for row in ran.report.instruments if row.real.trades]
    if real:
        return f"{text} {_since(mean, real, ran.report.net_return)}"
    text += " In the two weeks after, Ares did not trade; the account is unchanged."
    if virtual is not None and (virtual.metrics.trade_mean_bps or 0.0) <= 0.0:
        text += " Its best signals would have lost money."
    return text


def _since(evidence_bps: float | None, real: Sequence[ClosedTrades], net_return: float) -> str:
    """Return the result of the engine's trades, compared with the out-of-sample evidence.

    evidence_bps : mean net bps per trade out of sample, before these two weeks; None: no trade.
    """
    trades = sum(side.trades for side in real)
    mean = sum(side.total_net_bps for side in real) / trades
    plural = "s" if trades > 1 else ""
    text = (
        f"In the two weeks after, the engine made {trades} trade{plural}, {mean:+.1f} bps each "
        f"after costs: {percent(net_return)} of the account"
    )
    if evidence_bps is None or evidence_bps <= 0.0 or mean >= evidence_bps / 2:
        return f"{text}."
    share = "none" if mean <= 0.0 else f"only {percent(mean / evidence_bps, 0)}"
    return f"{text}, {share} of the mean return per trade in the evidence."
