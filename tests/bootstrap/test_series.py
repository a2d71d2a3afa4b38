"""External series of a workspace: imported whole or not at all, listed, checked, removed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ares.bootstrap.series import (
    check_series,
    import_series,
    list_series,
    news_store,
    remove_series,
)
from ares.config.workspace import Workspace
from ares.domain.errors import UserError

MakeWorkspace = Callable[..., Workspace]


@pytest.fixture
def values(tmp_path: Path) -> Path:
    path = tmp_path / "values.csv"
    path.write_text("published,known,value\n2024-01-01,2024-01-02,1.5\n2024-01-03,2024-01-03,2\n")
    return path


@pytest.mark.parametrize("name", ["", "Fear Greed", "sentiment", "a;b", "../x"])
def test_a_name_that_is_none_is_refused_by_its_option(
    workspace_of: MakeWorkspace, values: Path, name: str
) -> None:
    workspace = workspace_of()
    with pytest.raises(UserError, match="--name: "):
        import_series(workspace, values, name)
    assert list_series(workspace) == []


def test_a_series_is_stored_listed_and_removed_once(
    workspace_of: MakeWorkspace, values: Path
) -> None:
    workspace = workspace_of()
    import_series(workspace, values, "rate")
    (row,) = list_series(workspace)
    assert row.series == "rate"
    assert remove_series(workspace, "rate") == 2
    assert list_series(workspace) == []
    with pytest.raises(UserError, match="no series 'rate' is stored"):
        remove_series(workspace, "rate")


def test_a_check_knows_which_series_are_features_of_the_settings(
    workspace_of: MakeWorkspace, values: Path
) -> None:
    workspace = workspace_of(features={"series": [{"name": "rate", "stale_after_hours": 1}]})
    import_series(workspace, values, "rate")
    import_series(workspace, values, "other")
    rows = {row.stored.series: row for row in check_series(workspace)}
    assert (rows["rate"].is_feature, rows["rate"].stale) == (True, True)
    assert not rows["other"].is_feature
    assert rows["rate"].age_hours > 24.0


def test_the_news_of_a_new_workspace_are_empty(workspace_of: MakeWorkspace) -> None:
    with news_store(workspace_of()) as store:
        assert list(store.sources()) == []
