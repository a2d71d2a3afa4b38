"""Where a result comes from: a commit or a version, and the libraries that shape a model."""

from __future__ import annotations

import re
from importlib.metadata import version

import ares
from ares.adapters.provenance import LIBRARIES, git_commit, library_versions


def test_the_commit_is_one_or_the_installed_version() -> None:
    assert re.fullmatch(r"[0-9a-f]{40}(\+dirty)?", git_commit()) or (
        git_commit() == f"ares-{ares.__version__}"
    )


def test_the_versions_are_those_installed() -> None:
    found = library_versions()
    assert found["ares"] == ares.__version__
    assert {name: found[name] for name in LIBRARIES} == {name: version(name) for name in LIBRARIES}
