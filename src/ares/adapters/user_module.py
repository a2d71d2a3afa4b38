"""Loads a user's feature module: executes it, hashes its code, checks its features.

The form of such a module is documented in ``ares.kernel.features.user``.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from ares.adapters.purity import ImpureError, guarded_import, pure, require_pure_source
from ares.domain.code_hash import source_hash
from ares.domain.errors import UserError
from ares.kernel.features.catalogue import FEATURE_NAMES
from ares.kernel.features.user import WARMUP_BARS_MAX, UserFeature, UserFeatures
from ares.kernel.jit import use_cache_folder


def load_user_features(module: str, folder: Path | None = None) -> UserFeatures:
    """Return the features that a module defines, or raise UserError with what is wrong in it.

    module : a file (``my_features.py``) or a module's dotted name.
    folder : to which a relative file, or a module that is not installed, is relative.
    """
    use_cache_folder()  # the module may compile functions
    loaded, code_hash = _imported(module, folder or Path())
    found = tuple(feature for feature in vars(loaded).values() if isinstance(feature, UserFeature))
    file_name = Path(loaded.__file__ or module).name
    if not found:
        raise UserError(
            f"features.module '{module}' has no feature: mark functions with "
            "@ares.kernel.features.user.feature(warmup_bars=...)"
        )
    for feature in found:
        _check(feature, file_name, [other.name for other in found])
    guarded = tuple(replace(feature, function=pure(feature.function)) for feature in found)
    return UserFeatures(guarded, file_name, code_hash)


def _check(feature: UserFeature, file_name: str, names: list[str]) -> None:
    """Raise UserError where a feature's name is taken or its warmup is out of range."""
    if feature.name in FEATURE_NAMES or names.count(feature.name) > 1:
        raise UserError(
            f"feature '{feature.name}' of {file_name}: the name is taken: choose another"
        )
    bars = feature.warmup_bars
    if type(bars) is not int or not 1 <= bars <= WARMUP_BARS_MAX:
        raise UserError(
            f"feature '{feature.name}' of {file_name}: warmup_bars is {bars!r}: "
            f"give a whole number from 1 to {WARMUP_BARS_MAX}"
        )


def _imported(module: str, folder: Path) -> tuple[ModuleType, str]:
    """Return the executed module and the hash of its code."""
    file = folder / (module if module.endswith(".py") else module.replace(".", "/") + ".py")
    if not file.is_file() and (module.endswith(".py") or not _installed(module)):
        raise UserError(f"features.module '{module}': there is no file {file} and no such module")
    try:
        if file.is_file():
            return _executed(file)
        loaded = _imported_by_name(module)
        return loaded, _hash_of_installed(loaded)
    except Exception as error:
        raise load_problem(f"features.module '{module}'", error) from error


def load_problem(where: str, error: Exception) -> UserError:
    """Return the one line that says why a module of the user cannot be executed.

    where : names it.
    """
    if isinstance(error, ImpureError):
        return UserError(f"{where}: {error}")
    if isinstance(error, ModuleNotFoundError):
        return UserError(f"{where} needs '{error.name}': install it")
    steps = traceback.extract_tb(error.__traceback__)
    line = error.lineno if isinstance(error, SyntaxError) else steps[-1].lineno
    return UserError(f"{where} cannot be loaded: {type(error).__name__}: {error} (line {line})")


def _imported_by_name(module: str) -> ModuleType:
    """Import a module that is installed, refused what a file of the workspace is refused."""
    with guarded_import():
        loaded = importlib.import_module(module)
    if loaded.__file__ is not None and loaded.__file__.endswith(".py"):
        require_pure_source(Path(loaded.__file__).read_bytes())
    return loaded


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _hash_of_installed(loaded: ModuleType) -> str:
    """Return the hash of an imported module; of its bytes if it is not Python source."""
    if loaded.__file__ is None:
        return hashlib.sha256(loaded.__name__.encode()).hexdigest()
    content = Path(loaded.__file__).read_bytes()
    is_source = loaded.__file__.endswith(".py")
    return source_hash(content) if is_source else hashlib.sha256(content).hexdigest()


def _executed(file: Path) -> tuple[ModuleType, str]:
    """Execute the bytes that are hashed: an import might use an older compiled file."""
    source = file.read_bytes()
    return executed_source(source, str(file)), source_hash(source)


def executed_source(source: bytes, path: str) -> ModuleType:
    """Return the module of a source; raise what it raises, ImpureError where it reaches outside.

    path : of its file, for tracebacks.
    """
    name = "ares_user_" + hashlib.sha256(path.encode() + source).hexdigest()[:12]
    loaded = ModuleType(name)
    loaded.__file__ = path
    sys.modules[name] = loaded  # dataclasses look up their module here
    try:
        code = compile(source, path, "exec")
        require_pure_source(source)
        with guarded_import():
            exec(code, vars(loaded))
    except BaseException:
        del sys.modules[name]
        raise
    return loaded
