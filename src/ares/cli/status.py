"""``ares status``: what the running engine does at the moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from ares.cli.output import (
    JSON_OPTION,
    amount,
    count,
    duration,
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
    from ares.bootstrap.control import RunningEngine
    from ares.runtime.engine.status import EngineStatus, InstrumentStatus
    from ares.runtime.engine.table_lag import TableLag

INSTRUMENTS = ("instrument", "age", "mode", "models", "position", "value", "profit", "stop")

ENV_OPTION = typer.Option(
    None, "--env", help="Environment of the engine; default: the only one that runs."
)


def command(
    env: str | None = ENV_OPTION,
    json_: bool = JSON_OPTION,
) -> None:
    """Show the running engine: age of its data, modes, positions, orders in flight, halts,
    differences, breakers, last error. Exit code 3: no engine runs.
    """
    from ares.bootstrap.control import running_engine
    from ares.config.workspace import Workspace

    engine = running_engine(Workspace.here(), env)
    if json_:
        print_json(engine)
        return
    _show(engine)


def _show(engine: RunningEngine) -> None:
    status = engine.status
    print_facts(
        {
            "running since": f"{utc(engine.started_ms)} UTC (process {engine.pid} on"
            f" {engine.host}, version {engine.version})",
            "heartbeat": f"{duration(engine.beat_age_s)} ago",
            "market time": f"{utc(status.now_ms)} UTC, event {status.seq}",
            "equity": f"{number(status.equity_quote)} (cash {number(status.cash_quote)}, drawdown"
            f" {percent(status.drawdown, 1)})",
            "venue": _venue(status),
            "breakers": _breakers(status),
            "halts": "; ".join(_halts(status)) or "none",
            "differences": "; ".join(
                f"{d.instrument or 'account'}: {d.kind}, {d.detail}" for d in status.differences
            )
            or "none",
            "tables": _tables(engine.tables),
            "last error": "none"
            if status.last_error_ms is None
            else f"{utc(status.last_error_ms)} {status.last_error}",
        },
        title=engine.environment,
    )
    names = _names([row.instrument for row in status.instruments])
    print_table(INSTRUMENTS, [_row(row, names[row.instrument]) for row in status.instruments])
    for row in status.instruments:
        if row.missing:
            note(f"{row.instrument} is absent: {row.missing}")
        if row.features_s:
            note(f"{row.instrument}: features are complete in {duration(row.features_s)}")
    if not status.orders:
        say("No order is open.")
        return
    print_table(
        ("order", "instrument", "kind", "quantity", "filled", "price", "status", "age"),
        [
            (
                order.client_id[:12], names[order.instrument], order.kind, amount(order.qty_base),
                amount(order.filled_base), amount(order.price), order.status,
                duration((status.now_ms - order.sent_ms) / 1_000.0),
            )
            for order in status.orders
        ],
        optional=("filled", "kind"),
    )  # fmt: skip
    if any(d.instrument for d in status.differences):
        note("Differences wait for a person: look at the venue, then settle them.")


def _tables(lag: TableLag | None) -> str:
    if lag is None:
        return "cannot be read: `ares db check`"
    if lag.seq_behind == 0:
        return f"have all {count(lag.seq)} events"
    return f"{count(lag.seq_behind)} events behind, last written {duration(lag.seconds)} ago"


def _venue(status: EngineStatus) -> str:
    venues = sorted({row.instrument.partition(":")[0] for row in status.instruments})
    state = "reconciling" if status.reconciling else "up"
    return f"{', '.join(venues)}: {state if status.venue_up else 'down'}"


def _halts(status: EngineStatus) -> list[str]:
    return [
        f"{h.instrument or 'all'}: {h.reason}{f' ({h.detail})' if h.detail else ''} since"
        f" {utc(h.since_ms)}"
        for h in status.halts
    ]


def _breakers(status: EngineStatus) -> str:
    tripped = [
        f"{b.breaker}{f' of {b.instrument}' if b.instrument else ''} {b.status.replace('_', '-')}"
        for b in status.breakers
        if b.status != "closed"
    ]
    return ", ".join(tripped) or "all closed"


def _names(keys: list[str]) -> dict[str, str]:
    """Return what the tables call each instrument: its symbol where all are of one venue."""
    venues = {key.partition(":")[0] for key in keys}
    return {key: key.partition(":")[2] if len(venues) == 1 else key for key in keys}


def _row(row: InstrumentStatus, name: str) -> tuple[object, ...]:
    held = row.position_base != 0.0
    return (
        name, None if row.age_s is None else duration(row.age_s),
        f"{row.mode} {percent(row.mode_confidence, 0)}",
        ", ".join(stage for stage in row.stages if stage != "empty"),
        amount(row.position_base) if held else None, number(row.value_quote) if held else None,
        number(row.pnl_quote) if held else None, amount(row.stop_price),
    )  # fmt: skip
