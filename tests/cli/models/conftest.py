"""A workspace with one trained model, made once; every test gets a copy of its own."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml

from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.domain.instrument import Instrument, InstrumentSpec
from ares.kernel.bars import Bars
from ares.store.candles import CandleStore
from ares.store.database import open_database

HOUR = 3_600_000


class CommandResult(NamedTuple):
    """A command's exit code and what it printed."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Ares:
    """The command line in a workspace: called with a command's words, it says what that said.

    made : what the command said that made the workspace what it is; None: no command did.
    """

    root: Path
    made: CommandResult | None = None

    def __call__(self, *arguments: str) -> CommandResult:
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("COLUMNS", "200")
            patch.setenv("ARES_WORKSPACE", str(self.root))
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(arguments)
        return CommandResult(code, out.getvalue(), err.getvalue())

    def at(self, root: Path) -> Ares:
        """Return the command line in another workspace."""
        return Ares(root)

    def copy(self, root: Path) -> Ares:
        """Return the same in a folder of its own, to be changed at will."""
        shutil.copytree(self.root, root)
        return Ares(root, self.made)

    def then(self, *arguments: str) -> Ares:
        """Run a command that makes the workspace another."""
        return Ares(self.root, self(*arguments))


def bars(n: int = 900) -> Bars:
    """Return hourly bars that rise in the first half of the day, and fall in the second."""
    draw = np.random.default_rng(0).random((n, 2))
    sign = np.where(np.arange(n) % 24 < 12, 1.0, -1.0)
    close = 100.0 * np.exp(np.cumsum(0.002 * sign + 0.01 * (draw[:, 0] - 0.5)))
    o = np.concatenate([[100.0], close[:-1]])
    ts = 1_672_531_200_000 + np.arange(n, dtype=np.int64) * HOUR
    high, low = np.maximum(o, close) * 1.0005, np.minimum(o, close) / 1.0005
    return Bars.make(ts, o, high, low, close, 1 + draw[:, 1])


@pytest.fixture(scope="session")
def first_training(tmp_path_factory: pytest.TempPathFactory) -> Ares:
    """Return the workspace after ``train --json``; nobody changes it."""
    root = tmp_path_factory.mktemp("models") / "w"
    Workspace.init(root)
    content = {
        "symbols": ["BTC/USDT"],
        "timeframes": {
            "intervals": [{"interval": "1h", "weight": 0.6}, {"interval": "4h", "weight": 0.4}]
        },
        "learning": {"workers": 1},
    }
    (root / "ares.yaml").write_text(yaml.safe_dump(content))
    engine = open_database(f"sqlite:///{root / 'ares.db'}")
    spec = InstrumentSpec(Instrument("binance", "BTC/USDT"), 4, 4)
    CandleStore(engine, None).save(spec, "1h", bars(), "made for a test")
    engine.dispose()
    ares = Ares(root).then("train", "--json")
    assert ares.made is not None
    assert ares.made.code == 0, ares.made.err
    return ares


@pytest.fixture(scope="session")
def second_training(first_training: Ares, tmp_path_factory: pytest.TempPathFactory) -> Ares:
    """Return the workspace after another training, of price only, as a person sees it."""
    ares = first_training.copy(tmp_path_factory.mktemp("twice") / "w")
    return ares.then("train", "-s", "BTC/USDT", "--workers", "1", "--price-only")


@pytest.fixture(scope="session")
def first_verdict(
    first_training: Ares, trained: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Ares:
    """Return the workspace after ``validate --json``; ``verdict.png`` in it is the picture."""
    ares = first_training.copy(tmp_path_factory.mktemp("judged") / "w")
    picture = ("--picture", str(ares.root / "verdict.png"))
    return ares.then("models", "validate", trained["ensembles"][0]["hash"][:10], "--json", *picture)


@pytest.fixture(scope="session")
def trained(first_training: Ares) -> dict[str, Any]:
    """Return what ``train --json`` said."""
    assert first_training.made is not None
    output: dict[str, Any] = json.loads(first_training.made.out)
    return output


@pytest.fixture
def ares(first_training: Ares, tmp_path: Path) -> Ares:
    """Return the command line in this test's own workspace, trained once."""
    return first_training.copy(tmp_path / "w")


@pytest.fixture
def ares_twice(second_training: Ares, tmp_path: Path) -> Ares:
    """Return the command line in this test's own workspace, trained twice."""
    return second_training.copy(tmp_path / "w")


@pytest.fixture
def ares_judged(first_verdict: Ares, tmp_path: Path) -> Ares:
    """Return the command line in this test's own workspace, whose model has a verdict."""
    return first_verdict.copy(tmp_path / "w")
