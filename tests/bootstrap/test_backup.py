"""A workspace is backed up while its engine runs, restored elsewhere, and stepped again."""

from __future__ import annotations

from pathlib import Path

from tests.running_paper import running

from ares.bootstrap.backup import backup_workspace, restore_workspace, restored_journal
from ares.bootstrap.tables import environments
from ares.config.workspace import Workspace


def test_a_running_engine_is_backed_up_and_the_copy_gives_the_same_effects(
    archived_root: Path, tmp_path: Path
) -> None:
    workspace = Workspace(archived_root)
    with running(workspace) as engine:
        target, manifest = backup_workspace(workspace, tmp_path / "backup")
        engine.goes_on()
    assert target == tmp_path / "backup"
    assert manifest.has_database
    restored = tmp_path / "elsewhere"
    again, journals = restore_workspace(target, restored, step=False)
    assert again == manifest
    assert {each.environment for each in journals} == set(environments(Workspace(restored)))
    assert not [each for each in journals if each.problem]
    paper = restored_journal(Workspace(restored), "paper", step=True)
    assert (paper.problem, paper.remark) == ("", "")
    assert paper.compared > 0
    with running(Workspace(restored)) as engine:  # and it goes on from there
        engine.goes_on()


def test_a_damaged_journal_is_found(archived_root: Path) -> None:
    workspace = Workspace(archived_root)
    name = environments(workspace)[0]
    path = next((workspace.journal_dir / name).glob("*.journal"))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    assert "is damaged at byte" in restored_journal(workspace, name, step=True).problem
