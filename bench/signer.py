"""What the signer adds to a private request: the same one by one, directly and through it.

    python -m bench.signer [REQUESTS]

Server, signer and client are processes of this machine; requests take turns, so that a busy moment
hits both ways alike. ``added`` is the difference of the quantiles. Limits: p50 0.5 ms, p99 1 ms.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ares.bootstrap.signer import held_key
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey
from ares.runtime.engine.quiet import raise_priority
from ares.security.vault import KeyVault
from ares.security.vault_format import KdfCost, KeyEntry
from ares.venues.kraken_venue import KrakenAccount

ENVIRONMENT = "rehearsal/kraken"
WARM = 200
LIMITS_MS = {"p50": 0.5, "p99": 1.0}


def main() -> int:
    requests = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    with tempfile.TemporaryDirectory() as folder:
        result = measured(Path(folder), requests)
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    return 0


def measured(folder: Path, requests: int) -> dict[str, Any]:
    """Return the quantiles in ms of both ways."""
    words = ("sim", "serve", "--synthetic", "1", "--days", "2", "-s", "BTC/USDT", "--tier", "none")
    server = _started(folder, *words, "--port", "0", "--json")
    try:
        text = ""
        while True:
            text += _line(server)
            try:
                served = json.loads(text)
                break
            except ValueError:
                continue
        workspace, key = _workspace(folder, served)
        at = ("--address", served["address"], "--passphrase-file", str(folder / "pass"))
        signer = _started(workspace.root, "signer", "run", "--env", ENVIRONMENT, *at)
        try:
            _line(signer)
            return asyncio.run(_compared(workspace, key, served["address"], requests))
        finally:
            _end(signer)
    finally:
        _end(server)


async def _compared(
    workspace: Workspace, key: ApiKey, address: str, requests: int
) -> dict[str, Any]:
    raise_priority()
    held = await asyncio.to_thread(held_key, workspace, ENVIRONMENT)
    assert held is not None
    ways = {
        "direct": KrakenAccount(key, _now_ms, address=address),
        "signer": KrakenAccount(held, _now_ms, address=address),
    }
    taken_ms: dict[str, list[float]] = {name: [] for name in ways}
    gc.collect()
    gc.freeze()
    for n in range(requests + WARM):
        for name, account in ways.items():
            began_ns = time.perf_counter_ns()
            await account._requests.ask("privatePostBalance", {})
            if n >= WARM:
                taken_ms[name].append((time.perf_counter_ns() - began_ns) / 1e6)
    for account in ways.values():
        await account.close()
    quantiles = {
        name: {"p50": float(np.quantile(ms, 0.5)), "p99": float(np.quantile(ms, 0.99))}
        for name, ms in taken_ms.items()
    }
    added = {q: round(quantiles["signer"][q] - quantiles["direct"][q], 3) for q in LIMITS_MS}
    shown = {
        name: {q: round(ms, 3) for q, ms in found.items()} for name, found in quantiles.items()
    }
    return {
        "requests": requests, **shown, "added": added, "limit": LIMITS_MS,
        "load": os.getloadavg()[0],
    }  # fmt: skip


def _workspace(folder: Path, served: dict[str, Any]) -> tuple[Workspace, ApiKey]:
    """Return a workspace with the engine's key stored, and another key for the direct way."""
    workspace, _ = Workspace.init(folder / "w")
    path = workspace.settings_path
    path.write_text(path.read_text().replace("venue: binance", "venue: kraken"))
    (folder / "pass").write_text("passphrase")
    (folder / "pass").chmod(0o600)
    keys = {key["name"]: ApiKey(key["key"], key["secret"]) for key in served["keys"]}
    vault = KeyVault.create(workspace.keys_path, b"passphrase", KdfCost(64, 1, 1))
    vault.put(KeyEntry(ENVIRONMENT, "kraken", 1_000, 90), keys["engine"])
    return Workspace(workspace.root), keys["reader"]


def _started(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "ARES_WORKSPACE": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-m", "ares", *words], stdout=subprocess.PIPE, env=environ
    )


def _line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().decode()
    if not line:
        raise RuntimeError(f"it ended: {process.args!r}")
    return line


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    sys.exit(main())
