"""All settings of Ares: each has a key, a default, a unit and a meaning."""

from __future__ import annotations

import hashlib
import math
import re

from pydantic import field_validator, model_validator

from ares.config.challenger import ChallengerSettings
from ares.config.deployment import DeploymentSettings
from ares.config.fields import Section, key, section, setting_error
from ares.config.keys import KeysSettings
from ares.config.learning import (
    ConfidenceSettings,
    ContinuousLearningSettings,
    FeaturesSettings,
    LearnerSettings,
    LearningSettings,
    RetrainingSettings,
    ThresholdsSettings,
)
from ares.config.promotion import PromotionSettings
from ares.config.sentiment import SentimentSettings
from ares.config.stopping import KillSettings, WatchdogSettings
from ares.config.supervision import SupervisionSettings
from ares.config.trading import (
    SYMBOL,
    AccountSettings,
    BreakersSettings,
    CostsSettings,
    LiveTradingSettings,
    RiskSettings,
    StrategySettings,
)
from ares.config.venues import require_known_venue
from ares.domain.errors import UserError
from ares.domain.instrument import require_spot
from ares.domain.series import SeriesSpec, all_series
from ares.domain.symbols import suggested_symbol
from ares.domain.timeframe import Timeframe

__all__ = [
    "AccountSettings",
    "BreakersSettings",
    "ChallengerSettings",
    "ConfidenceSettings",
    "ContinuousLearningSettings",
    "CostsSettings",
    "DatabaseSettings",
    "DeploymentSettings",
    "FeaturesSettings",
    "IntervalSettings",
    "JournalSettings",
    "KeysSettings",
    "KillSettings",
    "LearnerSettings",
    "LearningSettings",
    "LiveTradingSettings",
    "MlflowSettings",
    "PromotionSettings",
    "RetrainingSettings",
    "RiskSettings",
    "SentimentSettings",
    "Settings",
    "StrategySettings",
    "SupervisionSettings",
    "ThresholdsSettings",
    "TimeframesSettings",
    "WatchdogSettings",
]

DATABASE_URL = re.compile(r"postgres(ql(\+psycopg)?)?://\S+|sqlite(\+pysqlite)?:///\S+")


class IntervalSettings(Section):
    """One timeframe and its weight in the ensemble."""

    interval: Timeframe = key(..., "Length of a bar.", "1m, 5m, 15m, 1h, 4h or 1d")
    weight: float = key(
        ..., "Weight in the ensemble; the weights are normalised to 1.", "share", gt=0
    )


def _default_intervals() -> tuple[IntervalSettings, ...]:
    weights = {"1m": 0.10, "5m": 0.15, "15m": 0.20, "1h": 0.25, "4h": 0.20, "1d": 0.10}
    return tuple(IntervalSettings(interval=Timeframe(t), weight=w) for t, w in weights.items())


class TimeframesSettings(Section):
    """The timeframes whose models form an ensemble."""

    intervals: tuple[IntervalSettings, ...] = key(
        _default_intervals(),
        "One line per timeframe. To leave a timeframe out, delete its line.",
        "interval: length of a bar; weight: share in the ensemble",
        min_length=1,
    )

    @field_validator("intervals")
    @classmethod
    def _each_once(cls, intervals: tuple[IntervalSettings, ...]) -> tuple[IntervalSettings, ...]:
        for i, entry in enumerate(intervals):
            if entry.interval in [earlier.interval for earlier in intervals[:i]]:
                raise setting_error(f"'{entry.interval.value}' is listed twice", i)
        return intervals


class DatabaseSettings(Section):
    """Where tables are stored."""

    url: str | None = key(
        None,
        "URL of a PostgreSQL database, postgresql://USER:PASSWORD@HOST/DB; null: the variables "
        "TIMESCALE_HOST, _PORT, _USER, _PASSWORD, _DB, and where they are not set ares.db here.",
        secret=True,
    )

    @field_validator("url")
    @classmethod
    def _is_supported(cls, url: str | None) -> str | None:
        if url is not None and not DATABASE_URL.fullmatch(url):
            raise setting_error(
                "is not the URL of a database: write postgresql://USER:PASSWORD@HOST/DB, or leave"
                " it out for ares.db here"
            )
        return url


class MlflowSettings(Section):
    """MLflow, to which models are exported: runs, registered versions, aliases."""

    tracking_uri: str | None = key(
        None,
        "Address of an MLflow server; null: the variable MLFLOW_TRACKING_URI, and where that is "
        "not set mlflow.db in this folder.",
        secret=True,
    )
    experiment_name: str = key(
        "Ares_Trading",
        "Experiment that the runs belong to. Where this key is left out, an experiment of an "
        "earlier version (ares) is kept.",
        min_length=1,
    )


class JournalSettings(Section):
    """The engine's journal, from which every run can be reproduced."""

    sync_ms: int = key(
        50,
        "Longest time until a record is synced to disk; an order intent is synced at once.",
        "ms",
        ge=0,
        le=10_000,
    )
    snapshot_events: int = key(20_000, "Events between two snapshots.", "events", ge=100)


class Settings(Section):
    """All settings of a workspace."""

    venue: str = key(
        "binance",
        "Venue of candles and orders, by its ccxt name.",
        pattern=r"^[a-z0-9_]+$",
    )
    symbols: tuple[str, ...] = key(
        ("BTC/USDT", "ETH/USDT", "SOL/USDT", "ADA/USDT"),
        "Instruments that are traded.",
        "BASE/QUOTE",
        min_length=1,
    )
    timeframes: TimeframesSettings = section(TimeframesSettings)
    account: AccountSettings = section(AccountSettings)
    live_trading: LiveTradingSettings = section(LiveTradingSettings)
    costs: CostsSettings = section(CostsSettings)
    strategy: StrategySettings = section(StrategySettings)
    risk: RiskSettings = section(RiskSettings)
    breakers: BreakersSettings = section(BreakersSettings)
    kill: KillSettings = section(KillSettings)
    watchdog: WatchdogSettings = section(WatchdogSettings)
    continuous_learning: ContinuousLearningSettings = section(ContinuousLearningSettings)
    learning: LearningSettings = section(LearningSettings)
    features: FeaturesSettings = section(FeaturesSettings)
    sentiment: SentimentSettings = section(SentimentSettings)
    database: DatabaseSettings = section(DatabaseSettings)
    mlflow: MlflowSettings = section(MlflowSettings)
    journal: JournalSettings = section(JournalSettings)
    keys: KeysSettings = section(KeysSettings)
    learner: LearnerSettings = section(LearnerSettings)
    deployment: DeploymentSettings = section(DeploymentSettings)
    supervision: SupervisionSettings = section(SupervisionSettings)
    promotion: PromotionSettings = section(PromotionSettings)
    challenger: ChallengerSettings = section(ChallengerSettings)

    @field_validator("venue")
    @classmethod
    def _known(cls, venue: str) -> str:
        try:
            require_known_venue(venue)
        except UserError as error:
            raise setting_error(f"'venue': {error}") from None
        return venue

    @field_validator("symbols")
    @classmethod
    def _symbols(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        for i, symbol in enumerate(symbols):
            try:
                require_spot(symbol)
            except UserError as error:
                raise setting_error(str(error), i) from None
            if not SYMBOL.fullmatch(symbol):
                meant = suggested_symbol(symbol) or "BASE/QUOTE, such as BTC/USDT"
                raise setting_error(f"'{symbol}' is not a symbol: write {meant}", i)
            if symbol in symbols[:i]:
                raise setting_error(f"'{symbol}' is listed twice", i)
        return symbols

    @model_validator(mode="after")
    def _reference_is_traded(self) -> Settings:
        if self.features.reference not in (None, *self.symbols):
            raise setting_error(
                f"'{self.features.reference}' is not in symbols ({', '.join(self.symbols)})",
                "features",
                "reference",
            )
        return self

    @property
    def hash(self) -> str:
        """Return the SHA-256 of all values: two runs with the same hash had the same settings."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def series(self) -> tuple[SeriesSpec, ...]:
        """Return the external series of models to be trained, in the order of their columns."""
        sentiment = self.sentiment.spec if self.sentiment.enabled else None
        return all_series(sentiment, tuple(entry.spec for entry in self.features.series))

    @property
    def learns_in_history(self) -> bool:
        """Return whether models are retrained during history runs."""
        return self.continuous_learning.enabled and self.learner.in_history

    @property
    def reference_symbol(self) -> str:
        """Return the reference symbol of cross-instrument features."""
        return self.features.reference or self.symbols[0]

    @property
    def weights(self) -> dict[Timeframe, float]:
        """Return the weight of each timeframe, summing to 1."""
        weights = {entry.interval: entry.weight for entry in self.timeframes.intervals}
        total = math.fsum(weights.values())
        if math.isclose(total, 1.0, rel_tol=1e-12):
            return weights
        return {timeframe: weight / total for timeframe, weight in weights.items()}
