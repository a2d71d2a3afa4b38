"""YAML with the line number of every key and value, for error messages."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.reader import ReaderError

from ares.domain.errors import UserError

Path_ = tuple[str | int, ...]
"""Keys and list indices from the root to a value."""

DEPTH_MAX = 20
"""Limit of nesting: a YAML alias may refer to itself."""


class LinedYaml:
    """The values of a YAML text and, for each path, its line (1 is the first).

    values : dict, list, str, int, float, bool, None; ``{}`` of an empty text.
    lines  : ``{("risk", "daily_loss_limit"): 42, ("symbols", 0): 7}``.

    Raises UserError where the text is not a YAML mapping, or a key is set twice.
    """

    def __init__(self, text: str, name: str) -> None:
        self.lines: dict[Path_, int] = {}
        self._name = name
        try:
            loader = _Yaml(text)
            root = loader.get_single_node()
            if root is not None and not isinstance(root, yaml.MappingNode):
                raise self._error(root, "not a settings file: write lines such as 'key: value'")
            self.values: dict[str, Any] = {} if root is None else self._read(loader, root, ())
        except yaml.MarkedYAMLError as error:
            raise UserError(_syntax(error, text, name)) from None
        except ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise UserError(
                f"{name}, line {line}: a control character (code {error.character}): remove it"
            ) from None

    def _read(self, loader: _Yaml, node: yaml.Node, path: Path_) -> Any:
        if len(path) > DEPTH_MAX:
            raise self._error(node, "nested too deep")
        if isinstance(node, yaml.MappingNode):
            return self._read_mapping(loader, node, path)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.lines[*path, index] = item.start_mark.line + 1
            return [self._read(loader, item, (*path, n)) for n, item in enumerate(node.value)]
        try:
            return cast(Any, loader).construct_object(node)
        except (ValueError, LookupError):  # a tag that does not fit: !!int abc
            raise self._error(node, f"'{node.value}' does not fit its tag {node.tag}") from None

    def _read_mapping(self, loader: _Yaml, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, "a key must be one word")
            name = str(key_node.value)
            line = key_node.start_mark.line + 1
            if name in values:
                first = self.lines[*path, name]
                raise self._error(
                    key_node, f"'{name}' was already set in line {first}: keep one of the two"
                )
            self.lines[*path, name] = line
            values[name] = self._read(loader, value_node, (*path, name))
        return values

    def _error(self, node: yaml.Node, text: str) -> UserError:
        return UserError(one_line(f"{self._name}, line {node.start_mark.line + 1}: {text}"))


def one_line(text: str) -> str:
    """Return ``text`` on one line: a key or value may contain line breaks."""
    return " ".join(text.split())


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file; raise UserError where that fails."""
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file: run `ares init`") from None
    except (IsADirectoryError, NotADirectoryError):
        raise UserError(f"{path} is a folder: a file is expected") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path.name}, line {line}: not UTF-8 text: save the file in that encoding"
        ) from None


def scalar(text: str) -> Any:
    """Return the value of one YAML expression in an environment variable."""
    return yaml.load(text, Loader=_Yaml)


class _Yaml(yaml.SafeLoader):
    """YAML in which 1e-3 is a number, and 10:30 and 2023-01-01 are texts."""


_OWN_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float", "tag:yaml.org,2002:timestamp")
_Yaml.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _OWN_NUMBERS]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:int", re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$"), list("-+0123456789")
)
_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"[-+]?(?:(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))$|\.nan$"
    ),
    list("-+0123456789."),
)


def _syntax(error: yaml.MarkedYAMLError, text: str, name: str) -> str:
    """Return one line for an error of the YAML parser, without jargon of YAML."""
    problem = error.problem or "not readable as YAML"
    mark = error.problem_mark
    if "end of stream" in problem or "stream end" in problem:
        mark = error.context_mark or mark
        problem = "a quote or bracket is opened here and never closed"
    elif "'\\t'" in problem:
        problem = "a tab: indent with spaces"
    elif "mapping values are not allowed" in problem:
        problem = "an unexpected ':': check the indentation, or put the text in quotes"
    elif "could not find expected ':'" in problem:
        mark = error.context_mark or mark
        problem = "a line without ':': write 'key: value'"
    elif "single document" in (error.context or ""):
        problem = "a second document starts ('---'): one file holds one set of settings"
    else:
        problem = f"not readable as YAML ({problem}): check indentation, quotes and brackets"
    line = min(mark.line, text.count("\n")) + 1 if mark else 1
    return one_line(f"{name}, line {line}: {problem}")
