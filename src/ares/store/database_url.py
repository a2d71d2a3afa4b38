"""Which database a setting names; who only asks that need not load SQLAlchemy."""

from __future__ import annotations

from pathlib import Path

from ares.domain.errors import UserError


def is_postgres(url: str) -> bool:
    """Return whether a URL is one of PostgreSQL.

    >>> is_postgres("postgresql+psycopg://u:p@h/d"), is_postgres("sqlite:///ares.db")
    (True, False)
    """
    scheme = url.partition("://")[0] if "://" in url else ""
    return scheme == "postgres" or scheme.partition("+")[0] == "postgresql"


def file_id(url: str) -> tuple[int, int] | None:
    """Return what identifies a database's file while it exists, whatever its name; None: no file.

    Whoever has a file open goes on writing to it after it was deleted or replaced.
    """
    if is_postgres(url):
        return None
    try:
        found = path_of(url).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def path_of(url_or_path: str | Path) -> Path:
    """Return the file of a URL or path; raise UserError for any other database."""
    text = str(url_or_path)
    scheme, mark, rest = text.partition("://")
    if not mark:
        return Path(text)
    if scheme not in ("sqlite", "sqlite+pysqlite") or not rest.startswith("/"):
        raise UserError(
            f"database.url: '{scheme}' is not supported: write"
            " postgresql://USER:PASSWORD@HOST/DB or sqlite:///FILE, or leave it empty"
        )
    return Path(rest[1:])
