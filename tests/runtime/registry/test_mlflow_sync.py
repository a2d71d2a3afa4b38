"""MLflow holds what the journal and the disk say, also after an interrupted sync."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ares.adapters.mlflow_registry import MlflowRegistry, MlflowUnavailable
from ares.adapters.model_store import ModelStore
from ares.domain.errors import ExternalError
from ares.domain.model import Ensemble, Validation
from ares.domain.model_life import (
    EnsembleArchived,
    EnsemblePromoted,
    ModelsImported,
    RequestRefused,
    VerdictBasis,
    VerdictRecorded,
)
from ares.domain.package import PackageCard, sealed
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial, ensemble_trial
from ares.journal.lock import Lock
from ares.runtime.registry.journal_head import head_path
from ares.runtime.registry.mlflow_entries import ensemble_model
from ares.runtime.registry.mlflow_sync import SyncReport, sync
from ares.runtime.registry.model_journal import models_journal, record
from ares.runtime.registry.paths import ModelPaths

BTC, ETH = "binance:BTC/USDT", "binance:ETH/USDT"
BASIS = VerdictBasis("", "evidence", "l", "t", 1, "c")


@dataclass
class Site:
    """Models on a disk, their journal, and an MLflow that is made already."""

    root: Path

    @property
    def paths(self) -> ModelPaths:
        return ModelPaths(self.root, self.root / "models", self.root / "journal")

    @property
    def mlflow(self) -> MlflowRegistry:
        return MlflowRegistry(f"sqlite:///{self.root / 'mlflow.db'}", self.root / "models/mlflow")

    def trained(self, instrument: str, version: str) -> Ensemble:
        """Store a package and the ensemble of it alone, and journal them as a training does."""
        store = ModelStore(self.paths.models)
        slug = instrument.replace(":", "_").replace("/", "-")
        card = PackageCard(
            name=f"{slug}_1h", version=version, scope="instrument", instruments=(instrument,),
            timeframe=Timeframe("1h"), origin="trained", features=("a",), features_hash="f",
            recipe={"label": {"horizon_bars": 12}, "seed": 1}, recipe_hash=f"recipe {version}",
            horizon_bars=12, width_sigmas=1.0, width_min_bps=33.0, cost_bps=22.0, gain=0.8,
            loss=1.1, data_from_ms=0, data_to_ms=10, data_rows=100, data_hash="data",
            validation=Validation(10, 1.5, 20.0), metrics={"brier": 0.24, "auc": None}, parity={},
            libraries={}, git_commit="commit", created_at=f"2024-01-{version[-2:]}T12:00:00Z",
        )  # fmt: skip
        package = store.adopt(sealed(card, {"model.onnx": b"graph", "training.png": b"png"}))
        ensemble = package.alone(instrument, card.created_at)
        store.save_ensemble(ensemble)
        made = Trial(
            "package", instrument, "1h", card.recipe_hash, card.ref, "data", 0, 10,
            card.validation, card.created_at,
        )  # fmt: skip
        joined = ensemble_trial(ensemble, [card], metrics=(("net_bps", 3.5),))
        self.journal(made, joined)
        return ensemble

    def journal(self, *records: Any) -> None:
        record(self.paths.journals, records)

    def promote(self, ensemble: Ensemble, previous: str = "", environment: str = "paper") -> None:
        self.journal(
            EnsemblePromoted(
                environment, ensemble.instrument, ensemble.hash, previous, "at", "me", "why", True
            )
        )

    def sync(self, everything: bool = False) -> SyncReport:
        return sync(self.paths, self.mlflow, everything=everything)

    def tags(self, ensemble: Ensemble) -> dict[str, str]:
        with self.mlflow.session() as session:
            versions = session.versions(ensemble_model(ensemble.instrument))
            (found,) = (v for v in versions if v.tags["ensemble_hash"] == ensemble.hash)
            return dict(found.tags)

    def aliases(self) -> dict[str, str]:
        """Return alias -> ensemble hash of BTC."""
        with self.mlflow.session() as session:
            model = "ensemble_binance_BTC-USDT"
            hashes = {v.version: v.tags["ensemble_hash"] for v in session.versions(model)}
            return {a: hashes[v] for a, v in session.aliases(model).items()}


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an MLflow database with nothing in it: making one takes seconds."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    with MlflowRegistry(f"sqlite:///{path}", path.parent / "artefacts").session():
        pass
    return path


@pytest.fixture
def site(database: Path, tmp_path: Path) -> Site:
    shutil.copy(database, tmp_path / "mlflow.db")
    return Site(tmp_path)


def test_packages_and_ensembles_are_registered_once_with_their_evidence(site: Site) -> None:
    ensemble = site.trained(BTC, "20240101")
    report = site.sync()
    assert (report.records, report.new_records) == (2, 2)
    assert report.experiment == "Ares_Trading"
    assert report.registered == ("binance_BTC-USDT_1h/20240101", f"{BTC} {ensemble.hash[:12]}")
    tags = site.tags(ensemble)
    assert (tags["model_status"], tags["git_commit"]) == ("candidate", "commit")
    assert tags["challenger_stage"] == "shadow"
    assert site.aliases() == {"challenger": ensemble.hash}
    again = site.sync()
    assert (again.records, again.new_records) == (2, 0)
    whole = site.sync(everything=True)
    for nothing in (again, whole):
        assert (nothing.registered, nothing.changed, nothing.corrected) == ((), (), ())
    with site.mlflow.session() as session:
        (version,) = session.versions("ensemble_binance_BTC-USDT")
        (package,) = session.versions("binance_BTC-USDT_1h")
    from mlflow.tracking import MlflowClient

    client = MlflowClient(site.mlflow.uri, site.mlflow.uri)
    assert client.get_run(version.run_id).data.metrics == {"net_bps": 3.5}
    run = client.get_run(package.run_id).data
    assert run.metrics == {"brier": 0.24}
    assert run.params["label.horizon_bars"] == "12"


def test_moves_become_aliases_and_statuses(site: Site) -> None:
    first, second = site.trained(BTC, "20240101"), site.trained(BTC, "20240102")
    site.promote(first)
    site.journal(
        VerdictRecorded(
            "paper", BTC, second.hash, False, ("dsr",), "v", "e", BASIS, "gone.json", "h", "at",
            "me",
        )
    )  # fmt: skip
    site.sync()
    assert site.aliases() == {"paper-champion": first.hash}
    assert site.tags(first)["model_status"] == "production"
    tags = site.tags(second)
    assert (tags["model_status"], tags["verdict"]) == ("evaluated_inferior", "refused")
    site.promote(second, first.hash)
    site.journal(EnsembleArchived(first.hash, "at", "me", "old"))
    report = site.sync()
    assert report.corrected == ()
    assert report.registered == ()
    assert site.aliases() == {"paper-champion": second.hash}
    assert site.tags(first)["model_status"] == "archived"


def test_a_sync_looks_at_what_the_new_records_are_about_and_a_whole_one_at_all(
    site: Site,
) -> None:
    btc, eth = site.trained(BTC, "20240101"), site.trained(ETH, "20240101")
    site.sync()
    with site.mlflow.session() as session:
        (version,) = session.versions("ensemble_binance_ETH-USDT")
        session.set_tags(version, {"model_status": "production"})
    site.promote(btc)
    assert site.sync().corrected == ()
    assert site.tags(eth)["model_status"] == "production"
    report = site.sync(everything=True)
    assert f"called {eth.hash[:12]} production too" in report.corrected[0]
    assert site.tags(eth)["model_status"] == "candidate"
    site.journal(RequestRefused("promote", btc.hash, "paper", "no", "at", "me"))
    report = site.sync()
    assert (report.new_records, report.changed) == (1, ())


WRITES = (
    "create_run", "log_batch", "log_artifacts", "log_artifact", "create_registered_model",
    "create_model_version", "set_terminated", "set_registered_model_alias", "set_experiment_tag",
)  # fmt: skip


def test_interrupted_at_any_write_the_next_sync_completes_it(
    site: Site, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever write fails, in the end every model has one run and one version."""
    from mlflow.tracking import MlflowClient

    ensemble = site.trained(BTC, "20240101")
    site.promote(ensemble)
    left = [0]

    def interrupted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise RuntimeError("cut off")
            return real(*arguments, **named)

        return call

    for name in WRITES:
        monkeypatch.setattr(MlflowClient, name, interrupted(getattr(MlflowClient, name)))
    for write in range(1, 60):
        shutil.copy(database, site.root / "mlflow.db")
        left[0] = write
        with suppress(MlflowUnavailable):
            site.sync()
        was_cut_off = left[0] <= 0
        left[0] = 0
        report = site.sync()
        assert report.corrected == ()
        client = MlflowClient(site.mlflow.uri, site.mlflow.uri)
        assert {run.info.status for run in client.search_runs(["1"])} == {"FINISHED"}
        assert len(client.search_runs(["1"])) == 2
        assert len(client.search_model_versions("")) == 2
        assert site.aliases() == {"paper-champion": ensemble.hash}
        assert site.tags(ensemble)["model_status"] == "production"
        if not was_cut_off:
            assert report.new_records == 0
            break
    assert write > len(WRITES)


def test_a_deleted_database_and_another_journal_are_synced_from_the_beginning(
    site: Site, database: Path
) -> None:
    ensemble = site.trained(BTC, "20240101")
    site.promote(ensemble)
    assert site.sync().new_records == 3
    shutil.copy(database, site.root / "mlflow.db")
    assert site.sync().new_records == 3
    assert site.aliases() == {"paper-champion": ensemble.hash}
    folder = models_journal(site.paths.journals)
    shutil.rmtree(folder)
    head_path(folder).unlink()
    site.promote(ensemble, environment="live")
    report = site.sync()
    assert (report.records, report.new_records) == (1, 1)
    assert report.corrected == (
        f"MLflow differed for ensemble_binance_BTC-USDT, it had {ensemble.hash[:12]} as "
        "paper-champion: corrected there, the models' journal decides",
    )


def test_imported_models_are_registered_too(site: Site) -> None:
    ensemble = site.trained(BTC, "20240101")
    folder = models_journal(site.paths.journals)
    shutil.rmtree(folder)
    head_path(folder).unlink()
    imported = ModelsImported(("binance_BTC-USDT_1h/20240101",), ensemble.hash, "x.zip", "at", "me")
    site.journal(imported)
    assert len(site.sync().registered) == 2


def test_what_is_not_on_the_disk_is_not_registered(site: Site) -> None:
    ensemble = site.trained(BTC, "20240101")
    shutil.rmtree(site.paths.models)
    assert site.sync().registered == ()
    site.promote(ensemble)
    assert site.sync().registered == ()


def test_an_empty_journal_is_synced_and_mlflow_is_still_queried(site: Site, tmp_path: Path) -> None:
    assert site.sync().records == 0
    away = MlflowRegistry("http://127.0.0.1:9", tmp_path / "artefacts")
    with pytest.raises(MlflowUnavailable):
        sync(site.paths, away, everything=True)


def test_two_syncs_at_once_do_not_mix(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ares.runtime.registry.mlflow_sync.LOCK_WAIT_S", 0.05)
    lock = Lock(site.mlflow.artefacts_dir)
    with pytest.raises(ExternalError, match=r"another sync of MLflow .* nothing is lost"):
        site.sync()
    lock.release()
    site.sync()
