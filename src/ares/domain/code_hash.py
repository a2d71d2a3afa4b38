"""The hash of what source code does: of its syntax tree, not of its text.

Comments, docstrings, formatting, quotes and redundant parentheses do not change the hash. Any name,
operator, constant, default, decorator or order of statements does. The dump of the tree is defined
here and not by ``ast.dump``, whose output differs between Python 3.11, 3.12 and 3.13.

The dump, as bytes:

- a node is ``(`` its class, its fields in alphabetical order as ``.name`` and a value, then ``)``.
- A list is ``[`` its items ``]``; a text, number or constant is its type, its length and itself.
- A field that is absent (None or an empty list) is left out, so that a field which a later Python
  adds changes no hash of code that does not use it.
- Left out always: ``ctx`` (given by the place in the tree), ``kind`` (``u""`` is ``""``),
  ``type_comment`` and ``type_ignores`` (comments).
- An expression statement that is a string constant is left out, wherever it is. A block that
  holds nothing else is ``pass``.
- In an f-string adjacent texts are joined and empty ones left out; an empty format is no format.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

IGNORED_FIELDS = frozenset({"ctx", "kind", "type_comment", "type_ignores"})


def source_hash(source: bytes | str) -> str:
    """Return the SHA-256 of what a module's source does.

    Raises SyntaxError or ValueError where the source cannot be parsed.

    >>> source_hash("x = 1  # one") == source_hash("'''Words.'''\\nx = (1)")
    True
    >>> source_hash("x = 1") == source_hash("x = 1.0")
    False
    """
    digest = hashlib.sha256()
    for part in _dump(ast.parse(source)):
        digest.update(part)
    return digest.hexdigest()


def folders_hash(root: Path, folders: Iterable[str]) -> str:
    """Return the hash of what all Python files under ``root / folder`` do, and of their paths."""
    digest = hashlib.sha256()
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            digest.update(f"{name}\n{source_hash(path.read_bytes())}\n".encode())
    return digest.hexdigest()


def dump(source: bytes | str) -> bytes:
    """Return the dump of which ``source_hash`` is the hash, for tests and for looking at it."""
    return b"".join(_dump(ast.parse(source)))


def _dump(tree: ast.AST) -> Iterator[bytes]:
    """Yield the dump in parts; with a stack of its own, since long chains nest deeply."""
    waiting: list[object] = [tree]
    while waiting:
        item = waiting.pop()
        if isinstance(item, bytes):
            yield item
        elif isinstance(item, ast.AST):
            waiting += reversed(_node(item))
        elif isinstance(item, list):
            waiting += [b"]", *reversed(item), b"["]
        else:
            yield _constant(item)


def _node(node: ast.AST) -> list[object]:
    """Return the parts of a node's dump: those that are ready as bytes, others as they are."""
    parts: list[object] = [b"(" + type(node).__name__.encode()]
    for name in _field_names(type(node).__name__):
        value = _meaningful(node, name)
        if name == "value" and isinstance(node, ast.Constant | ast.MatchSingleton):
            value = _constant(value)
        elif value is None or value == []:
            continue
        parts += [b"." + name.encode(), value]
    return [*parts, b")"]


@cache
def _field_names(node_class: str) -> list[str]:
    return sorted(set(getattr(ast, node_class)._fields) - IGNORED_FIELDS)


def _meaningful(node: ast.AST, name: str) -> object:
    """Return a field's value without what has no meaning."""
    value = getattr(node, name, None)
    if isinstance(node, ast.JoinedStr) and name == "values":
        return _joined(node.values)
    if isinstance(node, ast.FormattedValue) and isinstance(value, ast.JoinedStr):
        return value if _joined(value.values) else None
    if isinstance(value, list) and any(_is_bare_string(item) for item in value):
        return [item for item in value if not _is_bare_string(item)] or [ast.Pass()]
    return value


def _is_bare_string(item: object) -> bool:
    return (
        isinstance(item, ast.Expr)
        and isinstance(item.value, ast.Constant)
        and isinstance(item.value.value, str)
    )


def _joined(values: list[ast.expr]) -> list[object]:
    """Return the parts of an f-string, its neighbouring texts joined, without empty ones."""
    parts: list[object] = []
    text = ""
    for value in values:
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            text += value.value
            continue
        parts += [ast.Constant(text), value] if text else [value]
        text = ""
    return [*parts, ast.Constant(text)] if text else parts


def _constant(value: object) -> bytes:
    """Return a constant's type, length and content, so that no two constants share a dump."""
    match value:
        case str():
            content = value.encode("utf-8", "surrogatepass")
        case bytes():
            content = value
        case bool():
            content = repr(value).encode()
        case int():
            content = format(value, "x").encode()  # a decimal text may be too long for Python
        case float():
            content = value.hex().encode()
        case complex():
            content = value.imag.hex().encode()  # the syntax knows no other real part than 0
        case _ if value is None or value is ...:
            content = b""
        case _:
            raise TypeError(f"no constant of Python's syntax: {value!r}")
    return f"{type(value).__name__}{len(content)}:".encode() + content
