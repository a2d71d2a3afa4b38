"""Exports of models: a package or an ensemble as one ``.zip`` file or folder, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

import msgspec

from ares.adapters.archive import BYTES_MAX, read_zip, require_plain, zip_bytes
from ares.adapters.card_file import package_of
from ares.adapters.durable import write_file, write_folder
from ares.adapters.model_store import ModelStore, verified
from ares.domain.errors import ExternalError, UserError
from ares.domain.formats import EXPORT_FORMAT
from ares.domain.manifest import HISTORY_FILE, MANIFEST_FILE, EnsembleHistory, Manifest
from ares.domain.model import Ensemble
from ares.domain.package import CARD_FILE, Package, sha256

T = TypeVar("T")

ENSEMBLE_FILE = "ensemble.json"


@dataclass(frozen=True, slots=True)
class Bundle:
    """Packages, and the ensemble of them where one was exported.

    manifest : the export's list of its files; None: the export of an early version.
    history  : verdicts and trials that were exported too.
    others   : the remaining files, by name: those of the verdicts.
    """

    packages: tuple[Package, ...]
    ensemble: Ensemble | None = None
    manifest: Manifest | None = None
    history: EnsembleHistory = field(default_factory=EnsembleHistory)
    others: Mapping[str, bytes] = field(default_factory=dict)


OTHER_ARCHIVES = (".gz", ".tgz", ".tar", ".bz2", ".xz", ".zst", ".7z", ".rar", ".onnx")

Companions = Callable[[Bundle, Mapping[str, bytes]], Mapping[str, bytes]]
"""From a bundle and its files to further files of the export."""


def export(
    store: ModelStore,
    ref: str,
    target: Path,
    companions: Companions = lambda _bundle, _files: {},
) -> Bundle:
    """Write the model of a reference to ``target``: a zip file where that ends in ``.zip``, else a
    new folder.

    A package's files are at the top; an ensemble has a folder for each member, and its own file.
    Raises UserError where the target exists, or is named like another kind of archive.
    """
    if target.name.lower().endswith(OTHER_ARCHIVES):
        raise UserError(f"{target}: write a name that ends in .zip, or the name of a new folder")
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
        raise UserError(f"{target}: exists already; choose another name")
    files |= companions(bundle, files)
    if target.suffix.lower() == ".zip":
        write_file(target, zip_bytes(files))
    else:
        _write_tree(target, files)
    return bundle


def read_bundle(path: Path) -> Bundle:
    """Return the verified models of an exported zip or folder; nothing is stored yet.

    Raises UserError where the path holds no models, ExternalError where they are damaged.
    """
    files = read_zip(path) if path.is_file() else _read_tree(path)
    manifest = _manifest(files, path)
    cards = [name for name in files if PurePosixPath(name).name == CARD_FILE]
    if not cards:
        raise UserError(f"{path}: holds no {CARD_FILE}; wanted an export, or an .onnx file")
    packages = tuple(_package(files, name, path) for name in sorted(cards))
    ensemble = _ensemble(files, packages, path)
    history = EnsembleHistory()
    if manifest is not None and HISTORY_FILE in files:
        history = _decoded(files[HISTORY_FILE], EnsembleHistory, f"{path}: {HISTORY_FILE}")
    known = {MANIFEST_FILE, HISTORY_FILE, ENSEMBLE_FILE}
    for name in cards:
        known |= {str(PurePosixPath(name).parent / part) for part in _names(files, name, packages)}
    others = {name: content for name, content in files.items() if name not in known}
    return Bundle(packages, ensemble, manifest, history, others)


def install(store: ModelStore, bundle: Bundle) -> None:
    """Store the models of a bundle; those that are stored already stay as they are."""
    for package in bundle.packages:
        store.adopt(package)
    if bundle.ensemble is not None:
        store.save_ensemble(bundle.ensemble)


class _Header(msgspec.Struct):
    format: int = 1


def _manifest(files: Mapping[str, bytes], path: Path) -> Manifest | None:
    """Return the manifest of an export, every file compared with it."""
    if MANIFEST_FILE not in files:
        return None
    where = f"{path}: {MANIFEST_FILE}"
    header: _Header = _decoded(files[MANIFEST_FILE], _Header, where)
    if header.format != EXPORT_FORMAT:
        raise UserError(
            f"{where}: has format {header.format}, this version of Ares reads {EXPORT_FORMAT}: "
            "export with this version"
        )
    manifest: Manifest = _decoded(files[MANIFEST_FILE], Manifest, where)
    there = set(files) - {MANIFEST_FILE}
    for name in sorted(there ^ set(manifest.files)):
        wrong = "is not listed" if name in there else "is missing"
        raise ExternalError(f"{where}: {name} {wrong}: get a complete copy, or export again")
    for name, expected in manifest.files.items():
        if sha256(files[name]) != expected:
            raise ExternalError(
                f"{path}: {name} is damaged (its SHA-256 is not the one in {MANIFEST_FILE}): get "
                "a complete copy, or export again"
            )
    return manifest


def _decoded(content: bytes, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ExternalError(f"{where}: cannot be read ({error})") from None


def _package(files: Mapping[str, bytes], card_name: str, path: Path) -> Package:
    read = package_of(files[card_name], {}, f"{path}: {card_name}")
    folder, names = PurePosixPath(card_name).parent, read.card.files
    found = {name: files[str(folder / name)] for name in names if str(folder / name) in files}
    return verified(Package(read.card, found, read.card_content), str(path))


def _names(
    files: Mapping[str, bytes], card_name: str, packages: tuple[Package, ...]
) -> tuple[str, ...]:
    """Return the names of the files of the package that has this card."""
    package_hash = sha256(files[card_name])
    return (CARD_FILE, *(name for p in packages if p.hash == package_hash for name in p.files))


def _ensemble(
    files: Mapping[str, bytes], packages: tuple[Package, ...], path: Path
) -> Ensemble | None:
    if ENSEMBLE_FILE not in files:
        return None
    ensemble: Ensemble = _decoded(files[ENSEMBLE_FILE], Ensemble, f"{path}: {ENSEMBLE_FILE}")
    missing = {member.package_hash for member in ensemble.members} - {p.hash for p in packages}
    if missing:
        raise ExternalError(f"{path}: {len(missing)} of its ensemble's packages are not in it")
    return ensemble


def _files(package: Package) -> dict[str, bytes]:
    return {CARD_FILE: package.content, **package.files}


def _read_tree(path: Path) -> dict[str, bytes]:
    if not path.is_dir():
        raise UserError(f"{path}: there is no such file or folder")
    found = sorted(path.rglob("*"))
    links = [file for file in found if file.is_symlink()]
    if links:
        raise UserError(f"{links[0]}: is a link; an export holds only files")
    found = [file for file in found if file.is_file()]
    if sum(file.stat().st_size for file in found) > BYTES_MAX:
        raise UserError(f"{path}: holds over {BYTES_MAX >> 20} MB; an export never does")
    for file in found:
        require_plain(file.relative_to(path).as_posix(), str(path))
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in found}


def _write_tree(target: Path, files: Mapping[str, bytes]) -> None:
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
