"""``ares sim``: synthetic markets with a known edge, and a market data server for rehearsal."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import typer

from ares.cli import sim_serve
from ares.cli.output import JSON_OPTION, count, note, print_json, say, utc
from ares.domain.errors import UserError

EDGE_MAX = 5.0
"""At 1 the edge is half of an hour's standard deviation; far above, prices leave every range."""

app = typer.Typer(
    no_args_is_help=True,
    help="Synthetic markets with a known edge; a market data server for rehearsal.",
    add_completion=False,
)
app.command("serve")(sim_serve.serve)
app.command("account")(sim_serve.account)
app.command("fault")(sim_serve.fault)


@app.callback()
def _noun() -> None:
    """Synthetic markets with a known edge; a market data server for rehearsal."""


@app.command()
def candles(
    out: Path = typer.Argument(..., help="New file to write (.parquet or .csv)."),
    edge: float = typer.Option(1.0, "--edge", help="Strength of the planted edge; 0: pure noise."),
    years: float = typer.Option(4.0, "--years", help="Length in years."),
    turns: float = typer.Option(
        None, "--turns", help="Year after which the edge is reversed; default: never."
    ),
    seed: int = typer.Option(1, "--seed", help="Seed of the random numbers."),
    json_: bool = JSON_OPTION,
) -> int:
    """Write hourly candles of a synthetic BTC/USDT with a planted edge (or none).

    Import them with `ares data import FILE --venue simulated --symbol BTC/USDT --interval 1h`.
    """
    import polars as pl

    from ares.adapters.durable import write_file
    from ares.sim.hours import HOURS, hours

    _require_valid(out, edge, years, turns)
    n = round(years * HOURS / 4)
    turns_at = None if turns is None else round(turns * HOURS / 4)
    made = hours(seed, edge, n, turns_at=turns_at)
    bars = made.bars
    frame = pl.DataFrame(
        {
            "open_time": bars.ts_ms,
            "open": bars.open,
            "high": bars.high,
            "low": bars.low,
            "close": bars.close,
            "volume": bars.volume,
        }
    )
    content = BytesIO()
    if out.suffix == ".csv":
        frame.write_csv(content)
    else:
        frame.write_parquet(content)
    write_file(out, content.getvalue())
    reversed_ms = None if turns_at is None else int(bars.ts_ms[turns_at])
    summary = {
        "file": str(out),
        "bars": n,
        "from": utc(int(bars.ts_ms[0])),
        "to": utc(int(bars.ts_ms[-1])),
        "edge": edge,
        "turns": None if reversed_ms is None else utc(reversed_ms),
        "seed": seed,
    }
    if json_:
        print_json(summary)
        return 0
    what = "pure noise" if edge == 0.0 else f"an edge of strength {edge:g} planted"
    say(f"{count(n)} hourly candles, {summary['from']} to {summary['to']} UTC: {what}.")
    if reversed_ms is not None:
        say(f"From {summary['turns']} on the edge is reversed.")
    note(f"next: `ares data import {out} --venue simulated --symbol BTC/USDT --interval 1h`")
    return 0


def _require_valid(out: Path, edge: float, years: float, turns: float | None) -> None:
    if out.suffix not in (".parquet", ".csv"):
        raise UserError(f"{out}: use a name that ends in .parquet or .csv")
    if out.exists():
        raise UserError(f"{out} exists already: name a new file")
    if not out.parent.is_dir():
        raise UserError(f"{out.parent}: no such folder: create it first")
    if not -EDGE_MAX <= edge <= EDGE_MAX:
        raise UserError(f"--edge {edge:g}: must be between -{EDGE_MAX:g} and {EDGE_MAX:g}")
    if not 0.1 <= years <= 50.0:
        raise UserError(f"--years {years:g}: must be between 0.1 and 50")
    if turns is not None and not 0.0 <= turns < years:
        raise UserError(f"--turns {turns:g}: must be between 0 and --years ({years:g})")
