"""The examples of the pages on paper, typed while a paper engine runs."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from tests.docs.test_commands import BLOCK, ROOT, commands
from tests.docs.test_examples import ares
from tests.running_paper import running

from ares.config.workspace import Workspace
from ares.store.database import open_database, reading

pytestmark = pytest.mark.slow

NOT_RUN = {"ares run --env paper": "it is the engine that runs beside these commands"}
MAY_REFUSE = (
    "ares models promote",  # the fixture's ensemble has no verdict that passed
    "ares models rollback",  # it was the first champion
    "ares models dismiss",  # there is no challenger
    "ares force-exit",  # nothing may be held
    "ares breakers recover",  # of a trial trade that a halt keeps from being made
)
"""Commands whose exit code 1 is an answer: what they ask for is not there in this workspace."""


@pytest.mark.parametrize("name", ["CONTROL", "PAPER"])
def test_the_commands_of_a_page_run_while_an_engine_runs(
    name: str, archived_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_WORKSPACE", str(archived_root))
    facts = json.loads((archived_root / "fixture.json").read_text())
    shown = [text for text in commands(ROOT / "docs" / f"{name}.md") if text not in NOT_RUN]
    assert len(shown) >= 2
    with running(Workspace(archived_root)):
        for text in sorted(shown, key=lambda text: text == "ares stop"):  # which ends all others
            line = text.replace("1ab2c3d4e5f6", facts["ensemble"])
            code, out, err = ares(*shlex.split(line)[1:])
            allowed = (0, 1) if text.startswith(MAY_REFUSE) else (0,)
            assert code in allowed, f"{name}: {line}\n{err}{out}"
            assert len(err.splitlines()) <= 1 or code == 0, err


def test_the_queries_of_the_tables_page_are_answered(archived_root: Path) -> None:
    page = (ROOT / "docs" / "TABLES.md").read_text(encoding="utf-8")
    (block,) = [text for language, text in BLOCK.findall(page) if language == "sql"]
    database = open_database(Workspace(archived_root).db_url)
    with reading(database) as connection:
        for query in block.strip().splitlines():
            connection.exec_driver_sql(query).all()
    database.dispose()
