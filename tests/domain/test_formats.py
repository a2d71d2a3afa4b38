"""A file of another format is refused in one line that says what to do."""

from __future__ import annotations

import pytest

from ares.domain.errors import UserError
from ares.domain.formats import require_format


def test_the_format_of_this_version_is_taken() -> None:
    require_format("journal/models", 3, 3)


@pytest.mark.parametrize(
    ("found", "advice"), [(2, "ares init DIR"), (1, "older version"), (4, "upgrade Ares")]
)
def test_another_format_is_refused_with_what_to_do(found: int, advice: str) -> None:
    with pytest.raises(UserError, match=advice) as refused:
        require_format("journal/models", found, 3)
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(f"journal/models has format {found}")
    assert refused.value.exit_code == 2
