"""The hash of code: unchanged by words and layout, changed by meaning, equal on every Python."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ares
from ares.domain import code_hash
from ares.domain.code_hash import dump, folders_hash, source_hash

SOURCES = Path(ares.__file__).parent
GOLDEN = Path(__file__).parent / "code_hash_golden.json"
SAMPLE = '''"""A module."""
import numpy as np

LIMIT: int = 3
"""What the limit is."""


class Thing:
    """A class."""

    size: int = 1
    """An attribute."""

    def grow(self, by: float = 1.5, *more: int, up: bool = True) -> "Thing":
        """A method."""
        if by > 1 and up:
            return self
        for one in more:
            by += one  # a comment
        return Thing()


@np.vectorize
def use(x, /, y):
    return [a + b for a, b in zip(x, y) if not a] or {**x, "k": -y[1:2]}
'''

SAME = {
    "comment": ("x = 1", "x = 1  # one"),
    "comment lines": ("if x:\n    y = 1", "# a\nif x:  # b\n    # c\n    y = 1\n# d"),
    "type comment": ("x = []", "x = []  # type: list[int]"),
    "type ignore": ("x = []", "x = []  # type: ignore"),
    "module docstring": ("x = 1", '"""Words."""\nx = 1'),
    "other docstring": ('"""One."""\nx = 1', '"""Two."""\nx = 1'),
    "function docstring": ("def f():\n return 1", 'def f():\n "Words."\n return 1'),
    "async docstring": ("async def f():\n return 1", 'async def f():\n "Words."\n return 1'),
    "class docstring": ("class A:\n x = 1", 'class A:\n r"""W"""\n x = 1'),
    "attribute docstring": ("x = 1\ny = 2", "x = 1\n'''About x.'''\ny = 2"),
    "string in a block": ("if x:\n y = 1", 'if x:\n "a"\n y = 1\n "b"'),
    "only a docstring": ("class A:\n pass", 'class A:\n "Words."'),
    "only strings": ("def f():\n pass", 'def f():\n "a"\n "b"\n "c" "d"'),
    "strings in all blocks": (
        "try:\n x()\nexcept E:\n pass\nelse:\n pass\nfinally:\n pass",
        'try:\n "a"\n x()\nexcept E:\n "b"\nelse:\n "c"\nfinally:\n "d"',
    ),
    "string in a case": ("match x:\n case 1:\n  pass", 'match x:\n case 1:\n  "one"'),
    "quotes": ("x = 'a'", 'x = """a"""'),
    "escapes": (r"x = '\x41'", "x = 'A'"),
    "raw": (r"x = '\\d'", r"x = r'\d'"),
    "u prefix": ("x = 'a'", "x = u'a'"),
    "joined strings": ("x = 'ab'", "x = ('a'\n     'b')"),
    "joined f-strings": ("x = f'ab{c}de'", "x = 'a' f'b{c}' 'd' f'' 'e' ''"),
    "f-string quotes": ("x = f'{a!r:>{n}}'", 'x = f"""{ a !r:>{ n }}"""'),
    "f-string braces": ("x = f'{{a}}{b}'", "x = '{a}' f'{b}'"),
    "parentheses": ("x = a + b * c", "x = (a + (b * (c)))"),
    "tuple": ("x = a, b", "x = (a, b,)"),
    "spaces": ("x=f(a,b)[1:2]", "x  =  f( a, b ) [ 1 : 2 ]"),
    "lines": ("x = a + b", "x = a \\\n + b"),
    "semicolons": ("x = 1\ny = 2", "x = 1; y = 2;"),
    "indentation": ("if x:\n y = 1", "if x:\n        y = 1\n\n\n"),
    "one line": ("if x: y = 1", "if x:\n    y = 1"),
    "number notation": ("x = 1000, 0.1, 255", "x = 1_000, 1e-1, 0xFF"),
    "with parentheses": ("with a as b, c: pass", "with (a as b, c,):\n pass"),
    "identifier": ("x = ﬁ", "x = fi"),  # Python itself reads both as "fi"
    "elif": ("if a: pass\nelif b: pass", "if a: pass\nelse:\n if b: pass"),
    "line ends": ("x = 1\ny = 2\n", "x = 1\r\ny = 2\r\n"),
}

DIFFERENT = {
    "operator": ("x = a + b", "x = a - b"),
    "shift": ("x = a >> b", "x = a << b"),
    "division": ("x = a / b", "x = a // b"),
    "comparison": ("x = a < b", "x = a <= b"),
    "chain": ("x = a < b < c", "x = (a < b) < c"),
    "identity": ("x = a is b", "x = a == b"),
    "boolean": ("x = a and b", "x = a or b"),
    "unary": ("x = -a", "x = +a"),
    "not": ("x = not a in b", "x = ~a in b"),
    "precedence": ("x = a + b * c", "x = (a + b) * c"),
    "associativity": ("x = a - b - c", "x = a - (b - c)"),
    "augmented": ("x += 1", "x -= 1"),
    "name": ("x = a", "x = b"),
    "attribute": ("x = a.b", "x = a.c"),
    "case": ("x = a", "X = a"),
    "int and float": ("x = 1", "x = 1.0"),
    "int and bool": ("x = 1", "x = True"),
    "int and str": ("x = 1", "x = '1'"),
    "int and complex": ("x = 1.0", "x = 1j"),
    "str and bytes": ("x = 'a'", "x = b'a'"),
    "str and name": ("x = 'a'", "x = a"),
    "none and str": ("x = None", "x = 'None'"),
    "none and ellipsis": ("x = None", "x = ..."),
    "none and nothing": ("return_ = yield", "return_ = yield None"),
    "return": ("def f(): return", "def f(): return None"),
    "zero": ("x = 0.0", "x = -0.0"),
    "near floats": ("x = 0.1", "x = 0.10000000000000002"),
    "infinity": ("x = 1e999", "x = 1e308"),
    "large int": ("x = 2**64", "x = 18446744073709551616"),
    "text": ("x = 'a'", "x = 'A'"),
    "space in text": ("x = 'a b'", "x = 'a  b'"),
    "surrogate": (r"x = '\ud800'", r"x = '\ud801'"),
    "default": ("def f(a=1): pass", "def f(a=2): pass"),
    "no default": ("def f(a, b=1): pass", "def f(a, b): pass"),
    "keyword default": ("def f(*, a, b=1): pass", "def f(*, a=1, b): pass"),
    "keyword only": ("def f(a, b): pass", "def f(a, *, b): pass"),
    "positional only": ("def f(a, b): pass", "def f(a, /, b): pass"),
    "stars": ("def f(*a): pass", "def f(**a): pass"),
    "annotation": ("def f(a: int): pass", "def f(a: float): pass"),
    "returned type": ("def f() -> int: pass", "def f(): pass"),
    "string annotation": ("x: 'int' = 1", "x: int = 1"),
    "decorator": ("@a\ndef f(): pass", "@b\ndef f(): pass"),
    "no decorator": ("@a\ndef f(): pass", "def f(): pass"),
    "decorators": ("@a\n@b\ndef f(): pass", "@b\n@a\ndef f(): pass"),
    "order": ("x = 1\ny = 2", "y = 2\nx = 1"),
    "statement": ("x = 1\ny = 2", "x = 1"),
    "block": ("if a:\n x()\n y()", "if a:\n x()\ny()"),
    "else": ("for a in b: pass\nelse: x()", "for a in b: x()\nelse: pass"),
    "while": ("while a: pass", "if a: pass"),
    "async": ("async def f(): pass", "def f(): pass"),
    "async comprehension": (
        "async def f(): return [a async for a in b]",
        "async def f(): return [a for a in b]",
    ),
    "await": ("async def f(): await a", "async def f(): a"),
    "yield from": ("def f(): yield from a", "def f(): yield a"),
    "comprehension": ("x = [a for a in b]", "x = {a for a in b}"),
    "generator": ("x = [a for a in b]", "x = [(a for a in b)]"),
    "condition": ("x = [a for a in b if c]", "x = [a for a in b if d]"),
    "conditions": ("x = [a for a in b if c if d]", "x = [a for a in b if (c and d)]"),
    "list and tuple": ("x = [a]", "x = (a,)"),
    "empty": ("x = []", "x = ()"),
    "dict and set": ("x = {}", "x = {*()}"),
    "dict keys": ("x = {a: b}", "x = {**b}"),
    "dict order": ("x = {a: b, **c}", "x = {**c, a: b}"),
    "slice": ("x = a[1:]", "x = a[:1]"),
    "slice and tuple": ("x = a[1:2]", "x = a[1, 2]"),
    "slice of none": ("x = a[:]", "x = a[None:]"),
    "call": ("f(a)", "f(*a)"),
    "keyword": ("f(a=b)", "f(**b)"),
    "keyword name": ("f(a=b)", "f(c=b)"),
    "lambda": ("x = lambda a: a", "x = lambda a, b: a"),
    "walrus": ("(x := a)", "x = a"),
    "conditional": ("x = a if b else c", "x = c if b else a"),
    "star target": ("a, *b = c", "*a, b = c"),
    "simple annotation": ("x: int", "(x): int"),
    "import": ("import a", "import b"),
    "import as": ("import a", "import a as b"),
    "import from": ("from a import b", "from .a import b"),
    "import star": ("from a import *", "from a import b"),
    "global": ("def f():\n global x", "def f():\n nonlocal x"),
    "del": ("del x", "x"),
    "assert": ("assert a", "assert a, b"),
    "raise": ("raise a", "raise a from None"),
    "except": ("try: a\nexcept E: b", "try: a\nexcept F: b"),
    "except name": ("try: a\nexcept E: b", "try: a\nexcept E as e: b"),
    "except group": ("try: a\nexcept E: b", "try: a\nexcept* E: b"),
    "finally": ("try: a\nfinally: b", "try: a\nexcept: b"),
    "with": ("with a: pass", "with a as b: pass"),
    "base": ("class A(B): pass", "class A(C): pass"),
    "metaclass": ("class A(B): pass", "class A(metaclass=B): pass"),
    "f-string": ("x = f'{a}'", "x = f'{b}'"),
    "f-string text": ("x = f'a{b}'", "x = f'{b}a'"),
    "f-string conversion": ("x = f'{a!r}'", "x = f'{a!s}'"),
    "f-string format": ("x = f'{a:>9}'", "x = f'{a:<9}'"),
    "f-string nested": ("x = f'{a:{b}}'", "x = f'{a:b}'"),
    "f-string self": ("x = f'{a=}'", "x = f'{a}'"),
    "f-string and text": ("x = f'{a}'", "x = '{a}'"),
    "bytes statement": ("b'a'", "b'b'"),
    "number statement": ("1", "2"),
    "ellipsis statement": ("def f(): ...", "def f(): 1"),
    "match value": ("match x:\n case 1: a", "match x:\n case 2: a"),
    "match singleton": ("match x:\n case None: a", "match x:\n case True: a"),
    "match capture": ("match x:\n case a: a", "match x:\n case _: a"),
    "match guard": ("match x:\n case a if b: a", "match x:\n case a: a"),
    "match star": ("match x:\n case [a, *b]: a", "match x:\n case [a, *_]: a"),
    "match rest": ("match x:\n case {'a': b, **c}: a", "match x:\n case {'a': b}: a"),
    "match class": ("match x:\n case A(b): a", "match x:\n case A(b=b): a"),
    "match or": ("match x:\n case 1 | 2: a", "match x:\n case [1, 2]: a"),
    "match as": ("match x:\n case 1 as b: a", "match x:\n case 1: a"),
}


@pytest.mark.parametrize("name", SAME)
def test_words_and_layout_do_not_count(name: str) -> None:
    one, other = SAME[name]
    assert dump(one) == dump(other)
    assert source_hash(one) == source_hash(other)


@pytest.mark.parametrize("name", DIFFERENT)
def test_every_change_of_meaning_counts(name: str) -> None:
    one, other = DIFFERENT[name]
    assert dump(one) != dump(other)
    assert source_hash(one) != source_hash(other)


def test_no_two_snippets_share_a_hash() -> None:
    snippets = {text for pair in DIFFERENT.values() for text in pair}
    assert len({source_hash(text) for text in snippets}) == len(snippets)


def test_snippets_have_the_hashes_they_have_always_had() -> None:
    """A changed digest invalidates what users have: runs, verdicts, exports, their features."""
    golden = json.loads(GOLDEN.read_text())
    assert {text: source_hash(text) for text in golden} == golden
    assert {text for pair in [*SAME.values(), *DIFFERENT.values()] for text in pair} <= set(golden)


def test_the_dump_is_as_described() -> None:
    assert dump("def f(a=None):\n '''Words.'''\n return a - 1.5  # so") == (
        b"(Module.body[(FunctionDef.args(arguments.args[(arg.argstr1:a)]"
        b".defaults[(Constant.valueNoneType0:)]).body[(Return.value(BinOp.left(Name.idstr1:a)"
        b".op(Sub).right(Constant.valuefloat20:0x1.8000000000000p+0)))].namestr1:f)])"
    )


@given(st.lists(st.tuples(st.integers(0, 99), st.text("ab#'\\ {}é", max_size=8)), max_size=8))
def test_a_comment_or_a_string_anywhere_changes_nothing(added: list[tuple[int, str]]) -> None:
    lines = SAMPLE.splitlines()
    for number, text in added:
        place = number % len(lines)
        if '"""' not in lines[place]:
            indent = lines[place][: len(lines[place]) - len(lines[place].lstrip())]
            ends_a_statement = lines[place].strip() and lines[place][-1] not in ":e"
            more = f"\n{indent}{text!r}" if ends_a_statement else ""
            lines[place] += f"  # {text}{more}" if "#" not in lines[place] else ""
    assert source_hash("\n".join(lines)) == source_hash(SAMPLE)


CONSTANTS = st.one_of(
    st.none(), st.booleans(), st.just(...), st.integers(0), st.binary(max_size=4),
    st.text(max_size=4), st.floats(0, allow_nan=False, allow_infinity=False),
    st.floats(0, 1e9).map(lambda x: complex(0, x)),
)  # fmt: skip


@given(CONSTANTS, CONSTANTS)
def test_constants_share_a_hash_only_where_they_are_the_same(one: object, other: object) -> None:
    same = type(one) is type(other) and repr(one) == repr(other)
    texts = [f"x = {'...' if value is ... else repr(value)}" for value in (one, other)]
    assert (source_hash(texts[0]) == source_hash(texts[1])) == same


@given(st.data())
def test_any_node_that_is_changed_changes_the_hash(data: st.DataObject) -> None:
    tree = ast.parse(SAMPLE)
    nodes = [node for node in ast.walk(tree) if _changed(node)]
    node = data.draw(st.sampled_from(range(len(nodes))))
    for name, value in _changed(nodes[node]).items():
        setattr(nodes[node], name, value)
    assert source_hash(ast.unparse(tree)) != source_hash(SAMPLE)


def _changed(node: ast.AST) -> dict[str, object]:
    """Return the fields that give a node another meaning; none where it is not one of these."""
    match node:
        case ast.Name():
            return {"id": node.id + "_"}
        case ast.Attribute():
            return {"attr": node.attr + "_"}
        case ast.arg():
            return {"arg": node.arg + "_"}
        case ast.FunctionDef() | ast.ClassDef():
            return {"name": node.name + "_"}
        case ast.alias():
            return {"name": node.name + "_"}
        case ast.BinOp() | ast.AugAssign():
            return {"op": ast.MatMult()}
        case ast.BoolOp():
            return {"op": ast.Or() if isinstance(node.op, ast.And) else ast.And()}
        case ast.Compare():
            return {"ops": [ast.NotIn()]}
        case ast.UnaryOp():
            return {"op": ast.Invert()}
        case ast.Constant() if not isinstance(node.value, str):
            return {"value": (node.value or 0) * 2 + 1}  # type: ignore[operator]  # numbers, None and ... only
        case _:
            return {}


def test_long_and_deep_code_is_hashed() -> None:
    long = "x = " + " + ".join(["a"] * 250)
    assert source_hash(long) != source_hash(long + " + a")
    chain = "if a: pass\n" + "elif b: pass\n" * 200
    assert source_hash(chain) != source_hash(chain + "else: x()\n")


@pytest.mark.parametrize("source", ["def f(:", b"x = '\xff'", "x = 1\n  y = 2"])
def test_what_is_no_python_raises(source: str | bytes) -> None:
    with pytest.raises(SyntaxError):
        source_hash(source)


def test_a_declared_encoding_is_read() -> None:
    latin = "# -*- coding: latin-1 -*-\nx = 'é'\n"
    assert source_hash(latin.encode("latin-1")) == source_hash("x = 'é'")


def test_a_folder_is_its_files_with_their_paths(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one.py").write_text("x = 1\n")
    (tmp_path / "a" / "b" / "two.py").write_text("y = 2\n")
    first = folders_hash(tmp_path, ["a"])
    (tmp_path / "a" / "one.py").write_text('"""Words."""\nx = 1  # one\n')
    (tmp_path / "a" / "data.txt").write_text("no code\n")
    assert folders_hash(tmp_path, ["a"]) == first
    (tmp_path / "a" / "b" / "two.py").write_text("y = 3\n")
    assert folders_hash(tmp_path, ["a"]) != first
    (tmp_path / "a" / "b" / "two.py").write_text("y = 2\n")
    (tmp_path / "a" / "b" / "two.py").rename(tmp_path / "a" / "two.py")
    assert folders_hash(tmp_path, ["a"]) != first


def test_no_layout_of_our_own_sources_counts() -> None:
    """``ast.unparse`` writes the tree without comments, with other quotes and line breaks."""
    for path in sorted((SOURCES / "domain").rglob("*.py")):
        source = path.read_bytes()
        assert source_hash(ast.unparse(ast.parse(source))) == source_hash(source), path.name


OTHER_PYTHON = """
import importlib.util, json, pathlib, sys
spec = importlib.util.spec_from_file_location("code_hash", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
golden = json.loads(pathlib.Path(sys.argv[2]).read_text(encoding="utf-8"))
root = pathlib.Path(sys.argv[3])
print(json.dumps({
    "version": sys.version_info[:2],
    "snippets": {text: module.source_hash(text) for text in golden},
    "files": {str(p.relative_to(root)): module.source_hash(p.read_bytes())
              for p in sorted(root.rglob("*.py"))},
}))
"""


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_gives_the_same_hashes(version: str) -> None:
    python = _python(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    command = [python, "-I", "-W", "ignore", "-c", textwrap.dedent(OTHER_PYTHON)]
    done = subprocess.run(
        [*command, str(code_hash.__file__), str(GOLDEN), str(SOURCES)],
        capture_output=True, encoding="utf-8", check=True,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert ".".join(map(str, found["version"])) == version
    assert found["snippets"] == json.loads(GOLDEN.read_text(encoding="utf-8"))
    files = sorted(SOURCES.rglob("*.py"))
    assert len(files) > 200
    assert found["files"] == {
        str(path.relative_to(SOURCES)): source_hash(path.read_bytes()) for path in files
    }


def _python(version: str) -> str | None:
    """Return a working interpreter of a version: of the path, or of pyenv."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}")]
    found += [str(path) for path in sorted(versions.glob(f"{version}*/bin/python"))]
    for python in found:
        if python is None:
            continue
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:  # a shim of pyenv may stand for no Python at all
            return python
    return None
