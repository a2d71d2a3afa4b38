"""The errors a person can meet, as a tree whose branches are the exit codes of the command line."""

from __future__ import annotations


class AresError(Exception):
    """The root: one line that says what is wrong, where, and what to do.

    A subclass fixes ``exit_code``; the command line prints the line and leaves with that code,
    without a traceback. Whatever is not an ``AresError`` is a broken invariant and shows one.
    """

    exit_code = 3


class UserError(AresError):
    """The caller's mistake: a bad file, key, symbol or option (exit code 2)."""

    exit_code = 2


class ExternalError(AresError):
    """The world's trouble: a full disk, a locked database, a dead venue (exit code 3)."""

    exit_code = 3
