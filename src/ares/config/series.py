"""The settings of external series: which are features, and when they are stale."""

from __future__ import annotations

import re
from typing import Any

from pydantic import field_validator, model_validator

from ares.config.fields import Section, key, setting_error
from ares.domain.series import SENTIMENT, ValueSpec
from ares.domain.timeframe import HOUR_MS

SERIES_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
"""What a series may be called: its columns are named after it."""


def require_series_name(name: str) -> None:
    """Raise ValueError where a series cannot be called so."""
    if name == SENTIMENT:
        raise ValueError("'sentiment' is made of news (`ares news`): choose another name")
    if not SERIES_NAME.fullmatch(name):
        raise ValueError(
            f"'{name}' is not a valid name of a series: a letter, then a-z, 0-9 and _, 40 at most"
        )


class SeriesSettings(Section):
    """A series that is a feature; a model trained with it carries its own copy of these values."""

    name: str = key(..., "Name that `ares data import-series` stored it under.")
    stale_after_hours: float = key(
        72.0,
        "With nothing published for so long, models score without it.",
        "hours",
        gt=0,
        le=87_600,
    )

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _named(cls, name: str) -> str:
        try:
            require_series_name(name)
        except ValueError as error:
            raise setting_error(str(error)) from None
        return name

    @property
    def spec(self) -> ValueSpec:
        """Return how its columns are made."""
        return ValueSpec(self.name, round(self.stale_after_hours * HOUR_MS))
