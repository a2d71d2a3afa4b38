"""The kernel is compiled by another process, once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.runtime.engine.conftest import World

from ares.kernel import jit
from ares.runtime.engine import machine_code
from ares.runtime.engine.machine_code import compile_beforehand


@pytest.fixture
def marker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where it is noted, as if nothing was compiled yet."""
    path = tmp_path / "compiled"
    monkeypatch.setattr(machine_code, "_marker", lambda: path)
    return path


def test_it_is_done_once(world: World, marker: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = world.plan().setup
    assert compile_beforehand(setup)
    marker.touch()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert not compile_beforehand(setup)


def test_where_it_fails_the_engine_goes_on(
    world: World, marker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert not compile_beforehand(world.plan().setup)
    assert not marker.exists()


def test_the_note_is_of_this_kernel() -> None:
    assert machine_code._marker().parent == jit.use_cache_folder()
