"""The settings of sentiment: which news count, when they are known and when they are stale."""

from __future__ import annotations

import re

from pydantic import field_validator, model_validator

from ares.config.fields import Section, key, setting_error
from ares.domain.series import SentimentSpec
from ares.domain.timeframe import HOUR_MS, MINUTE_MS

SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:/()+-]{0,79}")
"""What a source may be called."""


class NewsFeedSettings(Section):
    """A feed that ``ares news fetch`` reads."""

    name: str = key(..., "What the source is called.")
    url: str = key(..., "Address of an RSS or Atom feed.", pattern=r"^https?://[^\s]+$")
    about: str = key("", "Base currency that all of it is about, such as BTC; empty: the market.")


class SentimentSettings(Section):
    """News as features. A model trained with them carries its own copy of these values."""

    enabled: bool = key(True, "Train with sentiment where news are stored for the window.")
    sources: tuple[str, ...] = key((), "Sources that count; none named: all that are stored.")
    feeds: tuple[NewsFeedSettings, ...] = key(
        (), "Feeds for ares news fetch: {name: ..., url: https://..., about: BTC}."
    )
    delay_minutes: float = key(
        5.0, "News count so long after their publication.", "minutes", ge=0, le=10_080
    )
    fast_hours: float = key(6.0, "Half-life of the fast mean.", "hours", gt=0, le=168)
    middle_hours: float = key(24.0, "Half-life of the middle mean.", "hours", gt=0, le=168)
    slow_hours: float = key(72.0, "Half-life of the slow mean.", "hours", gt=0, le=168)
    stale_after_hours: float = key(
        72.0, "With nothing new for so long, models score by prices alone.", "hours", gt=0, le=512
    )

    @field_validator("sources")
    @classmethod
    def _sources(cls, sources: tuple[str, ...]) -> tuple[str, ...]:
        for row, name in enumerate(sources):
            if not SOURCE.fullmatch(name):
                raise setting_error(f"'{name}' is not a valid name of a source", row)
        return sources

    @model_validator(mode="after")
    def _order(self) -> SentimentSettings:
        if not self.fast_hours < self.middle_hours < self.slow_hours:
            raise setting_error("must lie between fast_hours and slow_hours", "middle_hours")
        names = [feed.name for feed in self.feeds]
        for row, name in enumerate(names):
            if not SOURCE.fullmatch(name):
                raise setting_error(f"'{name}' is not a valid name of a source", "feeds", row)
            if name in names[:row]:
                raise setting_error(f"'{name}' is the name of two feeds", "feeds", row)
        return self

    @property
    def spec(self) -> SentimentSpec:
        """Return how models are made with them."""
        return SentimentSpec(
            self.sources,
            round(self.delay_minutes * MINUTE_MS),
            (self.fast_hours, self.middle_hours, self.slow_hours),
            round(self.stale_after_hours * HOUR_MS),
        )
