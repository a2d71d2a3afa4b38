"""Variables that are no settings: of a ``.env`` file and of the process."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def variables(dotenv: Path, environ: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Return the variables whose names begin so; those of the process override the file's.

    >>> variables(Path("none"), {"KRAKEN_KEY": "k", "HOME": "/"}, "KRAKEN_")
    {'KRAKEN_KEY': 'k'}
    """
    found: dict[str, str] = {}
    if dotenv.is_file():
        from dotenv import dotenv_values

        found = {
            name: value or "" for name, value in dotenv_values(dotenv, interpolate=False).items()
        }
    return {name: value for name, value in {**found, **environ}.items() if name.startswith(prefix)}
