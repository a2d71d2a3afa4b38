"""Holds the names in src/ares to standard terms: no metaphor in a name, no two classes of one name.

Run by ``make lint``. Names are read from the syntax tree: modules, classes, functions, arguments,
variables, attributes, keyword arguments. Texts are not read. In tests and bench only the words are
checked that may be no part of a name.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).parents[1]
ROOT = REPOSITORY / "src" / "ares"

INSTEAD = {
    "evaluate, evaluator": "court courts hear hears heard hearing unheard deaf",
    "scores, outputs": "witness testimony testimonies voice voiced voices spoken said says",
    "learner": "teacher pupil pupils school taught teach lesson lessons",
    "known, in_sample": "told untold",
    "request, runner": "desk",
    "promote, champion": "crown crowned",
    "what it does: reset, ignore": "forgive forgiven",
    "unknown": "stranger strangers nonsense",
    "parity": "lean leans",
    "slot, assigned": "seat seats seated",
    "stage": "station stations",
    "require": "insist insists",
    "local, remote; stored, offered": "mine theirs ours",
    "equity, value": "worth",
    "ablation, other": "beside",
    "error": "mistake mistakes trouble",
    "account": "till",
}
"""What to write instead -> words that may be no part of a name."""

WHOLE = {
    "what it is: instrument, package, row": "one",
    "row, index, position": "place places",
    "what it holds: requested, limit": "asked",
}
"""What to write instead -> words that may be no name by themselves."""


class Problem(NamedTuple):
    """A name that is not allowed."""

    path: Path
    line: int
    name: str
    text: str

    def __str__(self) -> str:
        """Return the problem as a linter prints it."""
        return f"{self.path}:{self.line}: {self.name}: {self.text}"


def main() -> int:
    """Print every problem; return 1 where there is one."""
    found = [*old_words(ROOT), *same_classes(ROOT)]
    for folder in ("tests", "bench"):
        found += old_words(REPOSITORY / folder, whole={})
    for problem in found:
        print(problem)
    return 1 if found else 0


def old_words(root: Path, whole: Mapping[str, str] = WHOLE) -> list[Problem]:
    """Return the names with a word that is not allowed, by file and line.

    whole : what to write instead -> words that may be no name by themselves.
    """
    parts = _by_word(INSTEAD)
    alone = _by_word(whole)
    found = []
    for path in sorted(root.rglob("*.py")):
        seen = {(0, path.stem)} | set(_names(ast.parse(path.read_text(encoding="utf-8"))))
        for line, name in sorted(seen):
            instead = alone.get(name.strip("_")) or next(
                (parts[word] for word in split(name) if word in parts), None
            )
            if instead:
                found.append(Problem(path.relative_to(root), line, name, f"write {instead}"))
    return found


def same_classes(root: Path) -> list[Problem]:
    """Return the public classes whose name another module has too."""
    defined: dict[str, list[tuple[Path, int]]] = defaultdict(list)
    for path in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append((path.relative_to(root), node.lineno))
    return [
        Problem(path, line, name, f"is a class of {others[0][0]} too")
        for name, (*others, (path, line)) in defined.items()
        if others
    ]


def split(name: str) -> list[str]:
    """Return the words of a name in snake or camel case.

    >>> split("said_bps"), split("EnsembleScores"), split("SAID_EDGE")
    (['said', 'bps'], ['ensemble', 'scores'], ['said', 'edge'])
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def _by_word(instead: Mapping[str, str]) -> dict[str, str]:
    return {word: text for text, listed in instead.items() for word in listed.split()}


def _names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield (line, name) of everything that has a name of its own; imports are others' names."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield node.lineno, name
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield node.lineno, name
            case ast.arg(arg=name) | ast.keyword(arg=str(name)) | ast.alias(asname=str(name)):
                yield node.lineno, name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield node.lineno, name


if __name__ == "__main__":
    sys.exit(main())
