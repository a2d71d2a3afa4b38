"""Imports ccxt for one venue alone: what must act within two seconds cannot wait for the others.

ccxt's packages import every venue: 1.1 s of processor time and 100 MB, where one takes a third. In
a process that acts in an emergency they are replaced by packages that import what is asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType

PACKAGES = {"ccxt": "base", "ccxt.async_support": "async_support/base", "ccxt.pro": ""}
"""Package -> where its own ``Exchange`` is, as a path below ccxt."""


def import_one(venue: str) -> None:
    """Import the streaming class of a venue; nothing happens where ccxt was imported already."""
    found = importlib.util.find_spec("ccxt") if "ccxt" not in sys.modules else None
    if found is None or not found.submodule_search_locations:
        return
    root = found.submodule_search_locations[0]
    for name in PACKAGES:
        below = name.partition(".")[2]
        sys.modules[name] = _package(name, f"{root}/{below}" if below else root)
    ccxt = sys.modules["ccxt"]
    for name in ("async_support", "pro"):
        setattr(ccxt, name, sys.modules[f"ccxt.{name}"])
    importlib.import_module(f"ccxt.pro.{venue}")
    for name in ("ccxt.async_support", "ccxt.pro"):  # the class, as ccxt has it, not its module
        setattr(sys.modules[name], venue, getattr(sys.modules[f"{name}.{venue}"], venue))


def _package(name: str, path: str) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = [path]

    def attribute(wanted: str) -> object:
        if wanted.startswith("__"):
            raise AttributeError(wanted)
        if wanted == "Exchange":
            base = PACKAGES[name].replace("/", ".")
            return importlib.import_module(f"ccxt.{base}.exchange").Exchange
        errors = importlib.import_module("ccxt.base.errors")
        if hasattr(errors, wanted):
            return getattr(errors, wanted)
        try:
            module = importlib.import_module(f"{name}.{wanted}")
        except ModuleNotFoundError:
            raise AttributeError(f"module {name} has no attribute {wanted}") from None
        value = getattr(module, wanted, module)
        setattr(package, wanted, value)
        return value

    package.__getattr__ = attribute  # type: ignore[method-assign] # looked up on the module
    return package
