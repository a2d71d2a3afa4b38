"""The settings of supervision: defaults, limits, and secrets that are not shown."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ares.config.supervision import SupervisionSettings


def test_nothing_leaves_the_machine_by_default() -> None:
    settings = SupervisionSettings()
    assert (settings.heartbeat_url, settings.notify_urls) == (None, None)


def test_a_heartbeat_url_is_one() -> None:
    assert SupervisionSettings(heartbeat_url="https://hc.example/abc").heartbeat_url
    for wrong in ("hc.example/abc", "ftp://x", "https://a b"):
        with pytest.raises(ValidationError):
            SupervisionSettings(heartbeat_url=wrong)


def test_what_may_hold_a_password_is_secret() -> None:
    fields = SupervisionSettings.model_fields
    for name in ("heartbeat_url", "notify_urls"):
        extra = fields[name].json_schema_extra
        assert isinstance(extra, dict)
        assert extra["secret"] is True
