"""Zip files: one from elsewhere is read safely, and equal files are written to equal bytes."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from ares.domain.errors import UserError

BYTES_MAX = 256 * 1024 * 1024
"""A larger export is not read: a package is a few hundred kilobytes."""

ENTRIES_MAX = 2_000
NAME_MAX = 200
DEPTH_MAX = 4

DATE = (1980, 1, 1, 0, 0, 0)
"""Date of every entry, so that the same models give the same bytes."""

ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def zip_bytes(files: Mapping[str, bytes]) -> bytes:
    """Return a zip file; equal files give equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, DATE), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def read_zip(path: Path) -> dict[str, bytes]:
    """Return the files of a zip, by name; nothing is written anywhere.

    Raises UserError where it is not a complete zip file, or holds what no export holds: names that
    lead out of it, links, devices, passwords, a name twice, more than ``BYTES_MAX``.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UserError(f"{path}: is over {BYTES_MAX >> 20} MB; an export never is")
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check(entries, path)
            files = [entry for entry in entries if not _is_folder(entry)]
            return {entry.filename: _read(archive, entry, path) for entry in files}
    except FileNotFoundError:
        raise UserError(f"{path}: there is no such file") from None
    except (zipfile.BadZipFile, EOFError, OSError, zlib.error, NotImplementedError) as error:
        raise UserError(f"{path}: is not a complete zip file ({error})") from None
    except (ValueError, RuntimeError) as error:  # a broken header: dates, names, extra fields
        raise UserError(f"{path}: is not a readable zip file ({error})") from None


def require_plain(name: str, where: str) -> None:
    """Raise UserError where a name inside an archive could lead out of a folder.

    >>> require_plain("binance_BTC-USDT_1h/20230420_120000/model.onnx", "out.zip")
    >>> require_plain("../model.onnx", "out.zip")
    Traceback (most recent call last):
    ares.domain.errors.UserError: out.zip: holds a file named '../model.onnx', which leads ...
    """
    parts = name.split("/")
    bad = (
        any(part in ("", ".", "..") for part in parts)
        or len(parts) > DEPTH_MAX
        or len(name) > NAME_MAX
        or any(sign in name for sign in "\\:\0")
        or not name.isprintable()
    )
    if bad:
        shown = ascii(name[:60])
        raise UserError(
            f"{where}: holds a file named {shown}, which leads out of it: an export never "
            "does; nothing was imported"
        )


def _check(entries: list[zipfile.ZipInfo], path: Path) -> None:
    if len(entries) > ENTRIES_MAX:
        raise UserError(f"{path}: holds {len(entries)} files; an export never holds so many")
    seen: set[str] = set()
    for entry in entries:
        raw = entry.orig_filename  # as written in the file: `filename` is cut at a zero byte
        require_plain(raw.removesuffix("/") if _is_folder(entry) else raw, str(path))
        if raw in seen:
            raise UserError(f"{path}: holds '{raw}' twice; an export never does")
        seen.add(raw)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UserError(f"{path}: '{raw}' is a link or a device; an export holds only files")
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in METHODS:
            raise UserError(f"{path}: '{raw}' is encrypted, or compressed in an unknown way")
    if sum(entry.file_size for entry in entries) > BYTES_MAX:
        raise UserError(f"{path}: unpacks to over {BYTES_MAX >> 20} MB; an export never does")


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    """Like ``entry.is_dir()``, which ends in an IndexError on an entry without a name."""
    return entry.filename.endswith("/")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path) -> bytes:
    """Return an entry's bytes; never more than the size in its header."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size + 1)
    if len(content) != entry.file_size:
        raise UserError(f"{path}: '{entry.filename}' has another length than the zip file lists")
    return content
