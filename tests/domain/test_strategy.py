from __future__ import annotations

import msgspec

from ares.domain.strategy import StrategySpec


def test_a_spec_is_known_by_name_source_and_parameters() -> None:
    spec = StrategySpec("rise", "ab", {"share": 1.0, "on": True})
    same = msgspec.json.decode(msgspec.json.encode(spec), type=StrategySpec)
    assert same == spec
    assert same.column == spec.column
    others = [
        StrategySpec("fall", "ab", {"share": 1.0, "on": True}),
        StrategySpec("rise", "cd", {"share": 1.0, "on": True}),
        StrategySpec("rise", "ab", {"share": 2.0, "on": True}),
    ]
    assert len({spec.hash, *(other.hash for other in others)}) == 4
