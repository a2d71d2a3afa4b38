"""Loads a user's strategy: executes its source, hashes it, binds its parameters.

The form of such a file is documented in ``ares.kernel.features.strategy``.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path

import msgspec

from ares.adapters.purity import pure
from ares.adapters.user_module import executed_source, load_problem
from ares.domain.code_hash import source_hash
from ares.domain.errors import ExternalError, UserError
from ares.domain.package import Package
from ares.domain.strategy import SOURCE_FILE, Parameter, StrategySource, StrategySpec
from ares.kernel.features.strategy import UserStrategy
from ares.kernel.features.user import WARMUP_BARS_MAX, UserFeature, UserFeatures
from ares.kernel.jit import use_cache_folder

GIVEN = 2
"""Positional arguments that a strategy is called with: bars and features."""


class LoadedStrategy(msgspec.Struct, frozen=True):
    """A strategy that can be called.

    spec    : what it is.
    columns : its column, which behaves like one of the user's own features.
    """

    spec: StrategySpec
    columns: UserFeatures


def read_strategy(
    ref: str, folder: Path, parameters: Mapping[str, Parameter] | None = None
) -> StrategySource:
    """Return the source of a strategy.

    ref    : ``FILE:NAME``; ``FILE`` alone where it has one strategy.
    folder : of the workspace; a relative file is relative to it.

    Raises UserError where there is no such file, strategy or parameter.
    """
    file, _, name = ref.partition(":")
    path = folder / file
    try:
        source = path.read_bytes()
    except OSError as error:
        raise UserError(f"strategy '{ref}': cannot read {path} ({error.strerror})") from None
    found = _strategies(source, file)
    if not found:
        raise UserError(
            f"{file} has no strategy: mark functions with "
            "@ares.kernel.features.strategy.strategy(warmup_bars=...)"
        )
    if not name and len(found) > 1:
        raise UserError(f"{file} has {', '.join(found)}: name one of them, as {file}:{min(found)}")
    name = name or next(iter(found))
    if name not in found:
        raise UserError(f"{file} has no strategy '{name}'; it has {', '.join(found)}")
    made = StrategySource(Path(file).name, source, name, dict(parameters or {}))
    load_strategy(made)
    return made


@lru_cache(maxsize=64)
def _loaded(path: str, source: bytes, name: str, parameters: tuple[tuple[str, Parameter], ...]
) -> LoadedStrategy:  # fmt: skip
    strategy = _strategies(source, path)[name]
    bound = _parameters(strategy, dict(parameters), path)
    bars = strategy.warmup_bars
    if type(bars) is not int or not 1 <= bars <= WARMUP_BARS_MAX:
        raise UserError(
            f"strategy '{name}' of {path}: warmup_bars is {bars!r}: give a whole number from 1 to "
            f"{WARMUP_BARS_MAX}"
        )
    spec = StrategySpec(name, source_hash(source), bound)
    function = partial(pure(strategy.function), **bound)
    column = UserFeature(spec.column, bars, function, "strategy", path)
    return LoadedStrategy(spec, UserFeatures((column,), path, spec.hash))


def load_strategy(source: StrategySource) -> LoadedStrategy:
    """Return a strategy, executed once in a process; raise UserError with what is wrong in it."""
    use_cache_folder()  # the file may compile functions
    return _loaded(
        source.path, source.source, source.name, tuple(sorted(source.parameters.items()))
    )


def strategy_of(package: Package) -> StrategySource | None:
    """Return the strategy of a package; None: it has a graph.

    Raises ExternalError where its source is not the one that its card names.
    """
    spec = package.card.strategy
    if spec is None:
        return None
    source = StrategySource(
        f"{package.card.ref}/{SOURCE_FILE}", package.files[SOURCE_FILE], spec.name, spec.parameters
    )
    if load_strategy(source).spec != spec:
        raise ExternalError(
            f"{package.card.ref}: its {SOURCE_FILE} is not the strategy that its card names: "
            "restore it from an export, or add the strategy again"
        )
    return source


def columns_of_package(package: Package, user: UserFeatures | None) -> UserFeatures | None:
    """Return the columns behind the kernel's that a package was trained with: its strategy's, or
    those of the module.

    user : of the module, with or without the strategies of a run.
    """
    source = strategy_of(package)
    if source is not None:
        return load_strategy(source).columns
    return None if user is None else user.module


def with_strategies(user: UserFeatures | None, packages: list[Package]) -> UserFeatures | None:
    """Return the columns of a run: those of the module, then the score of every strategy that is
    among the packages, each once.
    """
    found: dict[str, UserFeatures] = {}
    for package in packages:
        source = strategy_of(package)
        if source is not None:
            columns = load_strategy(source).columns
            found.setdefault(columns.hash, columns)
    if not found:
        return user
    parts = (user, *(found[key] for key in sorted(found)))
    known = [part for part in parts if part is not None]
    return UserFeatures(
        tuple(feature for part in known for feature in part.features),
        " and ".join(dict.fromkeys(part.path for part in known)),
        hashlib.sha256("+".join(part.hash for part in known).encode()).hexdigest(),
        parts,
    )


def _strategies(source: bytes, path: str) -> dict[str, UserStrategy]:
    """Return the strategies that a source defines, by name."""
    try:
        module = executed_source(source, path)
    except Exception as error:
        raise load_problem(f"strategy file {path}", error) from error
    found = (value for value in vars(module).values() if isinstance(value, UserStrategy))
    return {strategy.name: strategy for strategy in found}


def _parameters(
    strategy: UserStrategy, given: Mapping[str, Parameter], path: str
) -> dict[str, Parameter]:
    """Return the values of a strategy's keyword arguments; raise UserError where they are wrong."""
    where = f"strategy '{strategy.name}' of {path}"
    arguments = list(inspect.signature(strategy.function).parameters.values())
    plain = inspect.Parameter.POSITIONAL_OR_KEYWORD
    if len(arguments) < GIVEN or any(a.kind is not plain for a in arguments[:GIVEN]):
        raise UserError(f"{where}: its first two arguments must be bars and features")
    known: dict[str, Parameter] = {}
    for argument in arguments[GIVEN:]:
        if not isinstance(argument.default, Parameter):
            raise UserError(
                f"{where}: parameter {argument.name} needs a default that is a number, a text, or "
                "True or False"
            )
        known[argument.name] = argument.default
    for name, value in given.items():
        if name not in known:
            names = ", ".join(known) or "none"
            raise UserError(f"{where} has no parameter {name}; it has {names}")
        known[name] = _like(value, known[name], f"{where}: parameter {name}")
    return known


def _like(value: Parameter, default: Parameter, where: str) -> Parameter:
    """Return a value with the type of the default: a whole number may stand for a fraction."""
    if type(value) is type(default):
        return value
    if isinstance(default, float) and type(value) is int:
        return float(value)
    raise UserError(f"{where} is {value!r}, and its default {default!r}: give the same type")
