"""The examples of the pages are run in a workspace that has candles, models and a run.

Commands must succeed, or be refused by the gate; settings must be settings; a quoted error must be
the one that is printed. The journeys of README and JOURNEY are run by ``test_journeys``.
"""

from __future__ import annotations

import json
import re
import shlex
import tarfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from tests.docs.test_commands import BLOCK, PAGES, ROOT, commands

from ares.cli.main import run
from ares.config.workspace import Workspace
from ares.learn.leakage import Leak, LeakReport
from ares.sim.hours import hours

ARCHIVE = ROOT / "tests" / "fixtures" / "workspace.tar.xz"
VARIABLE = re.compile(r"^([A-Z_]+)=(\S+) ares ", re.MULTILINE)
"""A variable of the environment before a command."""

RUN = (
    "SERIES",
    "SENTIMENT",
    "LEARNING",
    "EVIDENCE",
    "DEPLOY",
    "CHALLENGER",
    "DETERMINISM",
    "MODELS",
    "RELIABILITY",
)
"""Pages whose commands are run here, in the order of the page."""

SLOW = ("CHALLENGER", "LEARNING")
NOT_RUN = {
    "ares news fetch": "it reads an address of the network",
    "ares certify rehearsal/": "tests/sim/rehearsal trades there, and certifies",
    "ares deploy install": "tests/runtime/deploy installs the package that another workspace made",
    "ares train": "tests/runtime/training trains, and the journeys do",
    "ares models promote BTC/USDT --env live": "the fixture's model has no verdict that passed",
}
MAY_REFUSE = ("ares models validate", "ares data series check", "ares news check")
"""Commands whose exit code 1 is an answer: refused by the gate, or not fresh in a past market."""

SUBSTITUTES = {
    "2023-07-01": "2020-05-20", "2023-12-31": "2020-05-27",
    "2023-04-20": "2020-05-01", "2023-05-01": "2020-05-08",
}  # fmt: skip
"""Times of the examples, and times of the fixture's candles in their place."""


def write_hours(path: Path, seed: int) -> None:
    """Write hourly candles of a synthetic market."""
    bars = hours(seed, 1.0, 2_000).bars
    names = ("open", "high", "low", "close", "volume")
    pl.DataFrame({"ts": bars.ts_ms} | {n: getattr(bars, n) for n in names}).write_parquet(path)


PUBLISHED = [f"2020-05-0{day}T00:00:00Z" for day in range(1, 6)]
FILES: dict[str, Callable[[Path], object]] = {
    "fear_greed_daily.parquet": lambda p: pl.DataFrame(
        {"date": PUBLISHED, "fear_greed": [20.0, 30.0, 40.0, 50.0, 60.0]}
    ).write_parquet(p),
    "funding.csv": lambda p: p.write_text(
        "published,known,value\n" + "".join(f"{t},{t},0.0{k}\n" for k, t in enumerate(PUBLISHED))
    ),
    "onchain.csv": lambda p: p.write_text(
        "published,tx_count\n" + "".join(f"{t},{k}\n" for k, t in enumerate(PUBLISHED))
    ),
    "headlines.csv": lambda p: p.write_text(
        "published,title\n" + "".join(f"{t},Bitcoin gains {k}\n" for k, t in enumerate(PUBLISHED))
    ),
    "BTCUSDT_1h.parquet": lambda p: write_hours(p, 1),
    "ETHUSDT_1h.parquet": lambda p: write_hours(p, 2),
    "fear_greed.parquet": lambda p: pl.DataFrame(
        {"date": PUBLISHED, "fear_greed": [20, 30, 40, 50, 60]}
    ).write_parquet(p),
    "coin.jsonl": lambda p: p.write_text(
        "".join(json.dumps({"published": t, "score": k}) + "\n" for k, t in enumerate(PUBLISHED))
    ),
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an unpacked workspace with the files that the examples name; it is the folder."""
    with tarfile.open(ARCHIVE, mode="r:xz") as tar:
        tar.extractall(tmp_path, filter="data")
    for name, write in FILES.items():
        write(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ARES_WORKSPACE", str(tmp_path))
    return tmp_path


def ares(*arguments: str) -> tuple[int, str, str]:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(list(arguments))
    return code, out.getvalue(), err.getvalue()


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in RUN]
)
def test_the_commands_of_a_page_run(name: str, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = ROOT / "docs" / f"{name}.md"
    for variable, address in VARIABLE.findall(page.read_text(encoding="utf-8")):
        assert address == "http://host:5000"
        monkeypatch.setenv(variable, f"sqlite:///{site / 'elsewhere.db'}")
    if name == "DETERMINISM":  # the fixture's run was made by other code
        window = ("--from", "2020-05-01", "--to", "2020-05-03")
        assert ares("run", "--env", "history", *window)[0] == 0
    facts = json.loads((site / "fixture.json").read_text())
    names: dict[str, str] = {"HASH": facts["ensemble"], **SUBSTITUTES}
    names |= {
        "verify NAME": f"verify {facts['run']}",
        "--run NAME": f"--run {facts['run']}",
        "NAME/VERSION": "",
        "NAME": facts["ensemble"],
    }
    for text in commands(page):
        if text.startswith(tuple(NOT_RUN)):
            continue
        if name == "MODELS" and "mine.onnx" in text and not (site / "mine.onnx").exists():
            run_python(page)
        if "--model NAME/VERSION" in text:
            _, out, _ = ares("models", "list", "--json")
            refs = [row["ref"] for row in json.loads(out) if row.get("origin") == "imported"]
            names["NAME/VERSION"] = refs[0]
        line = text
        for word, value in names.items():
            line = line.replace(word, value)
        code, out, err = ares(*shlex.split(line)[1:])
        allowed = (0, 1) if text.startswith(MAY_REFUSE) else (0,)
        assert code in allowed, f"{page.name}: {text}\n-> {line}\n{err}{out}"


def run_python(page: Path) -> None:
    """Run the Python blocks of a page, in order."""
    names: dict[str, Any] = {}
    for language, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            exec(compile(block, page.name, "exec"), names)


def yaml_blocks() -> list[tuple[str, str]]:
    return [
        (page.name, block)
        for page in PAGES
        for language, block in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language in ("yaml", "yml")
    ]


@pytest.mark.parametrize(("name", "block"), yaml_blocks())
def test_settings_of_a_page_are_settings(name: str, block: str, site: Path) -> None:
    content = yaml.safe_load((site / "ares.yaml").read_text()) | yaml.safe_load(block)
    (site / "ares.yaml").write_text(yaml.safe_dump(content))
    (site / "my_features.py").write_text("")
    settings = Workspace.here().settings
    assert settings.model_dump(mode="json", by_alias=True)


def test_there_are_settings_to_check() -> None:
    assert len(yaml_blocks()) >= 2


def test_a_wrong_setting_would_be_found(site: Path) -> None:
    with pytest.raises(Exception, match="no_such"):
        test_settings_of_a_page_are_settings("x.md", "features: {no_such: 1}", site)


def test_the_error_of_a_series_is_the_quoted_one(site: Path) -> None:
    page = (ROOT / "docs" / "SERIES.md").read_text(encoding="utf-8")
    (quoted,) = [block for language, block in BLOCK.findall(page) if language == "text"]
    (site / "funding.csv").write_text(
        "published,known,value\n2024-01-01,2024-01-01,0.1\n2024-01-03,2024-01-02,0.2\n"
    )
    (line,) = [text for text in commands(ROOT / "docs" / "SERIES.md") if "funding.csv" in text]
    assert ares(*shlex.split(line)[1:]) == (2, "", quoted)


def test_the_error_of_a_feature_that_leaks_is_the_quoted_one() -> None:
    page = (ROOT / "docs" / "FEATURES.md").read_text(encoding="utf-8")
    (quoted,) = [block for _, block in BLOCK.findall(page) if block.startswith("my_features.py:")]
    leak = Leak("volume_surge", "when the future was cut off", 0, 1_705_224_900_000, 1, 0.41, 0.44)
    report = LeakReport(("distance_from_high", "volume_surge"), 12, 1, (leak,))
    assert " ".join(quoted.split()).startswith(f"my_features.py: {report.line()}: a feature may")
