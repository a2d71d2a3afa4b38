"""Settings from ``ares.yaml``, ``.env`` and the environment; every mistake with its place.

The later wins: default, ``ares.yaml``, ``.env`` beside it, process environment. A variable is
named ``ARES_`` and the key's path with two underscores: ``ARES_RISK__DAILY_LOSS_LIMIT=0.03``.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Mapping
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
"""Variables of settings begin with this; those of a nested key hold two underscores as well."""


class SettingsError(UserError):
    """One or more mistakes in the settings; the message is the first, ``problems`` are all."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        more = len(problems) - 1
        tail = f" (and {more} more: `ares config check` lists them)" if more else ""
        super().__init__(problems[0] + tail)
        self.problems = problems  # each is one line


@dataclass(frozen=True)
class LoadedSettings:
    """Settings and, for each key that was set, its place: ``ares.yaml, line 12``."""

    settings: Settings
    places: Mapping[str, str]


def load_settings(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of ``path``; raise UserMistake naming the line of what is wrong.

    environ : stands for the process environment (the default).
    """
    return load(path, environ).settings


def load(path: Path, environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """Return the settings of ``path`` and their places; raise SettingsMistake with all mistakes."""
    draft = _Draft(path.name, LinedYaml(read_text(path), path.name))
    draft.override(_dotenv(path.parent / ".env"))
    draft.override(_process(os.environ if environ is None else environ))
    try:
        settings = Settings.model_validate_json(json.dumps(draft.values, default=str), strict=True)
    except ValidationError as error:
        draft.problems += [
            (place, f"{draft.place(place)}: {text}") for place, text in explain(error)
        ]
    if draft.problems:
        ordered = sorted(draft.problems, key=lambda problem: draft.order(problem[0]))
        raise SettingsError(tuple(dict.fromkeys(one_line(text) for _, text in ordered)))
    return LoadedSettings(settings, draft.places())


@dataclass
class _Draft:
    """Values on their way to be settings, each with its place."""

    name: str
    file: LinedYaml
    problems: list[tuple[Path_, str]] = field(default_factory=list)
    variables: dict[Path_, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.values = _without_empty_sections(self.file.values, Settings)

    def override(self, variables: Iterator[tuple[str, str, str]]) -> None:
        """Lay environment variables (place, name, text) over the values."""
        for place, name, text in variables:
            path = tuple(name.removeprefix(PREFIX).lower().split("__"))
            problem = _unknown(path)
            if problem:
                self.problems.append((path, f"{place}: {name}: {problem}"))
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
            self.variables[path] = f"{place}: {name}"

    def place(self, path: Path_) -> str:
        """Return where the value at ``path`` was set, or the nearest thing around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.variables:
                return self.variables[path[:length]]
            if path[:length] in self.file.lines:
                return f"{self.name}, line {self.file.lines[path[:length]]}"
        return self.name

    def order(self, path: Path_) -> int:
        """Return a rank: by line in the file, variables after it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.file.lines and path[:length] not in self.variables:
                return self.file.lines[path[:length]]
        return 1_000_000

    def places(self) -> dict[str, str]:
        """Return the place of each key that was set, under its dotted name."""
        paths = [*self.file.lines, *self.variables]
        return {".".join(map(str, path)): self.place(path) for path in paths}


def _without_empty_sections(values: dict[str, Any], kind: type[Section]) -> dict[str, Any]:
    """Return values where a section with nothing in it (all keys commented out) is ``{}``."""
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


def section_of(kind: type[Section], name: str) -> type[Section] | None:
    """Return the section that the key ``name`` of ``kind`` is, None where it is a plain value."""
    declared = kind.model_fields.get(name)
    inner = declared.annotation if declared else None
    return inner if isinstance(inner, type) and issubclass(inner, Section) else None


def _unknown(path: tuple[str, ...]) -> str | None:
    """Return what is wrong with a key's path, None where it is a key that holds a value."""
    kind: type[Section] | None = Settings
    for place, name in enumerate(path):
        if kind is None:
            return f"'{'.'.join(path[:place])}' is a value and has no keys"
        if name not in kind.model_fields:
            return nearest(path[: place + 1])
        kind = section_of(kind, name)
    return f"'{'.'.join(path)}' is a section: name one of its keys" if kind else None


def _dotenv(path: Path) -> Iterator[tuple[str, str, str]]:
    if not path.is_file():
        return
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(read_text(path))):
        place = f"{path.name}, line {binding.original.line}"
        if binding.error:
            raise UserError(f"{place}: a line must be NAME=value, or a comment after '#'")
        if binding.key and _is_setting(binding.key):
            yield place, binding.key, binding.value or ""


def _process(environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, value in sorted(environ.items()):
        if _is_setting(name):
            yield "environment", name, value


def _is_setting(name: str) -> bool:
    rest = name.removeprefix(PREFIX)
    return rest != name and ("__" in rest or rest.lower() in Settings.model_fields)
