"""Before live events the machine code is loaded and the heap frozen; no state is changed."""

from __future__ import annotations

import gc

import pytest
from numba.core.event import TimingListener, install_listener
from tests.runtime.engine.conftest import World

from ares.core.initial_state import new_state
from ares.core.models import Models
from ares.core.snapshot import snapshot
from ares.runtime.engine import quiet
from ares.runtime.engine.timing import MACHINE_CODE


def test_machine_code_is_loaded_once_and_the_state_stays_as_it_was(world: World) -> None:
    plan = world.plan()
    before = snapshot(plan.state)
    quiet.load_machine_code(plan.state, Models({}))
    assert snapshot(plan.state) == before
    assert plan.state.scratch.calls is not None
    loading = TimingListener()  # type: ignore[no-untyped-call]  # Numba's is not annotated
    with install_listener(MACHINE_CODE, loading):
        quiet.load_machine_code(new_state(plan.setup), Models({}))
    assert not loading.done or loading.duration < 0.01


def test_what_exists_is_not_visited_inside_the_block() -> None:
    with quiet.frozen_heap():
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0


def test_the_heap_is_released_after_a_failure() -> None:
    with pytest.raises(ValueError, match="stop"), quiet.frozen_heap():
        raise ValueError("stop")
    assert gc.get_freeze_count() == 0
