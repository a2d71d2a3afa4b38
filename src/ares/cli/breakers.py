"""``ares breakers``: what the running engine's breakers measure; recover, reset and test them."""

from __future__ import annotations

import typer

from ares.cli.control import REASON_OPTION, SYMBOL_OPTION, ask
from ares.cli.output import JSON_OPTION, note, number, print_json, print_table, utc
from ares.cli.status import ENV_OPTION

app = typer.Typer(no_args_is_help=True)

NAME = typer.Argument(
    ..., help="win_rate, drawdown, failures, execution, slippage, gas or volatility."
)


@app.command()
def status(env: str | None = ENV_OPTION, json_: bool = JSON_OPTION) -> None:
    """Show every breaker: its status, what it measures now, its limit, why it opened last."""
    from ares.bootstrap.control import running_engine
    from ares.config.workspace import Workspace

    found = running_engine(Workspace.here(), env).status.breakers
    if json_:
        print_json(found)
        return
    print_table(
        ("breaker", "of", "status", "since", "value", "limit", "trials left"),
        [
            (
                b.breaker, b.instrument or "account", b.status.replace("_", "-"),
                None if b.since_ms is None else utc(b.since_ms),
                None if b.value is None else number(b.value),
                None if b.limit is None else number(b.limit), b.trials,
            )
            for b in found
        ],
    )  # fmt: skip
    for b in found:
        if b.opened is not None:
            numbers = ", ".join(f"{k} {number(v)}" for k, v in b.opened.evidence.items())
            what = f"{number(b.opened.value)} (limit {number(b.opened.limit)}): {numbers}"
            note(f"{b.breaker} opened {utc(b.opened.ts_ms)} UTC: {b.opened.cause or what}")


@app.command()
def recover(
    name: str = NAME,
    symbol: str = SYMBOL_OPTION,
    reason: str = REASON_OPTION,
    env: str | None = ENV_OPTION,
) -> None:
    """Let an open breaker become half-open: trades of trial size close it, or open it again."""
    ask(env, "breaker", action="recover", name=name, instrument=symbol, reason=reason)


@app.command()
def reset(
    name: str = NAME,
    symbol: str = SYMBOL_OPTION,
    reason: str = REASON_OPTION,
    env: str | None = ENV_OPTION,
) -> None:
    """Close a breaker at once, without trial trades; it looks at nothing that was before."""
    ask(env, "breaker", action="reset", name=name, instrument=symbol, reason=reason)


@app.command("test")
def drill(
    name: str = NAME,
    symbol: str = SYMBOL_OPTION,
    reason: str = typer.Option("drill", "--reason", help="Why; it is journaled."),
    env: str | None = ENV_OPTION,
) -> None:
    """Drill: trip a breaker on purpose. Entries are refused until it is recovered or reset, or
    (all but drawdown) its cool-down has passed. Not where real money trades.
    """
    from ares.bootstrap import control
    from ares.cli.control import show_answer
    from ares.config.workspace import Workspace

    show_answer("test", control.drill(Workspace.here(), env, name, symbol, reason))
