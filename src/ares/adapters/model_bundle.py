"""Models on their way: a package or an ensemble as one ``.zip`` or folder, and back in again."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from ares.adapters.durable import write_file, write_folder
from ares.adapters.model_store import ModelStore, parse_card, verified
from ares.domain.errors import UserMistake, WorldTrouble
from ares.domain.model import Ensemble
from ares.domain.package import CARD_FILE, Package, card_bytes

ENSEMBLE_FILE = "ensemble.json"
BYTES_MAX = 512 * 1024 * 1024
"""More than this in one bundle is not read: a package is a few hundred kilobytes."""

ZIP_DATE = (1980, 1, 1, 0, 0, 0)
"""One date for every entry: the same models give the same bytes."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Packages, with the ensemble they make where one was exported."""

    packages: tuple[Package, ...]
    ensemble: Ensemble | None = None


def export(store: ModelStore, ref: str, target: Path) -> Bundle:
    """Write what ``ref`` names to ``target``: a zip file where it ends so, else a new folder.

    A package's files lie at the top; an ensemble has a folder for each member beside its own file.
    Raises UserMistake where the target exists.
    """
    named = store.resolve(ref)
    if isinstance(named, Package):
        bundle = Bundle((named,))
        files = _files(named)
    else:
        bundle = Bundle(tuple(store.member(member) for member in named.members), named)
        files = {ENSEMBLE_FILE: msgspec.json.encode(named, order="sorted")}
        for package in bundle.packages:
            folder = f"{package.card.name}/{package.card.version}"
            files |= {f"{folder}/{name}": content for name, content in _files(package).items()}
    if target.exists():
        raise UserMistake(f"{target}: exists already; choose another name")
    if target.suffix.lower() == ".zip":
        write_file(target, _zipped(files))
    else:
        _write_tree(target, files)
    return bundle


def read_bundle(path: Path) -> Bundle:
    """Return the verified models of an exported zip or folder; nothing is stored yet.

    Raises UserMistake where the path holds no models, WorldTrouble where they are damaged.
    """
    files = _unzipped(path) if path.is_file() else _read_tree(path)
    cards = [name for name in files if PurePosixPath(name).name == CARD_FILE]
    if not cards:
        raise UserMistake(f"{path}: holds no {CARD_FILE}; wanted an export, or an .onnx file")
    packages = tuple(_package(files, name, path) for name in sorted(cards))
    return Bundle(packages, _ensemble(files, packages, path))


def install(store: ModelStore, bundle: Bundle) -> None:
    """Store the models of a bundle; those that are there already stay as they are."""
    for package in bundle.packages:
        store.adopt(package)
    if bundle.ensemble is not None:
        store.save_ensemble(bundle.ensemble)


def _package(files: dict[str, bytes], card_name: str, path: Path) -> Package:
    card = parse_card(files[card_name], f"{path}: {card_name}")
    folder = PurePosixPath(card_name).parent
    found = {name: files[str(folder / name)] for name in card.files if str(folder / name) in files}
    return verified(Package(card, found), str(path))


def _ensemble(
    files: dict[str, bytes], packages: tuple[Package, ...], path: Path
) -> Ensemble | None:
    if ENSEMBLE_FILE not in files:
        return None
    try:
        ensemble = msgspec.json.decode(files[ENSEMBLE_FILE], type=Ensemble)
    except msgspec.DecodeError as error:
        raise WorldTrouble(f"{path}: {ENSEMBLE_FILE} is no ensemble ({error})") from None
    missing = {member.package_hash for member in ensemble.members} - {p.hash for p in packages}
    if missing:
        raise WorldTrouble(f"{path}: {len(missing)} of its ensemble's packages are not in it")
    return ensemble


def _files(package: Package) -> dict[str, bytes]:
    return {CARD_FILE: card_bytes(package.card), **package.files}


def _zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), files[name], zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _unzipped(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if sum(entry.file_size for entry in entries) > BYTES_MAX:
                raise UserMistake(f"{path}: unpacks to over {BYTES_MAX >> 20} MB; no export does")
            return {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        if isinstance(error, FileNotFoundError):
            raise UserMistake(f"{path}: there is no such file") from None
        raise UserMistake(f"{path}: is no whole zip file ({error})") from None


def _read_tree(path: Path) -> dict[str, bytes]:
    if not path.is_dir():
        raise UserMistake(f"{path}: there is no such file or folder")
    found = [file for file in sorted(path.rglob("*")) if file.is_file()]
    if sum(file.stat().st_size for file in found) > BYTES_MAX:
        raise UserMistake(f"{path}: holds over {BYTES_MAX >> 20} MB; no export does")
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in found}


def _write_tree(target: Path, files: dict[str, bytes]) -> None:
    flat = {name: content for name, content in files.items() if "/" not in name}
    for name in sorted({str(PurePosixPath(name).parent) for name in files} - {"."}):
        part = {
            PurePosixPath(entry).name: content
            for entry, content in files.items()
            if str(PurePosixPath(entry).parent) == name
        }
        write_folder(target / name, part)
    if not target.exists():
        write_folder(target, flat)
        return
    for name, content in flat.items():
        write_file(target / name, content)
