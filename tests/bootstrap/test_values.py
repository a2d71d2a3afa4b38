"""Values of a workspace: paths inside it, and a user's module where the settings name one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ares.bootstrap.values import data_paths, model_paths, user_features
from ares.config.workspace import Workspace
from ares.domain.errors import UserError

MakeWorkspace = Callable[..., Workspace]

MODULE = """from ares.kernel.features.user import feature

@feature(warmup_bars=1)
def busy(bars):
    return float(bars.volume[-1] > 0)
"""


def test_the_paths_are_those_of_the_workspace_and_inside_it(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of()
    paths, data = model_paths(workspace), data_paths(workspace)
    folders = (paths.models, paths.journals, paths.verdicts, data.cache)
    assert all(folder.is_relative_to(workspace.root) for folder in folders)
    assert len(set(folders)) == len(folders)
    assert data.database_url.endswith("/w/ares.db")


def test_a_database_of_the_settings_is_used(workspace_of: MakeWorkspace) -> None:
    url = "postgresql+psycopg://me@127.0.0.1/ares"
    assert data_paths(workspace_of(database={"url": url})).database_url == url


def test_features_are_those_of_the_module_that_the_settings_name(
    workspace_of: MakeWorkspace,
) -> None:
    assert user_features(workspace_of()) is None
    workspace = workspace_of(features={"module": "mine.py"})
    with pytest.raises(UserError, match=r"mine\.py"):
        user_features(workspace)
    (workspace.root / "mine.py").write_text(MODULE)
    found = user_features(workspace)
    assert found is not None
    assert [feature.name for feature in found.features] == ["busy"]
