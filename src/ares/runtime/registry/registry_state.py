"""What the models' journal amounts to: champions, statuses, verdicts, unfinished installs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeVar

from ares.domain.model_life import (
    ENVIRONMENTS,
    EnsembleArchived,
    EnsemblePromoted,
    InstallCompleted,
    InstallFailed,
    InstallStarted,
    Record,
    RequestRefused,
    VerdictRecorded,
    slots_of,
)
from ares.domain.trial import Trial

ModelStatus = Literal["candidate", "production", "archived", "evaluated_inferior"]
InstallStage = Literal["announced", "promoted", "reverted"]

R = TypeVar("R")

BEST_FIRST: tuple[ModelStatus, ...] = ("production", "candidate", "evaluated_inferior", "archived")


@dataclass(frozen=True, slots=True)
class UnfinishedInstall:
    """An install whose end is not in the journal.

    stage : ``announced``: nothing has changed yet. ``promoted``: the new ensemble is champion, but
            the service was not seen healthy with it. ``reverted``: the previous champion is back,
            but the service was not seen healthy with it.
    """

    install: InstallStarted
    stage: InstallStage


@dataclass(frozen=True)
class RegistryState:
    """The records of the models' journal, oldest first, and what follows from them.

    The only source of who is champion where, and of an ensemble's status.
    """

    records: tuple[Record, ...] = ()

    @cached_property
    def judged(self) -> frozenset[str]:
        """Return the hashes of the ensembles that have a verdict, passed or not."""
        return frozenset(verdict.ensemble_hash for verdict in self.verdicts)

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """Return every recipe tried."""
        return self._of(Trial)

    @cached_property
    def verdicts(self) -> tuple[VerdictRecorded, ...]:
        """Return every verdict."""
        return self._of(VerdictRecorded)

    @cached_property
    def promotions(self) -> tuple[EnsemblePromoted, ...]:
        """Return every change of a champion."""
        return self._of(EnsemblePromoted)

    @cached_property
    def refusals(self) -> tuple[RequestRefused, ...]:
        """Return every request that was refused."""
        return self._of(RequestRefused)

    @cached_property
    def archived(self) -> frozenset[str]:
        """Return the hashes of archived ensembles: archived by a person or by a rollback."""
        rolled_back = {p.previous_hash for p in self.promotions if p.rolled_back}
        return frozenset(rolled_back | {a.ensemble_hash for a in self._of(EnsembleArchived)})

    def champions(self, environment: str) -> dict[str, str]:
        """Return the champion's ensemble hash by instrument key; of a run: those of its kind."""
        kind = slots_of(environment)
        return {
            instrument: promotion.ensemble_hash
            for (where, instrument), promotion in self._last_promotions.items()
            if where == kind and promotion.ensemble_hash
        }

    @cached_property
    def environments(self) -> tuple[str, ...]:
        """Return the environments that may have a champion: the three, and every rehearsal."""
        return tuple(dict.fromkeys((*ENVIRONMENTS, *(where for where, _ in self._last_promotions))))

    def champion(self, environment: str, instrument: str) -> str:
        """Return the champion's ensemble hash; empty: there is none."""
        return self.champions(environment).get(instrument, "")

    def champion_in(self, ensemble_hash: str) -> list[str]:
        """Return the environments in which an ensemble is champion."""
        environments = dict.fromkeys(environment for environment, _ in self._last_promotions)
        return [e for e in environments if ensemble_hash in self.champions(e).values()]

    def last_promotion(self, environment: str, instrument: str) -> EnsemblePromoted | None:
        """Return the newest change of an instrument's champion; None: there never was one."""
        return self._last_promotions.get((environment, instrument))

    def previous_champion(self, environment: str, instrument: str) -> str:
        """Return the newest former champion that can be restored; empty: none may.

        It has a passing verdict for this environment (one for another environment does not count),
        it is not archived, and its newest install did not fail.
        """
        champion = self.champion(environment, instrument)
        usable = self.passed(environment) - self.archived - self.failed_to_start(environment)
        for promotion in reversed(self.promotions):
            if (promotion.environment, promotion.instrument) != (environment, instrument):
                continue
            if promotion.ensemble_hash in usable and promotion.ensemble_hash != champion:
                return promotion.ensemble_hash
        return ""

    def verdict_on(self, ensemble_hash: str, environment: str) -> VerdictRecorded | None:
        """Return the newest verdict on an ensemble for an environment."""
        return self._last_verdicts.get((ensemble_hash, environment))

    def last_verdict(self, ensemble_hash: str) -> VerdictRecorded | None:
        """Return the newest verdict on an ensemble for any environment."""
        return next((v for v in reversed(self.verdicts) if v.ensemble_hash == ensemble_hash), None)

    def passing_verdict(self, ensemble_hash: str, environment: str) -> str:
        """Return the hash of the newest verdict for an environment if it passed, else empty."""
        verdict = self.verdict_on(ensemble_hash, environment)
        return verdict.verdict_hash if verdict is not None and verdict.passed else ""

    def passed(self, environment: str) -> frozenset[str]:
        """Return the hashes of the ensembles that any verdict for an environment let pass."""
        return frozenset(
            v.ensemble_hash for v in self.verdicts if v.passed and v.environment == environment
        )

    def failed_to_start(self, environment: str) -> frozenset[str]:
        """Return the hashes of the ensembles whose newest promotion was reverted."""
        failed: set[str] = set()
        for promotion in self.promotions:
            if promotion.environment == environment:
                failed.discard(promotion.ensemble_hash)
                if promotion.reverted:
                    failed.add(promotion.previous_hash)
        return frozenset(failed)

    def status(self, ensemble_hash: str) -> ModelStatus:
        """Return an ensemble's ``model_status``."""
        if self.champion_in(ensemble_hash):
            return "production"
        if ensemble_hash in self.archived:
            return "archived"
        verdict = self.last_verdict(ensemble_hash)
        return "candidate" if verdict is None or verdict.passed else "evaluated_inferior"

    def best_status(self, ensemble_hashes: Sequence[str]) -> ModelStatus:
        """Return the best status of several ensembles: the status of a package that is in them."""
        found = {self.status(ensemble_hash) for ensemble_hash in ensemble_hashes}
        return next((status for status in BEST_FIRST if status in found), "candidate")

    def records_on(self, ensemble_hash: str) -> list[Record]:
        """Return every record on an ensemble, oldest first."""
        return [record for record in self.records if _concerns(record, ensemble_hash)]

    def last_install(
        self, environment: str, instrument: str
    ) -> InstallCompleted | InstallFailed | None:
        """Return the end of an instrument's newest finished install."""
        for record in reversed(self.records):
            if isinstance(record, InstallCompleted | InstallFailed) and (
                (record.environment, record.instrument) == (environment, instrument)
            ):
                return record
        return None

    def unfinished_installs(self, environment: str) -> list[UnfinishedInstall]:
        """Return the newest install of each instrument that has no end, where it still matters."""
        started: dict[str, InstallStarted] = {}
        promotions: dict[str, list[EnsemblePromoted]] = {}
        for record in self.records:
            if isinstance(record, InstallStarted) and record.environment == environment:
                started[record.instrument] = record
                promotions[record.instrument] = []
            elif isinstance(record, InstallCompleted | InstallFailed):
                if record.environment == environment:
                    started.pop(record.instrument, None)
            elif isinstance(record, EnsemblePromoted) and record.environment == environment:
                promotions.setdefault(record.instrument, []).append(record)
        found = [(install, _stage(install, promotions[key])) for key, install in started.items()]
        return [UnfinishedInstall(install, stage) for install, stage in found if stage is not None]

    @cached_property
    def _last_promotions(self) -> dict[tuple[str, str], EnsemblePromoted]:
        return {(p.environment, p.instrument): p for p in self.promotions}

    @cached_property
    def _last_verdicts(self) -> dict[tuple[str, str], VerdictRecorded]:
        return {(v.ensemble_hash, v.environment): v for v in self.verdicts}

    def _of(self, kind: type[R]) -> tuple[R, ...]:
        return tuple(record for record in self.records if isinstance(record, kind))


def _stage(install: InstallStarted, promotions: Sequence[EnsemblePromoted]) -> InstallStage | None:
    """Return an install's stage; None where another ensemble was promoted since.

    promotions : of its instrument, since it was announced.
    """
    if not promotions:
        return "announced"
    last = promotions[-1]
    if last.reverted and last.previous_hash == install.ensemble_hash:
        return "reverted"
    return "promoted" if last.ensemble_hash == install.ensemble_hash else None


def _concerns(record: Record, ensemble_hash: str) -> bool:
    if isinstance(record, EnsemblePromoted):
        return ensemble_hash in (record.ensemble_hash, record.previous_hash)
    if isinstance(record, Trial):
        return record.subject == ensemble_hash
    if isinstance(record, RequestRefused):
        return record.target == ensemble_hash
    return record.ensemble_hash == ensemble_hash
