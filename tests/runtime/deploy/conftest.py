"""A staging workspace with judged ensembles, a production one, and a real service to restart."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

import ares
from ares.adapters.model_store import ModelStore
from ares.bootstrap.deploy import deploy_context
from ares.bootstrap.lifecycle import promote
from ares.bootstrap.validation import validation_config
from ares.bootstrap.values import model_paths
from ares.config.workspace import Workspace
from ares.domain.formats import VERDICT_FORMAT
from ares.domain.model import Ensemble, Validation
from ares.domain.model_life import EnsemblePromoted, VerdictRecorded
from ares.domain.package import Package, PackageCard, sealed, sha256
from ares.domain.timeframe import Timeframe
from ares.domain.trial import Trial
from ares.kernel.features.columns import column_names, columns_hash
from ares.learn.gate.evidence import Baseline, Evidence, PerformanceMetrics
from ares.learn.gate.verdict import judge
from ares.runtime.deploy.plan import DeployReport, DeployRequest
from ares.runtime.deploy.policy import DeployContext, DeployEffects
from ares.runtime.lifecycle.model_export import export_model
from ares.runtime.registry.model_journal import read_registry, record
from ares.runtime.validation.validate import current_basis
from ares.runtime.validation.verdict_file import VerdictFile
from ares.store.database import open_database

BTC = "binance:BTC/USDT"
NIGHT = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
SERVICE = Path(__file__).parent / "service.py"
SETTINGS: dict[str, Any] = {
    "symbols": ["BTC/USDT"],
    "timeframes": {"intervals": [{"interval": "1h", "weight": 1.0}]},
}


def graph(slope: float, n: int = len(column_names(None)), opset: int = 17) -> bytes:
    """Return a logistic regression as an ONNX graph."""
    weights = np.full((n, 1), slope / n, np.float32)
    made = helper.make_graph(
        [
            helper.make_node("Gemm", ["features", "weights", "bias"], ["score"]),
            helper.make_node("Sigmoid", ["score"], ["probability"]),
        ],
        "made",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", n])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n", 1])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([0.1], np.float32), "bias"),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return bytes(model.SerializeToString())


def packed(version: str, content: bytes, **more: Any) -> Package:
    """Return a package around a graph."""
    facts: dict[str, Any] = {
        "name": "binance_BTC-USDT_1h",
        "version": version,
        "scope": "instrument",
        "instruments": (BTC,),
        "timeframe": Timeframe("1h"),
        "origin": "trained",
        "features": column_names(None),
        "features_hash": columns_hash(None),
        "recipe": {"slope": version},
        "recipe_hash": f"recipe {version}",
        "horizon_bars": 12,
        "width_sigmas": 1.0,
        "width_min_bps": 33.0,
        "cost_bps": 22.0,
        "gain": 0.8,
        "loss": 1.1,
        "data_from_ms": 0,
        "data_to_ms": 10,
        "data_rows": 100,
        "data_hash": "data",
        "validation": Validation(10, 1.5, 20.0),
        "metrics": {},
        "parity": {},
        "libraries": {},
        "git_commit": "commit",
        "created_at": f"{version[:4]}-{version[4:6]}-{version[6:8]}T12:00:00Z",
    }
    return sealed(PackageCard(**{**facts, **more}), {"model.onnx": content, "training.png": b"png"})


def stored(workspace: Workspace, package: Package, instrument: str = BTC) -> Ensemble:
    """Store a package, the ensemble of it alone, and the trial that made them."""
    store = ModelStore(workspace.models_dir)
    store.adopt(package)
    ensemble = package.alone(instrument, package.card.created_at)
    store.save_ensemble(ensemble)
    trial = Trial(
        "ensemble", instrument, "1h", ensemble.recipe_hash, ensemble.hash, "data", 0, 10,
        Validation(), package.card.created_at, 3, b"12345678",
    )  # fmt: skip
    record(workspace.journal_dir, [trial])
    return ensemble


def let_pass(
    workspace: Workspace, ensemble: Ensemble, environment: str = "live", **changes: Any
) -> VerdictRecorded:
    """Judge good evidence on an ensemble, and keep the verdict as ``models validate`` does."""
    evidence = Evidence(
        subject=ensemble.hash,
        hypothesis="beats_flat",
        metrics=PerformanceMetrics(
            trades=150, net_bps=12.0, net_return=0.2, sharpe=2.5, max_drawdown=0.1, accuracy=0.6,
            precision=0.6, f1=0.6, brier=0.24, brier_skill=0.02,
        ),
        baselines=(Baseline("buy_and_hold", 0.9), Baseline("sma_cross", None)),
        leak_values=100_000, parity_rows=1_205, parity_difference=1e-7, majority_accuracy=0.55,
        calibration_error=0.03, calibration_limit=0.05, constant_share=0.0, deflated_sharpe=0.98,
        trials=3, pbo=0.7, e_value=150.0, inference_us=20.0,
    )  # fmt: skip
    evidence = msgspec.structs.replace(evidence, **changes)
    config = validation_config(workspace)
    limits = config.limits
    verdict = judge(evidence, limits, config.rule)
    basis = current_basis(config, read_registry(workspace.journal_dir), ensemble, environment)
    at = "2024-02-29T12:00:00Z"
    verdict_content = VerdictFile(
        VERDICT_FORMAT, ensemble.hash, ensemble.instrument, environment, verdict, verdict.hash,
        evidence, limits, basis, (), at, "tester",
    )  # fmt: skip
    content = msgspec.json.encode(verdict_content, order="sorted")
    folder = workspace.models_dir / "verdicts"
    folder.mkdir(exist_ok=True)
    name = f"{ensemble.hash}_{environment}.json"
    (folder / name).write_bytes(content)
    (folder / name).with_suffix(".png").write_bytes(b"\x89PNG picture")
    judged = VerdictRecorded(
        environment, ensemble.instrument, ensemble.hash, verdict.passed,
        tuple(line.name for line in verdict.failed), verdict.hash, evidence.hash, basis, name,
        sha256(content), at, "tester",
    )  # fmt: skip
    record(workspace.journal_dir, [judged])
    return judged


@dataclass
class Clock:
    """Real time from a chosen hour on; a failing service makes it jump over the waiting."""

    failing: Path
    offset: timedelta = field(default_factory=timedelta)
    skipped_s: float = 0.0
    slept_s: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def elapsed_s(self) -> float:
        return time.monotonic() + self.skipped_s

    def sleep(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        if seconds > 1:  # the quiet hours are waited for
            self.offset += timedelta(seconds=seconds)
            return
        time.sleep(seconds)
        if self.failing.exists():
            self.failing.unlink()
            self.skipped_s += 3600.0


@dataclass
class Site:
    """Where models are made, where money trades, and the service there.

    old, new : hashes of the champion, and of what is to be installed; package: the file of that.
    """

    staging: Workspace
    production: Workspace
    old: str
    new: str
    package: Path
    service: Path
    temporary: Path
    clock: Clock
    lines: list[str] = field(default_factory=list)
    points: list[str] = field(default_factory=list)

    def context(self, checkpoint: Callable[[str], None] | None = None) -> DeployContext:
        effects = DeployEffects(
            self.clock.now, self.clock.elapsed_s, self.clock.sleep, self.lines.append,
            checkpoint or self.points.append, self.temporary,
        )  # fmt: skip
        return deploy_context(self.production, effects)

    def install(self, package: Path | None = None, **options: Any) -> DeployReport:
        from ares.runtime.deploy.install import install

        fields: dict[str, Any] = {"to": "live", "now": True, "yes": True, **options}
        approve = fields.pop("approve", lambda _plan: True)
        checkpoint = fields.pop("checkpoint", None)
        request = DeployRequest(package or self.package, **fields)
        return install(self.context(checkpoint), request, approve)

    def refuses(self, message: str, package: Path | None = None, **asked: Any) -> None:
        """Install, and check that it is refused with that line and that nothing else changed."""
        before = sorted(path for path in self.production.models_dir.rglob("*") if path.is_file())
        report = self.install(package, **asked)
        assert report.result == "refused", report
        assert message in report.reason
        assert "\n" not in report.reason
        assert str(self.temporary) not in report.reason
        denied = read_registry(self.production.journal_dir).refusals[-1]
        assert (denied.action, denied.environment) == ("install", asked.get("to", "live"))
        assert message in denied.reason
        assert self.champion() == self.old
        after = sorted(path for path in self.production.models_dir.rglob("*") if path.is_file())
        assert [path for path in after if "deploy" not in path.parts] == [
            path for path in before if "deploy" not in path.parts
        ]
        assert self.left() == []
        assert not (self.service / "restarts").exists()

    def restarts(self) -> int:
        """Return how often the service was restarted."""
        path = self.service / "restarts"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def champion(self) -> str:
        return read_registry(self.production.journal_dir).champions("live").get(BTC, "")

    def settle(self, **deployment: object) -> None:
        """Change settings of the deployment in production."""
        path = self.production.root / "ares.yaml"
        content = yaml.safe_load(path.read_text())
        content["deployment"].update(deployment)
        path.write_text(yaml.safe_dump(content))
        self.production = Workspace(self.production.root)

    def fails(self, ensemble_hash: str, how: str) -> None:
        """Let the service fail with an ensemble: crash, mute, stops, elsewhere."""
        (self.service / f"fails-{ensemble_hash}").write_text(how)

    def left(self) -> list[Path]:
        """Return what is left in the temporary folder."""
        return list(self.temporary.iterdir())


@pytest.fixture(scope="session")
def site_template(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """Make both workspaces once; return their folder, and the hashes of the two ensembles."""
    root = tmp_path_factory.mktemp("site")
    for name in ("staging", "production"):
        Workspace.init(root / name)
        content = {
            **SETTINGS,
            "deployment": {"policy": "restart"},
            "live_trading": {"mode": "live" if name == "production" else "paper"},
        }
        (root / name / "ares.yaml").write_text(yaml.safe_dump(content))
    staging, production = Workspace(root / "staging"), Workspace(root / "production")
    open_database(production.db_url).dispose()
    first = packed("20240101_120000", graph(1.0))
    for workspace in (staging, production):
        old = stored(workspace, first)
        judged = let_pass(workspace, old)
        if workspace is production:
            assert promote(workspace, old.hash, "live", False, None).promoted
        else:  # as there, without MLflow, whose first database takes seconds
            one = EnsemblePromoted(
                "live", BTC, old.hash, "", "now", "tester", "x", False, judged.verdict_hash
            )
            record(workspace.journal_dir, [one])
    new = stored(staging, packed("20240201_120000", graph(2.0)))
    let_pass(staging, new)
    export_model(model_paths(staging), new.hash, root / "new.zip")
    return root, old.hash, new.hash


@pytest.fixture
def site(site_template: tuple[Path, str, str], tmp_path: Path) -> Iterator[Site]:
    """Return a copy of the two workspaces, with a service in production."""
    root, old, new = site_template
    shutil.copytree(root, tmp_path / "site")
    service, temporary = tmp_path / "the service", tmp_path / "tmp"
    service.mkdir()
    temporary.mkdir()
    production = Workspace(tmp_path / "site" / "production")
    systemctl = service / "systemctl"
    systemctl.write_text(
        "#!/bin/sh\n"
        'cd "${0%/*}" || exit 1\n'
        'test "$1 $2" = "restart ares" || { echo "what is $*?"; exit 5; }\n'
        "test ! -f refuse || { echo unit is masked; exit 4; }\n"
        "test ! -f pid || kill -9 $(cat pid) 2>/dev/null\n"
        "rm -f failing\n"
        f"PYTHONPATH='{Path(ares.__file__).parent.parent}' setsid '{sys.executable}' '{SERVICE}' "
        f"'{production.root}' . >log 2>&1 </dev/null &\n"
        "echo $! >pid\n"
        "echo restart >>restarts\n"
    )
    systemctl.chmod(0o755)
    made = Site(
        Workspace(tmp_path / "site" / "staging"), production, old, new,
        tmp_path / "site" / "new.zip", service, temporary, Clock(service / "failing"),
    )  # fmt: skip
    made.settle(
        restart_command=f"'{systemctl}' restart ares",
        health_interval_seconds=0.05,
        health_seconds_max=120.0,
    )
    yield made
    if (service / "pid").exists():
        with suppress(ProcessLookupError):
            os.kill(int((service / "pid").read_text()), signal.SIGKILL)


@pytest.fixture
def made() -> Any:
    """Return the makers of graphs, packages and verdicts."""

    class Makers:
        """Functions, since a conftest cannot be imported."""

    for function in (graph, packed, stored, let_pass):
        setattr(Makers, function.__name__, staticmethod(function))
    return Makers
