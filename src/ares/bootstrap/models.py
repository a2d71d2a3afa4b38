"""Models, as a command asks for them: each move of a model, then MLflow brought up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ares.config.workspace import Workspace

if TYPE_CHECKING:
    from ares.runtime.training.report import TrainingReport


def mirror_training(workspace: Workspace, report: TrainingReport) -> TrainingReport:
    """Register in MLflow what a training made; return its report, with a warning where it failed.

    What was trained lies in ``models/`` and is counted in the models' journal by then.
    """
    from ares.adapters.mlflow_registry import MlflowRegistry
    from ares.adapters.model_store import ModelStore
    from ares.adapters.provenance import git_commit
    from ares.runtime.registry.model_mirror import tell_mlflow
    from ares.runtime.registry.training_mirror import ensemble_entry, package_entry

    store = ModelStore(workspace.models_dir)
    packages = [package_entry(store, store.load(pair.name, pair.version)) for pair in report.pairs]
    ensembles = [
        ensemble_entry(store, store.ensemble(made.hash), made.metrics, git_commit())
        for made in report.ensembles
    ]
    registry = MlflowRegistry(workspace.mlflow_uri, workspace.models_dir / "mlflow")
    missed = registry.register([*packages, *ensembles])
    warnings = (
        [missed]
        if missed
        else [tell_mlflow(workspace, made.instrument) for made in report.ensembles]
    )
    found = [warning for warning in warnings if warning][:1]
    return msgspec.structs.replace(report, warnings=(*report.warnings, *found))
