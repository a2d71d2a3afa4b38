"""Validation, composed: the gate's limits are those of the settings; a bad module is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ares.bootstrap.validation import compare_models, validate_model, validation_config
from ares.config.workspace import Workspace
from ares.domain.errors import UserError
from ares.learn.gate.verdict import GateLimits

MakeWorkspace = Callable[..., Workspace]


def test_every_limit_of_the_gate_is_that_of_the_settings(workspace_of: MakeWorkspace) -> None:
    promotion = {
        "rule": "simple", "trades_min": 7, "net_bps_min": 2.5, "drawdown_max": 0.3,
        "dsr_min": 0.6, "pbo_max": 0.4, "alpha_flat": 0.02, "beaten": ["flat"],
        "inference_us_max": 50.0,
    }  # fmt: skip
    workspace = workspace_of(promotion=promotion)
    config = validation_config(workspace)
    assert config.rule == "simple"
    settings = workspace.settings.promotion
    for name in GateLimits.__struct_fields__:
        assert getattr(config.limits, name) == getattr(settings, name), name
    assert (config.limits.trades_min, config.limits.pbo_max) == (7, 0.4)


def test_the_module_is_pinned_by_the_hash_of_its_code(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of(features={"module": "mine.py"})
    source = (
        "from ares.kernel.features.user import feature\n"
        "@feature(warmup_bars=1)\n"
        "def busy(bars):\n    return {}\n"
    )
    hashes = []
    for value in ("1.0", "2.0", "2.0  # the same code"):
        (workspace.root / "mine.py").write_text(source.format(value))
        user = validation_config(workspace).user
        assert user is not None
        hashes.append(user.hash)
    assert hashes[0] != hashes[1] == hashes[2]
    (workspace.root / "mine.py").write_text("def")
    with pytest.raises(UserError, match=r"mine\.py"):
        validation_config(workspace)


def test_an_unknown_model_or_environment_is_one_line(workspace_of: MakeWorkspace) -> None:
    workspace = workspace_of()
    with pytest.raises(UserError, match="no model 'zzz'"):
        validate_model(workspace, "zzz")
    with pytest.raises(UserError, match="moon"):
        validate_model(workspace, "zzz", "moon")
    with pytest.raises(UserError, match="no model 'zzz'"):
        compare_models(workspace, "zzz", "zzz")
