"""The state of one refit: its members' own recipes on newer candles, and its first end."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ares.adapters.model_store import ModelStore
from ares.bootstrap.validation import validation_config
from ares.domain.errors import UserError
from ares.domain.package import Package
from ares.domain.utc import utc_iso
from ares.runtime.learner.refit_job import RefitJob, RefitRequest

HOUR = 3_600_000
START_MS = 1_672_531_200_000  # 2023-01-01
AT_MS = START_MS + 1_900 * HOUR


def job_of(small: Any, **changes: Any) -> RefitJob:
    ensemble = ModelStore(small.workspace.models_dir).ensemble(small.edge)
    return RefitJob(RefitRequest(msgspec.structs.replace(ensemble, **changes), None, AT_MS))


def test_members_are_trained_with_their_own_recipe_up_to_the_request(small: Any) -> None:
    models = ModelStore(small.workspace.models_dir)
    refit = job_of(small)
    refit.prepare_packages(models, validation_config(small.workspace), rows_min=123)
    [(timeframe, job)] = refit.jobs.items()
    [member] = refit.request.ensemble.members
    card = models.member(member).card
    assert timeframe == member.timeframe
    assert job.recipe.hash == card.recipe_hash
    assert (job.source.from_ms, job.source.to_ms) == (card.window_from_ms, AT_MS)
    assert (job.rows_min, job.created_at) == (123, utc_iso(AT_MS))
    assert job.version != card.version


def test_the_first_failure_is_the_result(small: Any) -> None:
    refit = job_of(small)
    refit.fail("1h: no candles")
    refit.fail("another")
    assert refit.result is not None
    assert (refit.result.outcome, refit.result.note) == ("failed", "1h: no candles")


def test_an_ensemble_of_one_package_is_not_aggregated(small: Any) -> None:
    config, models = validation_config(small.workspace), ModelStore(small.workspace.models_dir)
    alone = job_of(small, platt_a=1.0, platt_b=0.0)
    alone.prepare_packages(models, config, rows_min=1)
    alone.prepare_aggregate(config)
    assert alone.aggregate_job is None


class OfAnImport:
    """A store whose packages were imported."""

    def __init__(self, models: ModelStore) -> None:
        self._models = models

    def member(self, member: Any) -> Any:
        package = self._models.member(member)
        return Package(msgspec.structs.replace(package.card, origin="imported"), package.files)


def test_an_imported_package_cannot_be_refitted_here(small: Any) -> None:
    models: Any = OfAnImport(ModelStore(small.workspace.models_dir))
    refit = job_of(small)
    with pytest.raises(UserError, match="was imported: train it where it comes from"):
        refit.prepare_packages(models, validation_config(small.workspace), rows_min=1)
    assert refit.jobs == {}
