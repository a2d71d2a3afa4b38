"""``ares venues``: what is known of the venues, with source and date."""

from __future__ import annotations

from typing import Any

import typer

from ares.cli.output import JSON_OPTION, note, print_facts, print_json, print_table, say

app = typer.Typer(no_args_is_help=True)

METHODS = (
    "createOrder", "cancelOrder", "editOrder", "fetchOpenOrders", "fetchClosedOrders",
    "fetchMyTrades", "watchOrders", "watchMyTrades", "watchBalance", "cancelAllOrdersAfter",
    "sandbox",
)  # fmt: skip
"""Abilities that ccxt lists and orders need."""


@app.command("list")
def list_(json_: bool = JSON_OPTION) -> int:
    """List the declared venues: whether Ares sends orders there, and how it knows their outcome."""
    from ares.venues.known import DECLARED

    rows: list[dict[str, Any]] = [
        {
            "venue": venue.name,
            "orders": venue.takes_orders,
            "amends_stops": venue.traits.amends_stops,
            "proves_absence": venue.traits.proves_absence,
            "deadline_ms": venue.traits.deadline_ms,
        }
        for venue in DECLARED.values()
    ]
    if json_:
        print_json(rows)
        return 0
    print_table(
        ["venue", "orders", "amends stops", "proves absence", "deadline"],
        [
            [
                row["venue"],
                "yes" if row["orders"] else "declared only",
                "yes" if row["amends_stops"] else "no",
                "yes" if row["proves_absence"] else "no",
                f"{row['deadline_ms'] / 1000:g} s" if row["deadline_ms"] else "none",
            ]
            for row in rows
        ],
    )
    return 0


@app.command()
def show(
    name: str = typer.Argument(..., help="A venue, such as kraken."), json_: bool = JSON_OPTION
) -> int:
    """Show what a venue promises, where that is written, and what it lacks."""
    import msgspec

    from ares.venues.known import declared_venue

    venue = declared_venue(name)
    listed = _ccxt_has(name)
    if json_:
        print_json({**msgspec.to_builtins(venue), "ccxt_has": listed})
        return 0
    say(venue.title)
    print_facts({f"order: {kind}": text for kind, text in venue.orders.items()})
    print_facts(_traits(venue.traits))
    print_table(
        ["property", "value", "source", "read on"],
        [[t.name, t.value, t.source, t.read_on] for t in venue.declared],
    )
    print_facts({"ccxt lists": ", ".join(name for name, has in listed.items() if has)})
    for lack in (*venue.lacks, *(f"ccxt lists no {n}" for n, has in listed.items() if not has)):
        say(f"lacks: {lack}")
    return 0


@app.command()
def probe(
    name: str = typer.Argument(..., help="A venue that takes orders, such as kraken."),
    symbol: str = typer.Option("BTC/USDT", "-s", "--symbol", help="What is bought and sold."),
    address: str | None = typer.Option(
        None, "--address", help="Of a server on this machine, such as http://127.0.0.1:8600."
    ),
    sandbox: bool = typer.Option(False, "--sandbox", help="Ask the venue's sandbox."),
    yes: bool = typer.Option(False, "--yes", help="Agree to orders at the venue's own address."),
    env: str | None = typer.Option(
        None, "--env", help="Whose key is used: rehearsal/NAME of the venue, else live."
    ),
    json_: bool = JSON_OPTION,
) -> int:
    """Compare what is declared of a venue with what it does, by orders of the smallest size.

    Exit code 1: something is not as declared.
    """
    import msgspec

    from ares.bootstrap.probe import ProbeRequest, probe_venue
    from ares.config.workspace import Workspace

    found: list[Any] = []

    def show_trait(trait: Any) -> None:
        found.append(trait)
        if not json_:
            mark = {True: "as declared", False: "DIFFERS", None: ""}[trait.agrees]
            say(f"{trait.trait}: declared {trait.declared}, found {trait.found}  {mark}".rstrip())

    def show_plan(plan: Any) -> None:
        note(f"{name}: {plan.sentence}")

    request = ProbeRequest(name, symbol, address, sandbox, yes, env)
    probe_venue(Workspace.here(), request, show_plan, show_trait)
    differing = sum(trait.agrees is False for trait in found)
    if json_:
        print_json({"venue": name, "traits": msgspec.to_builtins(found), "differing": differing})
    else:
        say(f"{len(found)} traits, {differing or 'none'} otherwise than declared")
    return 1 if differing else 0


def _traits(traits: Any) -> dict[str, str]:
    import msgspec

    return {
        name.replace("_", " ").removesuffix(" ms").removesuffix(" bps"): _shown(name, value)
        for name, value in msgspec.structs.asdict(traits).items()
        if name != "speed"
    }


def _shown(name: str, value: int | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not value:
        return "none"
    if name.endswith("_ms"):
        return f"{value / 1000:g} s"
    return f"{value / 100:g} % below the trigger"


def _ccxt_has(name: str) -> dict[str, bool]:
    """Return which of ``METHODS`` ccxt lists for a venue."""
    import ccxt.pro

    has = getattr(ccxt.pro, name)().has
    return {method: bool(has.get(method)) for method in METHODS}
