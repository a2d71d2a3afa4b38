"""``ares why``: one bar explained: features, scores, confidence, edge, mode, limits, decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from ares.cli.output import (
    JSON_OPTION,
    count,
    note,
    number,
    percent,
    print_facts,
    print_json,
    print_table,
    say,
    utc,
)
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.runtime.replay.explanation import Explanation, TimeframeVote


def command(
    instrument: str | None = typer.Argument(
        None, help="Symbol or key, such as BTC/USDT; with --refusals, default: all."
    ),
    at: str | None = typer.Option(None, "--at", help="Day or time, UTC; default: the newest bar."),
    refusals: bool = typer.Option(
        False, "--refusals", help="Why signals were refused, counted over a window."
    ),
    from_: str = typer.Option(None, "--from", help="Of --refusals: first day or time, UTC."),
    to: str = typer.Option(None, "--to", help="Of --refusals: end of the window, UTC."),
    run: str = typer.Option(None, "--run", help="Name of the run; default: the newest."),
    json_: bool = JSON_OPTION,
) -> None:
    """Explain why Ares did, or did not, trade at a bar, or which signals were refused."""
    from ares.bootstrap import why_run
    from ares.config.workspace import Workspace
    from ares.research.window import parse_utc

    if refusals:
        if at is not None:
            raise UserError("--at and --refusals: give one of them; --refusals takes --from, --to")
        _refusals(run, instrument, from_, to, json_)
        return
    if instrument is None:
        raise UserError("which instrument? Give its symbol, such as BTC/USDT, or --refusals")
    if from_ or to:
        raise UserError("--from and --to go with --refusals; a single bar has --at")
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


def _refusals(
    run: str | None, instrument: str | None, from_: str | None, to: str | None, json_: bool
) -> None:
    """Print why signals were refused in a window."""
    from ares.bootstrap import refusals_of_run
    from ares.config.workspace import Workspace
    from ares.research.window import parse_utc

    from_ms = parse_utc(from_) if from_ else 0
    to_ms = parse_utc(to) if to else 2**62
    found = refusals_of_run(Workspace.here(), run, instrument, from_ms, to_ms)
    if json_:
        print_json(found)
        return
    if not found.rows:
        say(f"{found.environment}: no signal was refused in this window")
        return
    columns = ("instrument", "refused for", "signals", "first", "last (UTC)", "largest edge",
               "virtual trades", "net/trade")  # fmt: skip
    rows = [
        (
            *(row.instrument, row.code.replace("_", " "), count(row.signals)),
            *(utc(row.first_ms), utc(row.last_ms), f"{row.edge_bps_max:+.1f} bps"),
            count(row.virtual),
            None if row.virtual_mean_bps is None else f"{row.virtual_mean_bps:+.1f} bps",
        )
        for row in found.rows
    ]
    total = sum(row.signals for row in found.rows)
    print_table(columns, rows, title=found.environment, footer=f"{count(total)} refused signals")


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
