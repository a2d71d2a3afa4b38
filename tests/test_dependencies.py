"""pyproject's runtime dependencies are what src imports: no more, no fewer."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
OF_ANOTHER = {"pydantic_core": "pydantic"}
"""Modules imported by the name of a distribution that pins them to itself."""


def imported() -> set[str]:
    """Return the top-level modules that any statement in src imports, at whatever depth."""
    names: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names.add(node.module.partition(".")[0])
    only_for_types = {"_typeshed"}  # of the type checker itself, never imported when run
    return names - set(sys.stdlib_module_names) - only_for_types - {"ares"}


def declared() -> set[str]:
    """Return the names of the runtime dependencies, normalised."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.match(r"[\w.-]+", line) for line in project["dependencies"]]
    return {_normal(match.group()) for match in names if match}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_runtime_dependency_is_imported_and_every_import_declared() -> None:
    owners = packages_distributions()
    used = set()
    for module in imported():
        candidates = {_normal(name) for name in owners.get(OF_ANOTHER.get(module, module), [])}
        assert candidates, f"{module} is imported, but no installed distribution provides it"
        used.add(next(iter(sorted(candidates & declared())), f"{module} ({sorted(candidates)})"))
    assert used == declared()
