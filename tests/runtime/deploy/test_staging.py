"""Staging folders: readable by their owner only, and only one's own are removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ares.bootstrap.values import model_paths

if TYPE_CHECKING:
    from tests.runtime.deploy.conftest import Site


@pytest.mark.parametrize("stays", ["link", "stranger"])
def test_other_files_in_the_temporary_folder_are_not_removed(
    site: Site, stays: str, tmp_path: Path
) -> None:
    """Anybody may write there: a link of our name is not followed, a file is left."""
    from ares.runtime.deploy.staging import clean_stale, staging

    with staging(model_paths(site.production), site.temporary) as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        name = folder.name[:-8]
    own = tmp_path / "mine"
    own.mkdir()
    (own / "kept").touch()
    planted = site.temporary / f"{name}planted"
    if stays == "link":
        planted.symlink_to(own)
    else:
        planted.write_text("a file")
    assert clean_stale(model_paths(site.production), site.temporary) == ()
    assert (own / "kept").exists()
    assert planted.is_symlink() or planted.exists()
