"""A user's module reaches nothing outside: neither while it is imported nor when it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ares.adapters.purity import ImpureError, guarded_import, pure, require_pure_source
from ares.domain.errors import UserError
from ares.kernel.bars import Bars

BODY = "@feature(warmup_bars=1)\ndef f(bars):\n    return {}\n"


def bars() -> Bars:
    same = np.ones(3)
    return Bars.make(60_000 * np.arange(3), same, same, same, same, same)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import time\n", r"line 3 imports time \(the clock\)"),
        ("import random\n", r"line 3 imports random \(random numbers\)"),
        ("from os import urandom\n", r"line 3 imports os \(files\)"),
        ("import urllib.request\n", r"line 3 imports urllib\.request \(the network\)"),
        ("import subprocess\n", r"line 3 imports subprocess \(other processes\)"),
        (BODY.format("np.random.rand()"), r"line 5 uses \.random \(random numbers\)"),
        ("from numpy.random import rand\n", "imports"),
        ("from datetime import datetime\nx = datetime.now()\n", r"line 4 uses \.now \(the clock\)"),
        (BODY.format("np.datetime64('now').astype(int)"), r"uses 'now' \(the clock\)"),
        (BODY.format("float(open('x').read())"), r"line 5 uses open \(files\)"),
        (BODY.format("eval('1')"), r"uses eval \(Python itself\)"),
        ("def g():\n    import time\n    return time.time()\n", "line 4 imports time"),
    ],
)
def test_what_reaches_outside_is_named_with_its_line(
    user_module: Any, source: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as caught:
        user_module.load(source + BODY.format("0.0"))
    assert str(caught.value).startswith("features.module 'mine.py': ")
    assert "external series" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_is_refused_where_it_is_opened_by_a_library(
    user_module: Any, tmp_path: Path
) -> None:
    np.save(tmp_path / "prices.npy", np.ones(3))
    reads = f"np.load({str(tmp_path / 'prices.npy')!r})"
    with pytest.raises(UserError, match=r"opens prices\.npy \(files\)"):
        user_module.load(f"KNOWN = {reads}\n" + BODY.format("KNOWN[0]"))
    features = user_module.load(BODY.format(f"{reads}[0]"))
    what = r"feature 'f' of mine\.py failed .*opens prices\.npy \(files\).*\(mine\.py, line 5\)"
    with pytest.raises(UserError, match=what):
        features.of(bars(), 60_000)


def test_a_refusal_cannot_be_swallowed(user_module: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "prices.npy", np.ones(3))
    body = f"""
@feature(warmup_bars=1)
def f(bars):
    try:
        return np.load({str(tmp_path / "prices.npy")!r})[0]
    except BaseException:
        return 0.0
"""
    with pytest.raises(UserError, match=r"opens prices\.npy"):
        user_module.load(body).of(bars(), 60_000)
    assert np.load(tmp_path / "prices.npy").sum() == 3.0, "elsewhere nothing is refused"


@pytest.mark.parametrize(
    "act",
    [
        lambda: subprocess.run([sys.executable, "-c", ""], check=True),
        lambda: __import__("socket").create_connection(("127.0.0.1", 9)),
        lambda: __import__("os").system("true"),
        lambda: __import__("sqlite3").connect(":memory:"),
        lambda: Path(__file__).with_suffix(".txt").write_text(""),
    ],
    ids=["process", "socket", "shell", "database", "write"],
)
def test_the_hook_refuses_what_no_search_finds(act: Any) -> None:
    with pytest.raises(ImpureError):
        pure(act)()
    with pytest.raises(ImpureError), guarded_import():
        act()


def test_pure_functions_keep_their_results_and_errors() -> None:
    assert pure(lambda x, y=1: x + y)(2, y=3) == 5
    with pytest.raises(ZeroDivisionError):
        pure(lambda: 1 / 0)()
    require_pure_source("import numpy as np\nimport math\nx = np.sqrt(2.0)\n")


def test_libraries_are_imported_and_compiled_functions_run(user_module: Any) -> None:
    features = user_module.load(
        "import statistics\nfrom ares.kernel.jit import njit\n"
        "@njit\ndef half(x):\n    return 0.5 * x\n" + BODY.format("half(statistics.mean([2.0]))")
    )
    assert features.of(bars(), 60_000).tolist() == [[1.0]] * 3
