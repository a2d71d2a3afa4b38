"""Find .pth files that no locked package installed: Python runs their imports at each start.

    python -I -S scripts/check_pth.py .venv requirements/dev.lock

``-S`` keeps this start from running them. Exit code 1, with one line, where there is such a file.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import re
import sys
from pathlib import Path

UNLOCKED = frozenset({"ares-trading", "pip", "setuptools"})
"""Installed without the lock: the project itself, and what a new virtual environment contains."""
MAY_IMPORT = {"distutils-precedence.pth": "setuptools"}
"""Files that may contain import lines, and the distribution that each belongs to."""


def main(arguments: list[str]) -> int:
    """Print one line and return 1 where a .pth file is not accounted for."""
    environment, lock = (Path(argument) for argument in arguments)
    sites = {site.resolve() for site in environment.glob("lib*/python3*/site-packages")}
    found = [problem for site in sorted(sites) for problem in problems(site, lock)]
    if not found:
        return 0
    print(
        f"check_pth: {'; '.join(found)}. Find out where they come from, then make the environment "
        "again: `make clean setup`.",
        file=sys.stderr,
    )
    return 1


def problems(site: Path, lock: Path) -> list[str]:
    """Return one description for each .pth file in ``site`` that is not accounted for."""
    recorded = _recorded(site, _locked(lock) | UNLOCKED)
    found = []
    for path in sorted(site.glob("*.pth")):
        content = path.read_bytes()
        owner, digest = recorded.get(path.name, ("", ""))
        if not owner:
            found.append(f"{path.name} belongs to no package of the lock")
        elif digest != _digest(content):
            found.append(f"{path.name} was changed after {owner} was installed")
        elif _imports(content) and MAY_IMPORT.get(path.name) != owner:
            found.append(f"{path.name} of {owner} runs code at each start of Python")
    return found


def _locked(lock: Path) -> set[str]:
    lines = re.findall(r"^([A-Za-z0-9._-]+)==", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {_normal(name) for name in lines}


def _recorded(site: Path, names: set[str] | frozenset[str]) -> dict[str, tuple[str, str]]:
    """Return each .pth file that the RECORD of one of these distributions lists, with its hash."""
    recorded = {}
    for record in site.glob("*.dist-info/RECORD"):
        owner = _normal(record.parent.name.partition("-")[0])
        if owner not in names:
            continue
        with record.open(encoding="utf-8", newline="") as rows:
            for row in csv.reader(rows):
                if row and row[0].endswith(".pth") and "/" not in row[0]:
                    recorded[row[0]] = (owner, row[1])
    return recorded


def _digest(content: bytes) -> str:
    """Return the hash of a file as a RECORD writes it."""
    encoded = base64.urlsafe_b64encode(hashlib.sha256(content).digest())
    return f"sha256={encoded.decode().rstrip('=')}"


def _imports(content: bytes) -> bool:
    text = content.decode("utf-8-sig", errors="replace")
    return any(line.startswith(("import ", "import\t")) for line in text.splitlines())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
