"""The generated ares.yaml is the settings: it loads, equals the defaults and comments every key."""

from __future__ import annotations

from pathlib import Path

from ares.config.load import load, load_settings
from ares.config.settings import Settings
from ares.config.template import env_example, settings_yaml


def test_the_template_loads_and_equals_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "ares.yaml"
    path.write_text(settings_yaml())
    loaded = load(path, {})
    assert loaded.settings == Settings()
    assert loaded.settings.hash == Settings().hash


def test_every_key_is_written_out_under_a_comment() -> None:
    lines = settings_yaml().splitlines()
    keys = [n for n, line in enumerate(lines) if line.strip() and line.lstrip()[0] not in "#-"]
    assert len(keys) > 80
    for index in keys:
        assert lines[index - 1].lstrip().startswith("#"), lines[index]
    assert max(map(len, lines)) <= 100


def test_meaning_unit_default_and_liveness_stand_in_the_comment() -> None:
    flat = " ".join(line.strip(" #") for line in settings_yaml().splitlines())
    wanted = (
        "Largest position in one instrument. "
        "[fraction of equity: 0.10 is 10%; default 0.10; live] max_position_size_percent: 0.10"
    )
    assert wanted in flat


def test_the_example_of_dotenv_overrides_nothing_until_a_line_is_uncommented(
    tmp_path: Path,
) -> None:
    (tmp_path / "ares.yaml").write_text(settings_yaml())
    (tmp_path / ".env").write_text(env_example())
    assert load_settings(tmp_path / "ares.yaml", {}) == Settings()
    uncommented = env_example().replace("# ARES_", "ARES_")
    (tmp_path / ".env").write_text(uncommented)
    settings = load_settings(tmp_path / "ares.yaml", {})
    assert settings.risk.daily_loss_limit == 0.03
    assert "ARES_DATABASE__URL=" in uncommented
