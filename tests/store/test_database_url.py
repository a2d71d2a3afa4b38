"""A database is named by a file or a URL; another one is refused with what to write instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.domain.errors import UserError
from ares.store.database_url import is_postgres, path_of


def test_a_file_is_named_by_its_path_or_a_url() -> None:
    assert path_of(Path("a/ares.db")) == path_of("a/ares.db") == Path("a/ares.db")
    assert path_of("sqlite:////tmp/ares.db") == Path("/tmp/ares.db")


@pytest.mark.parametrize("url", ["mysql://u@h/d", "sqlite://ares.db"])
def test_another_database_is_refused(url: str) -> None:
    assert not is_postgres(url)
    with pytest.raises(UserError, match="write postgresql://USER:PASSWORD@HOST/DB or sqlite:///"):
        path_of(url)
