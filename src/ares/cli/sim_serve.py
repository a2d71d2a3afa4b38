"""``ares sim serve`` and ``ares sim fault``: a venue for rehearsal, and its faults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ares.cli.output import JSON_OPTION, note, print_facts, print_json, say, utc
from ares.domain.errors import UserError

if TYPE_CHECKING:
    from ares.bootstrap.sim_serve import Serving

ADDRESS = "http://127.0.0.1:8600"


def serve(
    protocol: str = typer.Option("kraken", "--protocol", help="kraken, binance or alpaca."),
    candles: Path = typer.Option(None, "--candles", help="File or folder of 1m candles to play."),
    synthetic: int = typer.Option(
        None, "--synthetic", help="Play a synthetic market of this seed instead."
    ),
    edge: float = typer.Option(1.0, "--edge", help="Of a synthetic market; 0: pure noise."),
    days: int = typer.Option(60, "--days", help="Length of a synthetic market."),
    symbol: list[str] = typer.Option([], "--symbol", "-s", help="Play only these; repeat."),
    from_: str = typer.Option(
        None, "--from", help="Start of market time, UTC; default: the middle of the candles."
    ),
    speed: float = typer.Option(
        1.0, "--speed", help="Market time per wall time: 60 is a minute a second."
    ),
    host: str = typer.Option("127.0.0.1", "--host", help="Address to listen on."),
    port: int = typer.Option(8600, "--port", help="0: a free one."),
    fault: list[str] = typer.Option(
        [], "--fault", help="A fault from the start: latency:ms=300,after=10,seconds=20; repeat."
    ),
    balance: list[str] = typer.Option(
        [], "--balance", help="USDT=10000; repeat. Default: 10,000 of each quote currency."
    ),
    key_file: Path = typer.Option(
        None, "--key-file", help="API keys as JSON; written where it does not exist."
    ),
    withdraw_key: bool = typer.Option(
        False, "--withdraw-key", help="A fourth key, owner, that can withdraw."
    ),
    tier: str = typer.Option(
        "intermediate", "--tier", help="Rate limits: starter, intermediate, pro or none."
    ),
    stops_hold: bool = typer.Option(
        True, "--stops-hold/--stops-hold-nothing", help="Whether a stop that rests holds its coins."
    ),
    ids_again: bool = typer.Option(
        False, "--ids-again", help="Alpaca: take the client id of an order that has ended again."
    ),
    seed: int = typer.Option(0, "--seed", help="Seed of faults and, without a file, of the keys."),
    json_: bool = JSON_OPTION,
) -> int:
    """Serve market data and an account as a real venue does, until Ctrl-C; time runs at --speed."""
    from ares.bootstrap.sim_serve import ServeRequest, serve_market
    from ares.research.window import parse_utc
    from ares.sim.serve.faults import parse_fault

    if (candles is None) == (synthetic is None):
        raise UserError("give --candles PATH, or --synthetic SEED (one of the two)")
    request = ServeRequest(
        protocol=protocol,
        candles=candles,
        synthetic=synthetic or 0,
        edge=edge,
        days=days,
        symbols=tuple(symbol),
        from_ms=None if from_ is None else parse_utc(from_),
        speed=speed,
        host=host,
        port=port,
        faults=tuple(parse_fault(text) for text in fault),
        seed=seed,
        balances=tuple(balance),
        key_file=key_file,
        withdraws=withdraw_key,
        tier=tier,
        stops_hold=stops_hold,
        ids_again=ids_again,
    )

    def ready(serving: Serving) -> None:
        if json_:
            print_json(serving)
        else:
            _show(protocol, speed, serving)

    serve_market(request, ready)
    return 0


def _show(protocol: str, speed: float, serving: Serving) -> None:
    for line in serving.skipped:
        note(line)
    print_facts(
        {
            "listens": serving.address,
            "protocol": protocol,
            "symbols": ", ".join(serving.symbols),
            "history from": utc(serving.history_from_ms),
            "market time": f"{utc(serving.from_ms)}, x{speed:g}",
            "candles until": utc(serving.to_ms),
            "balances": ", ".join(f"{amount} {a}" for a, amount in serving.balances.items()),
            "keys": ", ".join(f"{key.name} ({', '.join(key.rights)})" for key in serving.keys),
        }
    )
    note("keys, worth nothing but here; of a workspace that rehearses, in its .env:")
    for key in serving.keys[:1]:
        stem = f"REHEARSAL_{protocol.upper()}"
        say(f"{stem}_KEY={key.key}\n{stem}_SECRET={key.secret}")
    note("the other keys: --json, or --key-file FILE")
    note(f"faults: `ares sim fault latency ms=500 --address {serving.address}`; Ctrl-C stops")


def fault(
    kind: str = typer.Argument(..., help="A kind of fault, or: list, clear, kinds."),
    values: list[str] = typer.Argument(None, help="NAME=VALUE ..., or the id to clear."),
    address: str = typer.Option(ADDRESS, "--address", help="Of `ares sim serve`."),
    json_: bool = JSON_OPTION,
) -> int:
    """Make a running `ares sim serve` fail on purpose: latency ms=500 seconds=20; drop
    probability=0.1; gap minutes=5 only=BTC. `kinds` explains all; `list`, `clear`.
    """
    from ares.sim.serve.admin import SimAdmin
    from ares.sim.serve.faults import FAULTS, parse_fault

    values = values or []
    if kind == "kinds":
        _print(json_, FAULTS)
        return 0
    admin = SimAdmin(address)
    if kind == "list":
        faults = admin.faults()
        if json_:
            print_json(faults)
        for active in [] if json_ else faults:
            say(f"{active['id']}: {active['fault']}, struck {active['struck']} times")
        if not faults and not json_:
            say("no faults")
    elif kind == "clear":
        if values and not values[0].isdigit():
            raise UserError(f"'{values[0]}' is not the id of a fault: see `ares sim fault list`")
        _print(json_, {"cleared": admin.clear(int(values[0]) if values else None)})
    else:
        number = admin.add(parse_fault(f"{kind}:{','.join(values)}"))
        _print(json_, {"id": number})
    return 0


def account(
    transfers: list[str] = typer.Argument(
        None, help="ASSET=AMOUNT to deposit; negative: withdraw."
    ),
    address: str = typer.Option(ADDRESS, "--address", help="Of `ares sim serve`."),
    json_: bool = JSON_OPTION,
) -> int:
    """Show the account of a running `ares sim serve`; USDT=500 deposits, BTC=-0.1 withdraws."""
    from ares.sim.serve.admin import SimAdmin

    admin = SimAdmin(address)
    for transfer in transfers or []:
        asset, equals, amount = transfer.partition("=")
        if not equals or not asset:
            raise UserError(f"'{transfer}' is not ASSET=AMOUNT, such as USDT=500 or BTC=-0.1")
        admin.transfer(asset.upper(), amount)
    facts = admin.account()
    if json_:
        print_json(facts)
        return 0
    held = facts["held"]
    for asset, amount in facts["balances"].items():
        say(f"{asset}: {amount}" + (f", {held[asset]} held by orders" if asset in held else ""))
    say(
        f"{facts['open_orders']} open orders of {facts['orders']}, {facts['executions']} executions"
    )
    return 0


def _print(json_: bool, facts: dict[str, Any]) -> None:
    if json_:
        print_json(facts)
    else:
        print_facts(facts)
