"""A zip file that wants to do harm: refused in one line, before a byte of it is written."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ares.adapters import archive
from ares.adapters.archive import read_zip, zip_bytes
from ares.domain.errors import UserError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("archive")


def written(folder: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    path = folder / "evil.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in entries:
            out.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../up", "a/../../up", "a//b", "./a", "a\\..\\b", "C:/x", "a/b/c/d/e", "x\ny",
     "x" * 300],
)  # fmt: skip
def test_names_that_lead_elsewhere(folder: Path, name: str) -> None:
    path = written(folder, (name, b"x"))
    with pytest.raises(UserError, match="which leads out of it") as raised:
        read_zip(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices(folder: Path, kind: int) -> None:
    entry = zipfile.ZipInfo("model.json")
    entry.external_attr = (kind | 0o777) << 16
    with pytest.raises(UserError, match="is a link or a device"):
        read_zip(written(folder, (entry, b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(folder: Path) -> None:
    with pytest.raises(UserError, match="twice"):
        read_zip(written(folder, ("a", b"x"), ("a", b"y")))


def test_bombs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(folder, ("a", bytes(2_000_000)), ("b", bytes(2_000_000)))
    assert path.stat().st_size < 10_000
    monkeypatch.setattr(archive, "BYTES_MAX", 3_000_000)
    with pytest.raises(UserError, match="unpacks to over"):
        read_zip(path)
    monkeypatch.setattr(archive, "BYTES_MAX", 1_000)
    with pytest.raises(UserError, match="is over"):
        read_zip(path)
    many = written(folder, *((f"{k}", b"") for k in range(archive.ENTRIES_MAX + 1)))
    monkeypatch.setattr(archive, "BYTES_MAX", 10_000_000)
    with pytest.raises(UserError, match="holds 2001 files"):
        read_zip(many)


def test_a_header_that_promises_less_than_there_is(folder: Path) -> None:
    """A bomb that lies about its size gives no more than it promised."""
    path = written(folder, ("a", bytes(100_000)))
    raw = path.read_bytes()
    lied = raw.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lied != raw
    path.write_bytes(lied)
    with pytest.raises(UserError, match="is not a complete zip file"):
        read_zip(path)


def test_an_entry_without_a_name(folder: Path) -> None:
    """A zero byte where the name begins: the library cuts the name there, to nothing."""
    whole = zip_bytes({"b": b"graph"})
    path = folder / "nameless.zip"
    path.write_bytes(whole.replace(b"b", b"\0"))
    with pytest.raises(UserError, match="which leads out of it"):
        read_zip(path)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 400))
def test_any_damage_is_an_error_or_harmless(folder: Path, place: int, value: int, cut: int) -> None:
    whole = bytearray(zip_bytes({"a/model.json": b"card" * 20, "b": b"graph" * 30}))
    whole[place % len(whole)] = value
    path = folder / "damaged.zip"
    path.write_bytes(bytes(whole[: len(whole) - cut]))
    try:
        files = read_zip(path)
    except UserError:
        return
    assert set(files.values()) <= {b"card" * 20, b"graph" * 30}
