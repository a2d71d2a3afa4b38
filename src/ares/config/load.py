"""Settings from ``ares.yaml``, ``.env`` and the environment; every error with its line.

The last one wins: default, ``ares.yaml``, ``.env`` next to it, process environment. A variable is
named ``ARES_`` and the key's path with two underscores: ``ARES_RISK__DAILY_LOSS_LIMIT=0.03``.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ares.config.explain import explain, nearest
from ares.config.fields import Section
from ares.config.settings import Settings
from ares.config.yaml_lines import LinedYaml, Path_, one_line, read_text, scalar
from ares.domain.errors import UserError

PREFIX = "ARES_"
"""Variables of settings begin with this; those of a nested key contain two underscores too."""

RENAMED = {"rollout": "challenger"}
"""Sections by their former name, which stays valid -> by their present one."""


class SettingsError(UserError):
    """One or more errors in the settings; the message is the first, ``problems`` has all."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        more = len(problems) - 1
        tail = f" (and {more} more: `ares config check` lists them)" if more else ""
        super().__init__(problems[0] + tail)
        self.problems = problems  # each is one line


@dataclass(frozen=True)
class LoadedSettings:
    """Settings and, for each key that was set, its origin: ``ares.yaml, line 12``."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of ``path``; raise UserError with the line of what is wrong.

    environ : None: the process environment.
    """
    return load(path, environ).settings


def load(path: Path, environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """Return the settings of ``path`` and their origins; raise SettingsError with all errors."""
    draft = _Draft(path.name, LinedYaml(read_text(path), path.name))
    draft.override(_dotenv(path.parent / ".env"))
    draft.override(_process(os.environ if environ is None else environ))
    try:
        settings = Settings.model_validate_json(json.dumps(draft.values, default=str), strict=True)
    except ValidationError as error:
        draft.problems += [(at, f"{draft.origin(at)}: {text}") for at, text in explain(error)]
    if draft.problems:
        ordered = sorted(draft.problems, key=lambda problem: draft.order(problem[0]))
        raise SettingsError(tuple(dict.fromkeys(one_line(text) for _, text in ordered)))
    return LoadedSettings(settings, draft.origins())


@dataclass
class _Draft:
    """Values before they are validated, each with its origin."""

    name: str
    file: LinedYaml
    problems: list[tuple[Path_, str]] = field(default_factory=list)
    variables: dict[Path_, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values, self.lines = self._present_names()
        self.values = _without_empty_sections(values, Settings)

    def _present_names(self) -> tuple[dict[str, Any], dict[Path_, int]]:
        """Return the file's values and lines, with renamed sections under their present name."""
        values, lines = dict(self.file.values), self.file.lines
        for former, present in RENAMED.items():
            if former not in values:
                continue
            if present in values:
                text = (
                    f"{self.name}, line {lines[former,]}: '{former}' is the former name of"
                    f" '{present}', which line {lines[present,]} sets: keep one of the two"
                )
                self.problems.append(((former,), text))
                del values[former]
                continue
            values[present] = values.pop(former)
            lines = {present_path(path): line for path, line in lines.items()}
        return values, lines

    def override(self, variables: Iterator[tuple[str, str, str]]) -> None:
        """Let environment variables (origin, name, text) override the values."""
        names: dict[Path_, str] = {}
        for origin, name, text in variables:
            path = present_path(tuple(name.removeprefix(PREFIX).lower().split("__")))
            problem = _unknown(path)
            if names.setdefault(path, name) != name:
                problem = f"sets the same key as {names[path]}: keep one of the two"
            if problem:
                self.problems.append((path, f"{origin}: {name}: {problem}"))
                continue
            try:
                value = scalar(text) if text.strip() else None
            except (yaml.YAMLError, ValueError, LookupError):
                value = text
            section = self.values
            for part in path[:-1]:
                inner = section.get(part)
                section[part] = section = inner if isinstance(inner, dict) else {}
            section[path[-1]] = value
            self.variables[path] = f"{origin}: {name}"

    def origin(self, path: Path_) -> str:
        """Return where the value at ``path``, or the nearest section around it, was set."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return self.variables[path[:length]]
            if path[:length] in self.lines:
                return f"{self.name}, line {self.lines[path[:length]]}"
        return self.name

    def order(self, path: Path_) -> int:
        """Return a sort key: the line in the file; variables come after the file."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines and path[:length] not in self.variables:
                return self.lines[path[:length]]
        return 1_000_000

    def origins(self) -> dict[str, str]:
        """Return the origin of each key that was set, under its dotted name."""
        paths = [*self.lines, *self.variables]
        return {".".join(map(str, path)): self.origin(path) for path in paths}


def present_path(path: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the path of a key with its section under the present name.

    >>> present_path(("rollout", "shadow_hours"))
    ('challenger', 'shadow_hours')
    """
    return (RENAMED.get(path[0], path[0]), *path[1:]) if path else path


def _without_empty_sections(values: dict[str, Any], kind: type[Section]) -> dict[str, Any]:
    """Return values in which an empty section (all keys commented out) is ``{}``."""
    kept: dict[str, Any] = {}
    for name, value in values.items():
        inner = section_of(kind, name)
        if inner is None:
            kept[name] = value
        elif value is None:
            kept[name] = {}
        else:
            kept[name] = _without_empty_sections(value, inner) if isinstance(value, dict) else value
    return kept


def changed_settings(
    settings: Settings, assignment: str, others: Mapping[str, object] | None = None
) -> tuple[str, Settings]:
    """Return the key of ``KEY=VALUE``, and the settings with that value.

    others : values by key that other settings have, with which it must go together.

    Raises UserError with the nearest key for one that is unknown, or with what is wrong with the
    value.
    """
    name, equals, text = assignment.partition("=")
    path = present_path(tuple(name.strip().split(".")))
    if not equals or not text.strip():
        raise UserError(f"'{assignment}': write KEY=VALUE, such as risk.daily_loss_limit=0.03")
    problem = _unknown(path)
    if problem:
        raise UserError(problem)
    values = settings.model_dump(mode="json")
    for key, value in (others or {}).items():
        _put(values, key.split("."), value)
    try:
        _put(values, path, scalar(text.strip()))
    except (yaml.YAMLError, ValueError, LookupError):
        _put(values, path, text.strip())
    try:
        changed = Settings.model_validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        raise UserError("; ".join(one_line(text) for _, text in explain(error))) from None
    return ".".join(path), changed


def _put(values: dict[str, Any], path: Sequence[str], value: object) -> None:
    for part in path[:-1]:
        values = values[part]
    values[path[-1]] = value


def section_of(kind: type[Section], name: str) -> type[Section] | None:
    """Return the class of the section ``name`` of ``kind``; None where it is a plain value."""
    declared = kind.model_fields.get(name)
    inner = declared.annotation if declared else None
    return inner if isinstance(inner, type) and issubclass(inner, Section) else None


def _unknown(path: tuple[str, ...]) -> str | None:
    """Return what is wrong with the path of a key; None for the path of a value."""
    kind: type[Section] | None = Settings
    for depth, name in enumerate(path):
        if kind is None:
            return f"'{'.'.join(path[:depth])}' is a value and has no keys"
        if name not in kind.model_fields:
            return nearest(path[: depth + 1])
        kind = section_of(kind, name)
    return f"'{'.'.join(path)}' is a section: name one of its keys" if kind else None


def _dotenv(path: Path) -> Iterator[tuple[str, str, str]]:
    if not path.is_file():
        return
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(read_text(path))):
        origin = f"{path.name}, line {binding.original.line}"
        if binding.error:
            raise UserError(f"{origin}: a line must be NAME=value, or a comment after '#'")
        if binding.key and _is_setting(binding.key):
            yield origin, binding.key, binding.value or ""


def _process(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, value in sorted(environ.items()):
        if _is_setting(name):
            yield "environment", name, value


def _is_setting(name: str) -> bool:
    rest = name.removeprefix(PREFIX)
    known = rest.lower() in Settings.model_fields or rest.lower() in RENAMED
    return rest != name and ("__" in rest or known)
