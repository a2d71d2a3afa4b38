"""What a user's module may not do: files, sockets, processes, the clock, random numbers.

While a module is imported, and while one of its functions is called, Python's audit hook refuses
what reaches outside. Clock and random numbers raise no audit event, so the source is searched for
them, and the test of determinism (``ares.learn.leakage``) finds what the search does not. This
finds mistakes; it is no protection from code that means harm.
"""

from __future__ import annotations

import ast
import functools
import os
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from ares.kernel.jit import use_cache_folder

T = TypeVar("T")

REFUSED_IMPORTS = {
    "the clock": ("time", "sched"),
    "random numbers": ("random", "secrets", "uuid"),
    "files": (
        *("os", "io", "pathlib", "shutil", "tempfile", "glob", "pickle", "shelve", "sqlite3"),
        *("polars", "pyarrow", "sqlalchemy"),
    ),
    "the network": (
        *("socket", "ssl", "asyncio", "urllib", "http", "ftplib", "smtplib", "requests", "httpx"),
        *("aiohttp", "ccxt"),
    ),
    "other processes": ("subprocess", "multiprocessing", "ctypes", "threading", "concurrent"),
    "Python itself": ("importlib", "builtins", "sys", "gc"),
}
"""What a module reaches outside with -> the names of modules that it may not import."""

REFUSED_CALLS = {
    "now": "the clock",
    "utcnow": "the clock",
    "today": "the clock",
    "random": "random numbers",
    "default_rng": "random numbers",
}
"""Names of attributes -> what they reach."""

REFUSED_NAMES = {"open": "files", "input": "files", "__import__": "Python itself",
                 "eval": "Python itself", "exec": "Python itself"}  # fmt: skip

EVENTS = (
    ("socket.", "the network"),
    ("urllib.", "the network"),
    ("http.", "the network"),
    ("ftplib.", "the network"),
    ("smtplib.", "the network"),
    ("subprocess.", "other processes"),
    ("os.system", "other processes"),
    ("os.exec", "other processes"),
    ("os.posix_spawn", "other processes"),
    ("os.spawn", "other processes"),
    ("os.fork", "other processes"),
    ("pty.", "other processes"),
    ("sqlite3.", "files"),
    ("os.remove", "files"),
    ("os.rmdir", "files"),
    ("os.truncate", "files"),
    ("shutil.", "files"),
    ("time.sleep", "the clock"),
)
"""Beginnings of audit events -> what they reach."""

CODE_SUFFIXES = (".py", ".pyc", ".pyi", ".so", ".pyd", ".dylib", ".dll", ".nbi", ".nbc", ".pth")
ADVICE = "it may use only the bars that it is given; data from outside are external series"


class ImpureError(Exception):
    """A user's module reached outside."""


class _State(threading.local):
    """Whether a user's code runs in this thread, and what it was refused."""

    depth = 0
    refused: str | None = None


_state = _State()
_lock = threading.Lock()
_is_hooked = False


def pure(function: Callable[..., T]) -> Callable[..., T]:
    """Return the function as one that is refused everything outside of its arguments.

    Raises ImpureError, also where the function swallows it.
    """
    _hook()

    @functools.wraps(function)
    def guarded(*args: Any, **named: Any) -> T:
        refused = None
        _state.depth += 1
        try:
            found = function(*args, **named)
        finally:
            _state.depth -= 1
            if _state.depth == 0:
                refused, _state.refused = _state.refused, None
        if refused is not None:
            raise ImpureError(refused)
        return found

    return guarded


@contextmanager
def guarded_import() -> Iterator[None]:
    """Refuse what reaches outside while a user's module is executed."""
    _hook()
    _state.depth += 1
    try:
        yield
    finally:
        _state.depth -= 1
        refused, _state.refused = _state.refused, None
    if refused is not None:
        raise ImpureError(refused)


def require_pure_source(source: bytes | str) -> None:
    """Raise ImpureError naming the line where a module's source reaches outside.

    Raises SyntaxError where it cannot be parsed.
    """
    for node in ast.walk(ast.parse(source)):
        for name in _imported(node):
            if name.startswith("numpy.random"):
                raise ImpureError(_text(f"imports {name}", "random numbers", node))
            for what, modules in REFUSED_IMPORTS.items():
                if name.partition(".")[0] in modules:
                    raise ImpureError(_text(f"imports {name}", what, node))
        if isinstance(node, ast.Attribute) and node.attr in REFUSED_CALLS:
            raise ImpureError(_text(f"uses .{node.attr}", REFUSED_CALLS[node.attr], node))
        if isinstance(node, ast.Name) and node.id in REFUSED_NAMES:
            raise ImpureError(_text(f"uses {node.id}", REFUSED_NAMES[node.id], node))
        if isinstance(node, ast.Constant) and node.value in ("now", "today"):
            raise ImpureError(_text(f"uses '{node.value}'", "the clock", node))


def _imported(node: ast.AST) -> list[str]:
    """Return the modules that a statement imports, and what it imports from them."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        names = [node.module]
        if node.module == "numpy":
            names += [f"numpy.{alias.name}" for alias in node.names]
        return names
    return []


def _text(how: str, what: str, node: Any) -> str:
    return f"line {node.lineno} {how} ({what}): {ADVICE} (docs/SERIES.md)"


def _hook() -> None:
    """Add the audit hook, once in a process: it cannot be removed."""
    global _is_hooked  # noqa: PLW0603 - as the hook itself
    _installed()
    with _lock:
        if not _is_hooked:
            sys.addaudithook(_audit)
            _is_hooked = True


def _audit(event: str, args: tuple[Any, ...]) -> None:
    """Refuse an event while a user's code runs in this thread."""
    if not _state.depth:
        return
    if event == "open":
        path = args[0]
        if isinstance(path, str | bytes) and not _is_code(os.fsdecode(path)):
            _refuse(f"opens {Path(os.fsdecode(path)).name} (files)")
        return
    for beginning, what in EVENTS:
        if event.startswith(beginning):
            _refuse(f"reaches outside: {event} ({what})")


def _refuse(what: str) -> None:
    _state.refused = f"{what}: {ADVICE} (docs/SERIES.md)"
    raise ImpureError(_state.refused)


def _is_code(path: str) -> bool:
    """Return whether a file is one that imports and compiled functions read or write."""
    if path.endswith(CODE_SUFFIXES) or ".pyc." in path or path == os.devnull:
        return True
    return path.startswith(_installed())


@functools.cache
def _installed() -> tuple[str, ...]:
    """Return the folders of Python, its packages and compiled functions."""
    paths = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix}
    paths |= {str(use_cache_folder())}
    return tuple(sorted({os.path.realpath(path) for path in paths} | paths))
