"""Packages and ensembles on disk: written atomically, verified whenever they are read.

Layout: ``packages/<name>/<version>/{model.onnx, model.json, training.png}`` and
``ensembles/<hash>.json``. A package's identity is the SHA-256 of its ``model.json``, which lists
that of every other file.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ares.adapters.card_file import RESTORE, package_of
from ares.adapters.durable import write_file, write_folder
from ares.domain.errors import ExternalError, UserError
from ares.domain.instrument import is_called
from ares.domain.model import Ensemble, Member
from ares.domain.package import CARD_FILE, Package, PackageCard, sha256

HASH_CHARS_MIN = 4
HASH_CHARS = 64
NAME_CHARS_MAX = 120
PROBLEMS_NAMED = 2
HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class StoredModels:
    """What is stored, newest first, with a line for each package or ensemble that is damaged.

    hashes : of the packages, in their order.
    """

    packages: tuple[PackageCard, ...]
    ensembles: tuple[Ensemble, ...]
    problems: tuple[str, ...]
    hashes: tuple[str, ...] = ()

    def of(self, instrument: str) -> list[Ensemble]:
        """Return an instrument's ensembles by rank, each newest first."""
        return sorted((e for e in self.ensembles if e.instrument == instrument), key=self.rank)

    def rank(self, ensemble: Ensemble) -> int:
        """Return 0 for one that was trained as a whole, 1 for a single package, 2 for an imported
        model.
        """
        imported = {(c.name, c.version) for c in self.packages if c.origin == "imported"}
        if any((member.name, member.version) in imported for member in ensemble.members):
            return 2
        return 0 if ensemble.aggregated else 1

    def containing(self, package_hash: str) -> list[str]:
        """Return the hashes of the ensembles that a package is a member of."""
        return [
            ensemble.hash
            for ensemble in self.ensembles
            if any(member.package_hash == package_hash for member in ensemble.members)
        ]


class ModelStore:
    """The folder ``models/`` of a workspace."""

    def __init__(self, root: Path) -> None:
        """Take the folder, which need not exist yet."""
        self.root = root

    def add(self, package: Package) -> Package:
        """Write a new package and return it; its version gets a suffix where it exists already."""
        kept, attempt = package, 1
        while not write_folder(self.folder(kept.card), _contents(kept)):
            attempt += 1
            version = f"{package.card.version}_{attempt}"
            kept = Package(msgspec.structs.replace(package.card, version=version), package.files)
        return kept

    def adopt(self, package: Package) -> Package:
        """Write a package under its own version; writing the same package twice changes nothing.

        Raises UserError where another package has its name and version, or where these are not
        valid names of folders: a card from elsewhere may hold anything.
        """
        names = (package.card.name, package.card.version)
        if not all(_plain(name) and len(name) <= NAME_CHARS_MAX for name in names):
            raise UserError(
                f"{package.card.ref[:60]!a} is not a valid name and version: nothing was stored"
            )
        if write_folder(self.folder(package.card), _contents(package)):
            return package
        if self.load(package.card.name, package.card.version).hash == package.hash:
            return package
        raise UserError(
            f"{package.card.ref} is stored already with different content: "
            "give one of the two another version"
        )

    def load(self, name: str, version: str) -> Package:
        """Return a package, every byte of it verified.

        Raises UserError where it does not exist, ExternalError where it is damaged.
        """
        folder = self.root / "packages" / name / version
        if not (_plain(name) and _plain(version) and folder.is_dir()):
            raise UserError(self._unknown(f"{name}/{version}"))
        return read_package(folder)

    def member(self, member: Member) -> Package:
        """Return an ensemble's package; ExternalError where it is missing or not the judged one."""
        if not (self.root / "packages" / member.name / member.version).is_dir():
            raise ExternalError(_missing(member))
        package = self.load(member.name, member.version)
        if package.hash != member.package_hash:
            raise ExternalError(_changed(package.card))
        return package

    def resolve(self, ref: str) -> Package | Ensemble:
        """Return the model of a reference: ``name/version``, ``name`` (its newest version), an
        ensemble's hash or its first characters, or an instrument (its newest ensemble).

        Raises UserError where it fits none or several, ExternalError where the model is damaged.
        """
        name, slash, version = ref.partition("/")
        if slash and version in self._versions(name):
            return self._unedited(self.load(name, version))
        versions = self._versions(ref)
        if versions:
            return self._unedited(self.load(ref, versions[-1]))
        listed = self.listed()
        if len(ref) >= HASH_CHARS_MIN:
            matching = [e for e in listed.ensembles if e.hash.startswith(ref)]
            if len(matching) > 1:
                named = ", ".join(e.hash[: len(ref) + 8] for e in matching)
                raise UserError(f"'{ref}' is the beginning of several ensembles: {named}")
            if matching:
                return matching[0]
        keys = {e.instrument for e in listed.ensembles if is_called(e.instrument, ref)}
        found = [listed.of(key)[0] for key in sorted(keys)]
        if found:
            return max(found, key=lambda ensemble: ensemble.created_at)
        raise UserError(self._unknown(ref))

    def listed(self) -> StoredModels:
        """Return everything stored, newest first; what cannot be read is listed, not raised."""
        read: list[Package] = []
        problems: list[str] = []
        ensembles = self._ensembles(problems)
        for folder in sorted((self.root / "packages").glob("[!.]*/[!.]*")):
            try:
                package = _read_card(folder)
            except ExternalError as error:
                problems.append(str(error))
                continue
            card = package.card
            if _edited(package, ensembles):
                problems.append(_changed(card))
                continue
            read.append(package)
            missing = sorted(name for name in card.files if not (folder / name).is_file())
            if missing:
                problems.append(f"{folder}: {missing[0]} is missing: {RESTORE}")
        known = {(package.card.name, package.card.version) for package in read}
        problems += [
            f"ensemble {ensemble.hash[:12]}: {_missing(member)}"
            for ensemble in ensembles
            for member in ensemble.members
            if (member.name, member.version) not in known
            and not (self.root / "packages" / member.name / member.version).is_dir()
        ]
        read.sort(key=lambda p: (p.card.created_at, p.card.version, p.card.name), reverse=True)
        return StoredModels(
            tuple(package.card for package in read),
            tuple(ensembles),
            tuple(problems),
            tuple(package.hash for package in read),
        )

    def save_ensemble(self, ensemble: Ensemble) -> Path:
        """Write an ensemble under its hash and return the file; an intact file stays as it is."""
        path = self.ensemble_path(ensemble)
        content = msgspec.json.format(msgspec.json.encode(ensemble, order="sorted"), indent=2)
        if not path.exists() or path.read_bytes() != content + b"\n":
            write_file(path, content + b"\n")
        return path

    def ensemble(self, ensemble_hash: str) -> Ensemble:
        """Return the ensemble of a hash (or its beginning), verified.

        Raises UserError where the beginning fits none or several, ExternalError where a complete
        hash is missing, or its file is damaged.
        """
        found: list[Path] = []
        if len(ensemble_hash) >= HASH_CHARS_MIN and set(ensemble_hash) <= HEX:
            found = sorted((self.root / "ensembles").glob(f"{ensemble_hash}*.json"))
        if not found and len(ensemble_hash) == HASH_CHARS:
            raise ExternalError(
                f"{self.root / 'ensembles'}: ensemble {ensemble_hash[:12]} is missing: "
                "restore it from an export (`ares models import FILE.zip`)"
            )
        if len(found) != 1:
            known = len(found) or "no"
            raise UserError(
                f"{known} ensembles begin with '{ensemble_hash}': `ares models list` shows all"
            )
        return _read_ensemble(found[0])

    def newest_candidate(
        self, instrument: str, without: Collection[str] = frozenset()
    ) -> Ensemble | None:
        """Return an instrument's newest ensemble, as ``StoredModels.of`` orders them; None: it has
        none.

        without : hashes of archived ensembles.
        """
        return next((e for e in self.listed().of(instrument) if e.hash not in without), None)

    def ensemble_path(self, ensemble: Ensemble) -> Path:
        """Return the path of an ensemble."""
        return self.root / "ensembles" / f"{ensemble.hash}.json"

    def folder(self, card: PackageCard) -> Path:
        """Return the folder of a package."""
        return self.root / "packages" / card.name / card.version

    def _unedited(self, package: Package) -> Package:
        """Return a package by its name; ExternalError where it was edited since."""
        if _edited(package, self._ensembles([])):
            raise ExternalError(_changed(package.card))
        return package

    def _ensembles(self, problems: list[str]) -> list[Ensemble]:
        """Return all ensembles, newest first; a line for each that cannot be read."""
        found = []
        for path in sorted((self.root / "ensembles").glob("[!.]*.json")):
            try:
                found.append(_read_ensemble(path))
            except ExternalError as error:
                problems.append(str(error))
        return sorted(found, key=lambda e: (e.created_at, e.instrument), reverse=True)

    def _versions(self, name: str) -> list[str]:
        folder = self.root / "packages" / name
        if not _plain(name) or not folder.is_dir():
            return []
        return sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")

    def _unknown(self, ref: str) -> str:
        listed = self.listed()
        known = [card.ref for card in listed.packages] + [e.hash[:12] for e in listed.ensembles]
        if listed.problems:
            return f"no model '{ref}' can be read; these are damaged: " + (
                "; ".join(listed.problems[:PROBLEMS_NAMED])
            )
        near = difflib.get_close_matches(ref, known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "`ares train` makes models,"
        return f"no model '{ref}': {hint} `ares models list` shows all"


def read_package(folder: Path) -> Package:
    """Return the package in a folder, verified; raise ExternalError where it is damaged."""
    read = _read_card(folder)
    card, files = read.card, {}
    for name in card.files:
        if Path(name).name != name:
            raise ExternalError(f"{folder / CARD_FILE}: lists a file outside its folder: '{name}'")
        try:
            files[name] = (folder / name).read_bytes()
        except FileNotFoundError:
            raise ExternalError(
                f"{folder}: {name} is missing: restore it from an export, or train again"
            ) from None
    return verified(Package(card, files, read.card_content), str(folder))


def verified(package: Package, where: str) -> Package:
    """Return the package; raise ExternalError naming the file whose hash is not the card's."""
    for name, expected in package.card.files.items():
        if not _plain(name) or name == CARD_FILE:
            raise ExternalError(f"{where}: {CARD_FILE} lists a file outside its folder: '{name}'")
        if name not in package.files:
            raise ExternalError(f"{where}: {name} is missing: get a complete copy, or train again")
        if sha256(package.files[name]) != expected:
            raise ExternalError(
                f"{where}: {name} is damaged (its SHA-256 is not the one in {CARD_FILE}): "
                "restore it from an export, or train again"
            )
    return package


def _plain(name: str) -> bool:
    """Return whether ``name`` is the name of one visible folder, not a path."""
    return bool(name) and not name.startswith(".") and Path(name).name == name


def _contents(package: Package) -> dict[str, bytes]:
    return {**package.files, CARD_FILE: package.content}


def _missing(member: Member) -> str:
    return f"{member.name}/{member.version} is missing: {RESTORE}"


def _changed(card: PackageCard) -> str:
    return f"{card.ref}: {CARD_FILE} has changed since its ensemble was made: {RESTORE}"


def _edited(package: Package, ensembles: Sequence[Ensemble]) -> bool:
    """Return whether ensembles have a member of this name and version, and all another hash."""
    card = package.card
    known = {
        member.package_hash
        for ensemble in ensembles
        for member in ensemble.members
        if (member.name, member.version) == (card.name, card.version)
    }
    return bool(known) and package.hash not in known


def _read_card(folder: Path) -> Package:
    """Return a package without its files."""
    path = folder / CARD_FILE
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ExternalError(f"{folder}: has no {CARD_FILE}, so it is not a package") from None
    package = package_of(content, {}, str(path))
    card = package.card
    if (card.name, card.version) != (folder.parent.name, folder.name):
        raise ExternalError(f"{path}: is the card of {card.ref}, but lies in {folder.parent.name}")
    return package


def _read_ensemble(path: Path) -> Ensemble:
    try:
        ensemble = msgspec.json.decode(path.read_bytes(), type=Ensemble)
    except (msgspec.DecodeError, FileNotFoundError) as error:
        raise ExternalError(f"{path}: is not an ensemble ({error}): train again") from None
    if ensemble.hash != path.stem:
        raise ExternalError(f"{path}: was changed since it was made: restore it, or train again")
    return ensemble
