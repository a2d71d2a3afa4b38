"""``ares symbols``: which instruments the running engine trades."""

from __future__ import annotations

import typer

from ares.cli.control import REASON_OPTION, ask
from ares.cli.status import ENV_OPTION

app = typer.Typer(no_args_is_help=True)

SYMBOL = typer.Argument(..., metavar="SYMBOL", help="Symbol or key.")


@app.command()
def add(symbol: str = SYMBOL, reason: str = REASON_OPTION, env: str | None = ENV_OPTION) -> None:
    """Trade an instrument again that was removed. A new one needs a new run."""
    ask(env, "symbols", action="add", instrument=symbol, reason=reason)


@app.command()
def remove(symbol: str = SYMBOL, reason: str = REASON_OPTION, env: str | None = ENV_OPTION) -> None:
    """Trade an instrument no more; refused unless it is flat. Virtual trades go on."""
    ask(env, "symbols", action="remove", instrument=symbol, reason=reason)
