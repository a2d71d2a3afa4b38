"""``ares why``: one bar explained: features, scores, confidence, edge, mode, limits, decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ares.cli.output import (
    JSON_OPTION,
    note,
    number,
    percent,
    print_facts,
    print_json,
    print_table,
    say,
    utc,
)

if TYPE_CHECKING:
    from ares.runtime.replay.explanation import Explanation, TimeframeVote


def command(
    instrument: str = typer.Argument(..., help="Symbol or key, such as BTC/USDT."),
    at: str = typer.Option(None, "--at", help="Day or time, UTC; default: the newest bar."),
    run: str = typer.Option(None, "--run", help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> None:
    """Explain why Ares did, or did not, trade at a bar."""
    from ares.bootstrap import why_run
    from ares.config.workspace import Workspace
    from ares.research.window import parse_utc

    at_ms = None if at is None else parse_utc(at)
    why = why_run(Workspace.here(), run, instrument, at_ms)
    if at_ms is not None and at_ms > why.closing_ms:
        note(
            f"{why.environment} has no decision for {why.instrument} at {utc(at_ms)}: the last one "
            f"before, at {utc(why.closing_ms)} UTC, is explained"
        )
    if json_:
        print_json(why)
    else:
        _show(why)


def _show(why: Explanation) -> None:
    bar = why.bar
    made = " (no trades: filled bar)" if why.flat else ""
    say(f"{why.instrument} at {utc(why.closing_ms)} UTC, {why.environment}", style="bold")
    say(f"{why.action}: {why.sentence}")
    say("")
    print_facts(
        {
            "bar": f"O {bar['open']:g}  H {bar['high']:g}  L {bar['low']:g}  C {bar['close']:g}"
            f"  V {bar['volume']:g}{made}",
            "probability": "no score" if why.p is None else percent(why.p),
            "edge": None
            if why.edge_bps is None
            else f"{why.edge_bps:+.2f} bps after costs (trades above {why.edge_bps_min:g})",
            "barrier": None if why.barrier_bps is None else f"{why.barrier_bps:.1f} bps",
            "mode": f"{why.mode} (confidence {percent(why.mode_confidence)}), {why.slot}",
        }
        | _limits(why.limits)
    )
    if why.votes:
        columns = ("timeframe", "weight", "score", "bar closed", "largest effects")
        say("")
        print_table(columns, [_vote_row(vote) for vote in why.votes])
        say("After a feature: its value, and how much it moves the score from its usual value.",
            style="dim")  # fmt: skip


def _limits(limits: dict[str, Any]) -> dict[str, str | None]:
    """Return the account's state and its limits; none where only the journal was read."""
    if not limits:
        return {}
    return {
        "account": f"equity {number(limits['equity_quote'])}, exposure "
        f"{percent(limits['exposure_share'])} of at most "
        f"{percent(limits['exposure_share_max'])}",
        "drawdown": f"{percent(limits['drawdown_share'])} of at most "
        f"{percent(limits['drawdown_share_max'])}; the day {percent(limits['day_share'])} of "
        f"at most -{percent(limits['daily_loss_share_max'])}",
        "volatility": f"{percent(limits['volatility_annual'], 0)} a year (half size above "
        f"{percent(limits['volatility_target'], 0)})",
        "breakers": ", ".join(limits["breakers"]) or "all closed",
    }


def _vote_row(vote: TimeframeVote) -> tuple[object, ...]:
    features = ", ".join(
        f"{name} {value:.3g} ({effect:+.1%})" for name, value, effect in vote.features
    )
    score = "warming up" if vote.p is None else percent(vote.p)
    closed = utc(vote.closed_ms) if vote.closed_ms else None
    if not vote.fresh:
        score += ", stale"
    return (vote.timeframe, percent(vote.weight, 0), score, closed, features or None)
