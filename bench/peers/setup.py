"""Install each peer into an environment of its own under ``.bench/``, from its hashed lock.

    python bench/peers/setup.py [PEER ...]

An environment whose lock has not changed is left alone. The locks are made with
``uv pip compile PEER.in -o PEER.lock --python-version 3.11 --generate-hashes --no-emit-index-url
--no-annotate --no-header``.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ENVIRONMENTS = ROOT / ".bench"
PEERS = ("backtesting", "vectorbt", "nautilus_trader", "nautilus_trader_2", "freqtrade")
PYTHONS = {"nautilus_trader_2": "python3.13"}
"""Peers that do not run on this Python, and what they need."""


def install(peer: str) -> bool:
    """Install ``peer`` unless it is installed; return whether anything was done."""
    lock = HERE / f"{peer}.lock"
    folder = ENVIRONMENTS / peer
    stamp = folder / "installed-from"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    (folder.parent / ".gitignore").write_text("*\n")
    subprocess.run([python_of(peer) or sys.executable, "-m", "venv", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    subprocess.run([*_installer(python), "--require-hashes", "-r", str(lock)], check=True)
    stamp.write_text(wanted)
    return True


def python_of(peer: str) -> str | None:
    """Return the Python that a peer is installed for; None: there is none on this machine."""
    if peer not in PYTHONS:
        return sys.executable
    command = [str(ROOT / "scripts" / "find_python.sh"), PYTHONS[peer]]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False).stdout
    return found.strip().partition(" ")[2] or None


def _installer(python: str) -> list[str]:
    """Return the install command: uv if available, else the new pip."""
    nearby = Path(sys.executable).parent / "uv"
    uv = str(nearby) if nearby.exists() else shutil.which("uv")
    if uv is None:
        return [python, "-m", "pip", "install", "--quiet"]
    return [uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="*", choices=[*PEERS, []], help="default: all")
    for peer in parser.parse_args().peers or PEERS:
        if python_of(peer) is None:
            sys.stdout.write(f"{peer}: absent, because there is no {PYTHONS[peer]}\n")
            continue
        done = install(peer)
        sys.stdout.write(f"{peer}: {'installed' if done else 'already there'}\n")


if __name__ == "__main__":
    main()
