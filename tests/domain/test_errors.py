"""Errors that a person meets carry the exit code of the command line."""

from __future__ import annotations

import inspect

import pytest

from ares.cli.main import EXIT_EXTERNAL, EXIT_USER, exit_code_of
from ares.domain import errors
from ares.domain.errors import AresError, ExternalError, UserError


@pytest.mark.parametrize(
    ("error", "code"), [(UserError("bad key"), EXIT_USER), (ExternalError("disk"), EXIT_EXTERNAL)]
)
def test_the_command_line_leaves_with_the_code_of_the_error(
    error: AresError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert error.exit_code == code
    assert exit_code_of(error) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.strip() == f"ares: {error}"


def test_every_error_has_one_root() -> None:
    kinds = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(kind, AresError) for kind in kinds)
    assert len(kinds) >= 3
