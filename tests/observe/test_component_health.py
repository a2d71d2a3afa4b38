"""Components are healthy, or it is said why not; three checks in a row are a line."""

from __future__ import annotations

from ares.observe.component_health import COMPONENTS, EngineView, HealthChecks, components

WELL = EngineView("", 1, 2, 2, venue_up=True)


def problems(*args: object) -> dict[str, str]:
    found = components(*args)  # type: ignore[arg-type]
    assert tuple(h.component for h in found) == COMPONENTS
    return {h.component: h.problem for h in found if not h.is_healthy}


def test_each_component_has_its_reasons() -> None:
    assert problems(WELL, True, "", {"engine": ""}) == {}
    dead = problems(WELL, False, "", {"engine": "is dead", "signer": ""})
    assert dead == {
        "model_manager": "the engine does not live",
        "analyst": "the engine does not live",
        "supervisor": "engine: is dead",
        "exchange_connection": "the engine does not live",
    }
    assert problems(EngineView("locked"), True, "", {}) == {"database": "locked"}
    late = problems(WELL, True, "no bar for 80 s", {})
    assert late == {"analyst": "no bar for 80 s", "exchange_connection": "no bar for 80 s"}
    down = problems(EngineView("", 1, 2, 0), True, "", {})
    assert down == {
        "model_manager": "no instrument has a champion",
        "exchange_connection": "the venue is down",
    }


def test_a_failure_is_a_line_once_and_the_count_begins_anew() -> None:
    checks = HealthChecks()
    well, ill = components(WELL, True, "", {}), components(EngineView("locked"), True, "", {})
    lines = [checks.take(each) for each in (well, well, ill, ill, well, well, well, well)]
    failed, passed = "Health check failed: database: locked", "Health check passed (3 consecutive)"
    assert lines == ["", "", failed, "", "", "", passed, ""]
    assert checks.in_a_row == 4
