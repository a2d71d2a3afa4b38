"""``ares config``: show the settings and where each is set; check them; change live ones."""

from __future__ import annotations

import re
from typing import Any

import typer

from ares.cli.control import show_answer
from ares.cli.output import JSON_OPTION, error_line, note, plain, print_json, print_table, say
from ares.cli.status import ENV_OPTION

app = typer.Typer(no_args_is_help=True)

PASSWORD = re.compile(r"(?<=://)([^:/@]*):[^@]*@")


@app.command()
def show(
    key: str = typer.Argument(
        "", metavar="[KEY]", help="One key or section, such as risk.daily_loss_limit."
    ),
    json_: bool = JSON_OPTION,
) -> None:
    """Show the settings in force: value, unit, whether it is live, and where it is set."""
    from ares.config.load import load, present_path
    from ares.config.workspace import Workspace

    loaded = load(Workspace.here().settings_path)
    values = _masked(plain(loaded.settings))
    key = ".".join(present_path(tuple(key.split("."))))
    chosen = _at(values, key)
    if json_:
        print_json(chosen)
        return
    leaves = dict(_leaves(chosen, key))
    if key and list(leaves) == [key]:
        say(_text(leaves[key]))
        return
    print_table(
        ("key", "value", "unit", "live", "set in"),
        [
            (name, _text(value), *_unit_and_live(name), loaded.origins.get(name, "default"))
            for name, value in leaves.items()
        ],
        footer=f"settings hash {loaded.settings.hash[:12]}" if not key else "",
    )


@app.command()
def check(json_: bool = JSON_OPTION) -> None:
    """Check ares.yaml, .env and the environment; print every error with its line."""
    from ares.config.load import SettingsError, load
    from ares.config.workspace import Workspace
    from ares.domain.errors import UserError

    path = Workspace.here().settings_path
    try:
        loaded = load(path)
    except UserError as error:
        problems = error.problems if isinstance(error, SettingsError) else (str(error),)
        if json_:
            print_json({"ok": False, "problems": problems})
        for problem in problems:
            error_line(problem)
        raise typer.Exit(error.exit_code) from None
    if json_:
        print_json({"ok": True, "problems": [], "hash": loaded.settings.hash})
        return
    say(f"{path.name}: no errors, {len(loaded.origins)} keys set, hash {loaded.settings.hash[:12]}")


@app.command("set")
def set_(
    assignment: str = typer.Argument(..., metavar="KEY=VALUE", help="A live key and its value."),
    reason: str = typer.Option("", "--reason", help="Why; it is journaled."),
    version: str = typer.Option(
        "", "--expect", help="Refuse unless the settings are of this version (`ares status`)."
    ),
    env: str | None = ENV_OPTION,
) -> None:
    """Change a live setting of the running engine: checked here and by the engine, journaled, in
    force before its next decision, kept over restarts. ares.yaml stays as it is.
    """
    from ares.bootstrap.control import set_config
    from ares.config.workspace import Workspace

    show_answer("config set", set_config(Workspace.here(), env, assignment, version, reason))
    note("ares.yaml stays as it is: change it there too for runs that begin later")


def _at(values: Any, key: str) -> Any:
    """Return the value of a dotted key; raise UserError with the nearest one for an unknown key."""
    from ares.config.explain import nearest
    from ares.domain.errors import UserError

    parts = tuple(key.split(".")) if key else ()
    for depth, part in enumerate(parts):
        if not isinstance(values, dict):
            raise UserError(f"'{'.'.join(parts[:depth])}' is a value and has no keys")
        if part not in values:
            raise UserError(nearest(parts[: depth + 1]))
        values = values[part]
    return values


def _leaves(values: Any, prefix: str) -> list[tuple[str, Any]]:
    if not isinstance(values, dict):
        return [(prefix, values)]
    return [
        leaf
        for name, value in values.items()
        for leaf in _leaves(value, f"{prefix}.{name}" if prefix else name)
    ]


def _unit_and_live(name: str) -> tuple[str, str]:
    """Return the unit of a setting and whether it is live."""
    from ares.config.load import section_of
    from ares.config.settings import Settings
    from ares.config.template import extra

    *sections, last = name.split(".")
    kind: Any = Settings
    for part in sections:
        kind = section_of(kind, part)
    metadata = extra(kind.model_fields[last])
    return metadata["unit"], "live" if metadata["live"] else ""


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, dict):
        return " ".join(_text(item) for item in value.values())
    return f"{value}"


def _masked(values: Any) -> Any:
    """Return values without passwords in addresses."""
    if isinstance(values, dict):
        return {name: _masked(value) for name, value in values.items()}
    if isinstance(values, str):
        return PASSWORD.sub(r"\1:***@", values)
    return values
