"""Versions of the stored formats, and the refusal of files that another version of Ares wrote.

A format's number goes up whenever its files get another shape or other names. From format 3 of the
journal on, later versions of Ares read the formats of earlier ones, see ``journal.upcast``.
"""

from __future__ import annotations

from ares.domain.errors import UserError

JOURNAL_FORMAT = 5
"""Of a run's journal and of the models' journal: part of the hash that their chain begins with."""

JOURNAL_FORMATS_READ = (3, 4, 5)
"""Formats that this version reads. A models' journal of formats 3 and 4 is also appended to: its
records are the same."""

SNAPSHOT_FORMAT = 4
"""Of a state's snapshot."""

CARD_FORMAT = 2
"""Of a package's ``model.json``; a card without a format is of format 1."""

VERDICT_FORMAT = 2
"""Of a verdict's file."""

EXPORT_FORMAT = 2
"""Of the manifest of an exported model."""


def wrong_format(what: str, found: int, expected: int) -> UserError:
    """Return the one line that refuses a file of another format.

    what : the file, as a message names it.

    >>> str(wrong_format("journal/history/a", 2, 3))
    'journal/history/a has format 2, written by an older version of Ares; this version reads \
format 3: use the version that wrote it, or make a new workspace with `ares init DIR` and train \
again'
    """
    if found < expected:
        advice = "use the version that wrote it, or make a new workspace with `ares init DIR` and"
        advice += " train again"
        age = "an older"
    else:
        advice, age = "upgrade Ares", "a newer"
    return UserError(
        f"{what} has format {found}, written by {age} version of Ares; this version reads format"
        f" {expected}: {advice}"
    )


def require_format(what: str, found: int, expected: int) -> None:
    """Raise UserError, in one line that says what to do, where a file has another format."""
    if found != expected:
        raise wrong_format(what, found, expected)
