"""``ares sim serve`` as a process: it listens, plays, takes faults, and ends on Ctrl-C."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.sim.serving import made_bars

from ares.cli.main import run


@pytest.fixture
def candles(tmp_path: Path) -> Path:
    bars = made_bars(1, 37_000.0, 2)
    columns = ("open", "high", "low", "close", "volume")
    frame = {"open_time": bars.ts_ms, **{name: getattr(bars, name) for name in columns}}
    pl.DataFrame(frame).write_parquet(tmp_path / "BTCUSDT_1m.parquet")
    return tmp_path


@pytest.fixture
def server(candles: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    command = [sys.executable, "-m", "ares", "sim", "serve", "--candles", str(candles)]
    options = ["--port", "0", "--speed", "60", "--json", "--fault", "drop:only=nothing"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("}"):
            break
    yield process, json.loads("".join(lines))
    process.kill()
    process.wait()
    process.stdout.close()


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.loads(answer.read())


def test_it_serves_until_ctrl_c(
    server: tuple[subprocess.Popen[str], dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    process, serving = server
    address = serving["address"]
    assert serving["symbols"] == ["BTC/USDT"]
    assert serving["balances"] == {"USDT": "10000.00000000"}
    assert {key["name"] for key in serving["keys"]} == {"engine", "reader", "watchdog"}
    clock = get(address + "/sim/clock")
    unixtime = get(address + "/0/public/Time")["result"]["unixtime"]
    assert serving["from_ms"] <= clock["market_ms"] <= unixtime * 1000 + 1_000
    assert run(["sim", "fault", "latency", "ms=5", "--address", address, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"id": 2}
    assert run(["sim", "fault", "list", "--address", address]) == 0
    assert re.search(r"2: .*latency", capsys.readouterr().out)
    assert run(["sim", "fault", "clear", "2", "--address", address]) == 0
    assert run(["sim", "fault", "clear", "x", "--address", address]) == 2
    capsys.readouterr()
    assert run(["sim", "account", "USDT=500", "--address", address]) == 0
    assert capsys.readouterr().out.startswith("USDT: 10500.00000000\n0 open orders of 0")
    assert run(["sim", "account", "USDT=-90000", "--address", address]) == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["serve"], 2, "--candles PATH, or --synthetic SEED"),
        (["serve", "--candles", "nowhere"], 2, "no such file or folder"),
        (["serve", "--synthetic", "1", "--protocol", "fix"], 2, "--protocol fix: use one of"),
        (["serve", "--synthetic", "1", "--speed", "0"], 2, "--speed 0"),
        (["serve", "--synthetic", "1", "--days", "0"], 2, "--days 0"),
        (["serve", "--synthetic", "1", "--balance", "USDT"], 2, "--balance USDT: "),
        (["serve", "--synthetic", "1", "--tier", "vip"], 2, "--tier vip: use one of"),
        (["serve", "--synthetic", "1", "--fault", "x"], 2, "unknown: use one of"),
        (["fault", "gap"], 2, "give minutes"),
        (["fault", "list", "--address", "http://127.0.0.1:9"], 3, "no answer of `ares sim serve`"),
    ],
)
def test_an_error_is_one_line(
    args: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["sim", *args]) == code
    message = capsys.readouterr().err
    assert words in message
    assert len(message.strip().splitlines()) == 1


def test_the_kinds_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sim", "fault", "kinds", "--json"]) == 0
    assert "mute" in json.loads(capsys.readouterr().out)
