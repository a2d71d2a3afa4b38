"""The origin of a result: the commit of the code, and the versions of the libraries."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import ares

LIBRARIES = ("lightgbm", "numpy", "numba", "onnx", "onnxruntime")

GIT_S = 60.0
"""A busy machine may take seconds to name its commit. A card with another commit has another hash,
and so have the journals of a run that learns."""


@lru_cache(maxsize=1)
def git_commit() -> str:
    """Return the commit of Ares' sources, ``+dirty`` where they were edited since.

    An installed Ares that lies in no repository of its own is named by its version.
    """
    folder = Path(ares.__file__).parent
    installed = f"ares-{ares.__version__}"
    try:
        tracked = _git(folder, "ls-files", "--error-unmatch", "__init__.py")
        if not tracked:
            return installed
        commit = _git(folder, "rev-parse", "HEAD")
        return f"{commit}+dirty" if _git(folder, "status", "--porcelain", "--", ".") else commit
    except (OSError, subprocess.SubprocessError):
        return installed


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that shape a model."""
    found = {"ares": ares.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=GIT_S,
        check=True,
    )
    return done.stdout.strip()
