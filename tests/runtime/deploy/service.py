"""A small real service: loads the champions, asks them, and writes its heartbeat; or fails as told.

``service.py WORKSPACE FOLDER``: a file ``fails-<hash>`` in the folder says how it fails with that
ensemble, and ``failing`` is touched when it has, so that a test need not wait.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from ares.adapters.model_store import ModelStore
from ares.adapters.onnx_model import check_outputs, open_model
from ares.config.workspace import Workspace
from ares.runtime.engine.heartbeat import write_heartbeat
from ares.runtime.registry.model_journal import read_registry


def serve(workspace: Workspace, folder: Path) -> None:
    champions = read_registry(workspace.journal_dir).champions("live")
    store = ModelStore(workspace.models_dir)
    how = ""
    for ensemble_hash in champions.values():
        for member in store.ensemble(ensemble_hash).members:
            package = store.member(member)
            n = len(package.card.features)
            rows = np.random.default_rng(0).standard_normal((8, n)).astype(np.float32)
            check_outputs(open_model(package.graph, n, package.card.ref), rows, package.card.ref)
        instruction = folder / f"fails-{ensemble_hash}"
        how = instruction.read_text() if instruction.exists() else how
    if how == "crash":
        (folder / "failing").touch()
        sys.exit("it crashes")
    beats = 0
    while True:
        environment = "paper" if how == "elsewhere" else "live"
        served = {} if how == "others" else champions
        if how != "mute" and not (how == "stops" and beats > 0):
            path = workspace.root / "logs" / "heartbeat.json"
            write_heartbeat(path, environment, served, time.time_ns() // 1_000_000)
        beats += 1
        if how and beats == 30:
            (folder / "failing").touch()
        time.sleep(0.01)


if __name__ == "__main__":
    serve(Workspace(Path(sys.argv[1])), Path(sys.argv[2]).resolve())
