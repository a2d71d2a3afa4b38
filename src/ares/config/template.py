"""The first ``ares.yaml`` and ``.env.example`` of a workspace, written from the settings."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.fields import FieldInfo

from ares.config.fields import Section
from ares.config.settings import Settings

WIDTH = 96

HEAD = """\
# ares.yaml - the settings of this workspace.
#
# Every key is listed with its default; a key that is left out has its default.
# Brackets hold [unit; default; live]; a live setting may change while the engine runs.
# An environment variable, or a line in .env next to this file, overrides a key. Its name is
# ARES_ and the key, with two underscores between section and key: ARES_RISK__DAILY_LOSS_LIMIT=0.03.
# Check this file with: ares config check
"""

ENV_HEAD = """\
# .env.example - settings that do not belong in ares.yaml: addresses with passwords, overrides.
# Copy it to .env next to ares.yaml and uncomment the lines you need.
# Any setting can be set here: ARES_ and the key, two underscores between section and key.
"""


def settings_yaml() -> str:
    """Return an ``ares.yaml`` with every key, commented: meaning, unit, default."""
    return HEAD + "\n".join(_lines(Settings, Settings(), 0)) + "\n"


def env_example() -> str:
    """Return a ``.env.example`` with the settings that may hold a password, and one override."""
    lines = [ENV_HEAD]
    for path, declared in _leaves(Settings):
        if extra(declared)["secret"]:
            lines.append(f"# {declared.description}\n# {_variable(path)}=\n")
    lines.append("# Example of an override.\n# ARES_RISK__DAILY_LOSS_LIMIT=0.03\n")
    return "\n".join(lines)


def extra(declared: FieldInfo) -> dict[str, Any]:
    """Return the metadata that ``fields.key`` stored: unit, live, secret."""
    stored = declared.json_schema_extra
    return stored if isinstance(stored, dict) else {"unit": "", "live": False, "secret": False}


def _lines(kind: type[Section], values: Section, depth: int) -> Iterator[str]:
    """Yield the YAML lines of a section, each key under its comment."""
    indent = "  " * depth
    for name, declared in kind.model_fields.items():
        value = getattr(values, name)
        if isinstance(value, Section):
            yield ""
            yield from _comment(_doc(type(value)), indent)
            yield f"{indent}{name}:"
            yield from _lines(type(value), value, depth + 1)
            continue
        if depth == 0:
            yield ""
        yield from _comment(_meaning(declared, value), indent)
        yield from _assignment(name, value, indent)


def _meaning(declared: FieldInfo, value: Any) -> str:
    noted = extra(declared)
    facts = [noted["unit"]] if noted["unit"] else []
    if not isinstance(value, tuple):
        facts.append(f"default {_scalar(value)}")
    if noted["live"]:
        facts.append("live")
    return f"{declared.description} [{'; '.join(facts)}]" if facts else str(declared.description)


def _comment(text: str, indent: str) -> Iterator[str]:
    prefix = indent + "# "
    yield from textwrap.wrap(text, WIDTH, initial_indent=prefix, subsequent_indent=prefix)


def _assignment(name: str, value: Any, indent: str) -> Iterator[str]:
    if not isinstance(value, tuple):
        yield f"{indent}{name}: {_scalar(value)}"
        return
    if not value:
        yield f"{indent}{name}: []"
        return
    yield f"{indent}{name}:"
    for item in value:
        if isinstance(item, Section):
            pairs = item.model_dump(mode="json").items()
            yield f"{indent}  - {{{', '.join(f'{key}: {_scalar(part)}' for key, part in pairs)}}}"
        else:
            yield f"{indent}  - {_scalar(item)}"


def _scalar(value: Any) -> str:
    """Return a value as YAML: text unchanged, a fraction with two decimals, else JSON."""
    if isinstance(value, str):
        return value
    text = json.dumps(value)
    return text + "0" if isinstance(value, float) and 0 < value < 1 and len(text) == 3 else text


def _doc(kind: type[Section]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _leaves(
    kind: type[Section], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, declared in kind.model_fields.items():
        inner = declared.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from _leaves(inner, (*path, name))
        else:
            yield (*path, name), declared


def _variable(path: tuple[str, ...]) -> str:
    return "ARES_" + "__".join(path).upper()
