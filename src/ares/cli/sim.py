"""``ares sim``: made-up worlds whose truth is known, to see what Ares does with it."""

from __future__ import annotations

from pathlib import Path

import typer

from ares.cli.output import JSON_OPTION, count, note, print_json, say, utc
from ares.domain.errors import UserError

app = typer.Typer(
    no_args_is_help=True, help="Made-up worlds whose truth is known.", add_completion=False
)


@app.callback()
def _noun() -> None:
    """Made-up worlds whose truth is known."""


@app.command()
def candles(
    out: Path = typer.Argument(..., help="File to write (.parquet or .csv), new."),
    edge: float = typer.Option(1.0, "--edge", help="Strength of what is planted; 0: pure noise."),
    years: float = typer.Option(4.0, "--years", help="Length."),
    turns: float = typer.Option(
        None, "--turns", help="Year from which on it works the other way round; default: never."
    ),
    seed: int = typer.Option(1, "--seed", help="Another seed is another world."),
    json_: bool = JSON_OPTION,
) -> int:
    """Write hourly candles of a made-up BTC/USDT with an edge planted in it (or none).

    Import them with `ares data import FILE --venue simulated --symbol BTC/USDT --interval 1h`.
    """
    import polars as pl

    from ares.sim.hours import HOURS, hours

    if out.suffix not in (".parquet", ".csv"):
        raise UserError(f"{out}: use a name that ends in .parquet or .csv")
    if out.exists():
        raise UserError(f"{out} is there already: name a new file")
    if not out.parent.is_dir():
        raise UserError(f"{out.parent} is no folder: make it first")
    if not 0.1 <= years <= 50.0:
        raise UserError(f"--years {years:g}: between 0.1 and 50")
    if turns is not None and not 0.0 <= turns < years:
        raise UserError(f"--turns {turns:g}: between 0 and --years ({years:g})")
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
    if out.suffix == ".csv":
        frame.write_csv(out)
    else:
        frame.write_parquet(out)
    turned_ms = None if turns_at is None else int(bars.ts_ms[turns_at])
    said = {
        "file": str(out),
        "bars": n,
        "from": utc(int(bars.ts_ms[0])),
        "to": utc(int(bars.ts_ms[-1])),
        "edge": edge,
        "turns": None if turned_ms is None else utc(turned_ms),
        "seed": seed,
    }
    if json_:
        print_json(said)
        return 0
    what = "pure noise" if edge == 0.0 else f"an edge of strength {edge:g} planted"
    say(f"{count(n)} hourly candles, {said['from']} to {said['to']} UTC: {what}.")
    if turned_ms is not None:
        say(f"From {said['turns']} on it works the other way round.")
    note(f"made up: `ares data import {out} --venue simulated --symbol BTC/USDT --interval 1h`")
    return 0
