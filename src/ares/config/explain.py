"""One sentence for each invalid setting: its value, what is expected, the nearest valid key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import ValidationError

from ares.config.fields import Section
from ares.config.settings import Settings
from ares.config.yaml_lines import Path_

EXPECTED = {
    "float": "a number",
    "int": "a whole number",
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list such as [a, b]",
    "list": "a list such as [a, b]",
    "model": "a section with keys of its own",
    "finite": "a finite number",
}
"""The first word of pydantic's error type -> what to write."""


def explain(error: ValidationError) -> list[tuple[Path_, str]]:
    """Return (path, sentence) for each error; errors caused by another one are left out."""
    found: list[tuple[Path_, str]] = []
    for item in error.errors(include_url=False):
        at = item.get("ctx", {}).get("at", ())
        found.append(((*item["loc"], *at), _sentence(dict(item))))
    paths = [path for path, _ in found]
    mistyped = {path[:-1] for path, text in found if text.startswith("unknown key")}
    found = [(p, t) for p, t in found if not (t.endswith("is missing") and p[:-1] in mistyped)]
    return [
        (path, text)
        for path, text in found
        if not any(other != path and other[: len(path)] == path for other in paths)
    ]


def nearest(path: Path_) -> str:
    """Return the sentence about an unknown key: the nearest valid key, or all of the section.

    >>> nearest(("risk", "daily_los_limit"))
    "unknown key 'risk.daily_los_limit': did you mean 'daily_loss_limit'?"
    """
    name = str(path[-1])
    keys = _sibling_keys(path)
    unknown = f"unknown key '{dotted(path)}'"
    close = get_close_matches(name, keys, n=1, cutoff=0.6)
    close = close or [key for key in keys if len(name) > 2 and key.startswith(name)]
    if close:
        return f"{unknown}: did you mean '{close[0]}'?"
    elsewhere = {full.rpartition(".")[2]: full for full in all_keys()}
    close = get_close_matches(name, list(elsewhere), n=1, cutoff=0.8)
    if close:
        return f"{unknown}: did you mean '{elsewhere[close[0]]}'?"
    return f"{unknown}: use one of {', '.join(keys)}"


def all_keys(kind: type[Section] = Settings, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every key and section."""
    for name, declared in kind.model_fields.items():
        yield prefix + name
        inner = declared.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from all_keys(inner, f"{prefix}{name}.")


def dotted(path: Path_) -> str:
    """Return a path in dotted form: ``timeframes.intervals[0].weight``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _sibling_keys(path: Path_) -> list[str]:
    """Return the valid keys of the section that ``path`` ends in."""
    kind: Any = Settings
    for part in path[:-1]:
        if isinstance(part, int):
            continue
        inner = kind.model_fields[part].annotation
        kind = next((a for a in get_args(inner) if isinstance(a, type)), inner)
    return list(kind.model_fields)


def _sentence(item: dict[str, Any]) -> str:
    path, kind, context = item["loc"], item["type"], item.get("ctx", {})
    name = f"'{dotted(path)}'"
    if kind == "extra_forbidden":
        return nearest(path)
    if kind == "missing":
        return f"{name} is missing"
    if kind == "ares":
        text = str(context["text"])
        return text if text.startswith("'") else f"'{dotted((*path, *context['at']))}' {text}"
    value = _shown(item["input"])
    if kind in ("literal_error", "enum"):
        return f"{name} is {value}: it must be {context['expected']}"
    if kind == "string_pattern_mismatch":
        return f"{name} is {value}: it must match {context['pattern']}"
    if kind == "too_short":
        return f"{name} is empty: it needs at least {context['min_length']} entry"
    bounds = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}
    for bound, words in bounds.items():
        if bound in context:
            return f"{name} is {value}: it must be {words} {context[bound]:g}"
    expected = EXPECTED.get(kind.partition("_")[0])
    if expected:
        return f"{name} is {value}: {expected} is expected"
    return f"{name} is {value}: {item['msg'][0].lower()}{item['msg'][1:]}"


def _shown(value: object) -> str:
    """Return a value as in YAML, shortened where it is long."""
    if isinstance(value, dict):
        return "a section"
    text = "empty" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:37] + "..."
