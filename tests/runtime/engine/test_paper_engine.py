"""The paper engine takes its orders up again; see ``test_live_run`` for what it does with them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from ares.core.models import Models
from ares.core.snapshot import snapshot
from ares.runtime.engine.clocks import RunningClock
from ares.runtime.engine.hot_swap import HotSwap
from ares.runtime.engine.live_run import start_event
from ares.runtime.engine.paper_engine import paper_engine
from ares.runtime.engine.plan import RunPlan
from ares.runtime.engine.recovery import Recovery
from ares.runtime.engine.serving import ServedModels


def test_watchers_see_every_journaled_event(world: Any, plan: RunPlan, tmp_path: Path) -> None:
    seen: list[int] = []

    async def run() -> int:
        serving = ServedModels(world.models)
        models, swap = Models(serving.scorers), HotSwap(serving, lambda _: world.models)
        recovery = Recovery(tmp_path, swap, models)
        recovered = recovery.start(plan.setup, snapshot(plan.state))
        engine = paper_engine(
            tmp_path, recovered, models, swap, RunningClock(),
            watchers=[lambda seq, _event, _effects: seen.append(seq)],
        )  # fmt: skip

        async def feed() -> None:
            for t in range(5):
                engine.post(plan.feed.event(t, warming=True))

        begin = start_event(recovered, is_new=True, hashes={}, nonce="ab" * 8)
        await engine.run([begin], [feed])
        return engine.state.seq

    assert seen == list(range(1, asyncio.run(run()) + 1))
