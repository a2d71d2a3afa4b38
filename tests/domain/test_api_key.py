"""A secret is never shown."""

from __future__ import annotations

from ares.domain.api_key import ApiKey


def test_a_secret_is_never_shown() -> None:
    key = ApiKey("abcdefgh", "hidden")
    for text in (repr(key), str(key), f"{key}", f"{[key]}"):
        assert "hidden" not in text
        assert "abcd" in text
