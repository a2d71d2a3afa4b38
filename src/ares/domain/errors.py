"""The errors that a person may see; the exit codes of the command line are their classes."""

from __future__ import annotations


class AresError(Exception):
    """One line: what is wrong, where, and what to do.

    The command line prints the line without a traceback and exits with ``exit_code``. Any other
    exception is a broken invariant, and its traceback is shown.
    """

    exit_code = 3


class UserError(AresError):
    """An error of the caller: a bad file, key, symbol or option (exit code 2)."""

    exit_code = 2


class NothingToDo(UserError):
    """A request to which the answer is no: there is nothing that it could change (exit code 1)."""

    exit_code = 1


class ExternalError(AresError):
    """An external failure: a full disk, a locked database, a venue that is down (exit code 3)."""

    exit_code = 3
