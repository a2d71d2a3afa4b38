"""Numba's ``njit`` as the kernel uses it: cached by a hash of the kernel's sources, never fastmath.

Numba's on-disk cache does not notice an edit in another module (a wrong result was reproduced),
so the cache folder carries a hash of every kernel source file. Import ``njit`` from here only.
Importing makes no folder: the cache is opened when a function is compiled for the first time.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np
from numba.core import caching
from numba.core import config as numba_config
from numba.np import numpy_support

from ares.domain.code_hash import folders_hash

F = TypeVar("F", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")


@cache
def kernel_hash() -> str:
    """Return the hash of what the kernel's code does, the same on every Python and Numba."""
    return folders_hash(Path(__file__).parent, ["."])


@cache
def use_cache_folder() -> Path:
    """Return the writable folder of this kernel's machine code, made at the first call.

    Its name changes with the kernel's source text and with the versions that compile it. That is
    more often than ``kernel_hash``: a needless compilation costs a minute, a missed one a wrong
    number.
    """
    digest = hashlib.sha256(f"{sys.version} {numba.__version__}".encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.name.encode())
        digest.update(path.read_bytes())
    folder = _writable(f"kernel-{digest.hexdigest()[:16]}")
    setattr(numba_config, "CACHE_DIR", str(folder))  # noqa: B010 - numba declares no setting
    return folder


def _writable(name: str) -> Path:
    for parent in (Path.home() / ".cache", Path(tempfile.gettempdir())):
        folder = parent / "ares" / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
        except OSError:
            continue
        return folder
    return Path(tempfile.mkdtemp(prefix="ares-kernel-"))


def njit(function: F) -> F:
    """Compile ``function`` to machine code: cached, one thread, strict floating point.

    A division by zero gives inf or nan as in NumPy, instead of raising as in Python. The function
    allocates nothing, so that it needs none of Numba's reference counts: features, which hand
    slices of arrays on at each bar, take half the time without them (measured).
    """
    return _compiled(function)


def allocating(function: F) -> F:
    """Compile a function that allocates arrays, as ``njit`` otherwise."""
    return _compiled(function, _nrt=True)


def inlined(function: F) -> F:
    """Compile a function into whoever calls it.

    Without Numba's reference counts and the cost of a call per bar, the trade half runs 28 times
    as fast (242 ns a bar against 9, measured); the price is larger machine code.
    """
    return _compiled(function, forceinline=True)


def bind(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Callable[P, R]:
    """Return ``function`` compiled for arguments of these types, to be called with such only.

    Numba looks up the type of each argument at each call: of 16 structured arrays in 4.1 us, in
    tuples in 17 us, measured. The bound function takes 1.0 us either way. It checks no types:
    call it with the arrays it was bound to, or others of the same type and layout.
    """
    if kwargs:
        raise TypeError("a bound function takes its arguments by position")
    dispatcher: Any = function
    compiled: Callable[P, R] = dispatcher.compile(tuple(_type_of(value) for value in args))
    return compiled


def _type_of(value: object) -> Any:
    """Return Numba's type of an argument, as ``numba.typeof`` does.

    Types of arrays are kept: Numba makes those of the kernel's records anew for each array, and
    needs 30 ms for the functions of one engine.
    """
    untyped: Any = numba  # it declares no types
    if isinstance(value, tuple):
        return untyped.types.BaseTuple.from_types([_type_of(v) for v in value], type(value))
    if type(value) is np.ndarray:
        layout = numpy_support.map_layout(value)
        return _array_type(value.dtype, value.ndim, layout, not value.flags.writeable)
    return untyped.typeof(value)


@cache
def _array_type(dtype: np.dtype[Any], ndim: int, layout: str, readonly: bool) -> Any:
    untyped: Any = numba
    return untyped.types.Array(numpy_support.from_dtype(dtype), ndim, layout, readonly=readonly)


def _compiled(function: F, **more: Any) -> F:
    options: dict[str, Any] = {"fastmath": False, "nogil": True, "_nrt": False, **more}
    compiled = numba.njit(error_model="numpy", **options)(function)
    compiled._cache = _LazyCache(function)
    return cast(F, compiled)


class _LazyCache(caching._Cache):
    """The on-disk cache of one function, opened at its first compilation.

    ``njit(cache=True)`` would make folders when the function is defined, that is at import.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    @cached_property
    def _opened(self) -> Any:
        use_cache_folder()
        function_cache: Any = caching.FunctionCache  # Numba declares no types
        return function_cache(self._function)

    @property
    def cache_path(self) -> str:
        """Return the folder of the function's machine code."""
        return str(self._opened.cache_path)

    def load_overload(self, sig: object, target_context: object) -> Any:
        """Return the machine code of a signature; None where it is not in the cache."""
        return self._opened.load_overload(sig, target_context)

    def save_overload(self, sig: object, data: object) -> None:
        """Save the machine code of a signature."""
        self._opened.save_overload(sig, data)

    def enable(self) -> None:
        """Load and save from now on."""
        self._opened.enable()

    def disable(self) -> None:
        """Neither load nor save any more."""
        self._opened.disable()

    def flush(self) -> None:
        """Delete the cached machine code of the function."""
        self._opened.flush()
