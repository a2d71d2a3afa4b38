"""Importing the kernel makes no folder; its machine code is cached; bound functions are equal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from ares.kernel.jit import _type_of, bind, njit
from ares.kernel.trade.money import notional_units

IMPORT_ALL = """
import importlib, pkgutil, ares.kernel, ares.learn.labels, ares.sim.prices
for module in pkgutil.walk_packages(ares.kernel.__path__, "ares.kernel."):
    importlib.import_module(module.name)
"""
COMPILE = """
from ares.kernel.trade.money import divide_half_even
assert divide_half_even(7, 2) == 4
print(sum(divide_half_even.stats.cache_hits.values()))
print(sum(divide_half_even.stats.cache_misses.values()))
"""


def run(code: str, home: Path) -> str:
    """Return what code prints in a fresh process whose home is an empty folder."""
    temporary = home / "temporary"
    temporary.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        capture_output=True, text=True, check=True,
        env={**os.environ, "HOME": str(home), "TMPDIR": str(temporary)},
    )  # fmt: skip
    return done.stdout


def files(home: Path) -> list[str]:
    """Return the names of all files and folders but the temporary folder itself."""
    return sorted(p.name for p in home.rglob("*") if p != home / "temporary")


def test_importing_the_kernel_makes_no_file(tmp_path: Path) -> None:
    run(IMPORT_ALL, tmp_path)
    assert files(tmp_path) == []


def test_machine_code_is_compiled_once_and_kept(tmp_path: Path) -> None:
    assert run(COMPILE, tmp_path).split() == ["0", "1"]
    (folder,) = (tmp_path / ".cache" / "ares").iterdir()
    assert folder.name.startswith("kernel-")
    kept = [name for name in files(folder) if name.endswith((".nbi", ".nbc"))]
    assert len(kept) == 2
    assert run(COMPILE, tmp_path).split() == ["1", "0"]
    assert [name for name in files(folder) if name.endswith((".nbi", ".nbc"))] == kept


def test_a_home_that_cannot_be_written_is_passed_over(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".cache").write_text("no folder")
    assert run(COMPILE, home).split() == ["0", "1"]
    assert run(COMPILE, home).split() == ["1", "0"]
    assert [path.name for path in (home / "temporary").iterdir()] == ["ares"]


class Pair(NamedTuple):
    """Two arrays that a test's function takes as one argument."""

    amounts: NDArray[np.int64]
    total: NDArray[np.int64]


@njit
def add_amounts(factor: int, pair: Pair) -> None:
    """Add the amounts, times a factor, to the total."""
    for amount in pair.amounts:
        pair.total[0] += factor * amount


def test_a_bound_function_does_what_the_function_does() -> None:
    pair = Pair(np.array([1, 2, 3]), np.zeros(1, np.int64))
    bound = bind(add_amounts, 0, pair)
    assert pair.total[0] == 0, "binding compiles, and calls nothing"
    bound(2, pair)
    other = Pair(np.array([10]), pair.total)
    bound(np.int64(1), other)  # type: ignore[arg-type] # NumPy's integers are the same to Numba
    add_amounts(1, other)
    assert pair.total[0] == 12 + 10 + 10


def test_a_bound_function_raises_what_the_function_raises() -> None:
    bound = bind(notional_units, 1, 1, 1, 1)
    with pytest.raises(OverflowError, match="too large"):
        bound(10**9, 10**9, 10**3, 1)


def test_arguments_of_a_bound_function_are_positional() -> None:
    with pytest.raises(TypeError, match="by position"):
        bind(add_amounts, factor=0, pair=Pair(np.zeros(1, np.int64), np.zeros(1, np.int64)))


def test_a_bound_function_is_compiled_for_the_types_that_numba_finds() -> None:
    record = np.dtype([("ticks", "i8"), ("share", "f4")])
    frozen = np.zeros(3)
    frozen.flags.writeable = False
    pair = Pair(np.zeros((2, 2), np.int64)[:, 1], np.zeros(1, np.int64))
    arrays = (np.zeros(2, record), np.zeros((2, 3), np.float32, order="F"), frozen)
    for value in (pair, *arrays, arrays, (1, 2.0), 7, True, 0.5):
        assert _type_of(value) == numba.typeof(value)  # type: ignore[no-untyped-call]
