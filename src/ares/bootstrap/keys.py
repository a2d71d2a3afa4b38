"""The key file of a workspace, composed: stored, rotated, checked at the venue, imported."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from ares.config.dotenv_keys import keys_in_dotenv, without_lines
from ares.config.workspace import Workspace
from ares.domain.api_key import ApiKey, key_name, role_of
from ares.domain.errors import UserError
from ares.domain.key_rights import ALLOWANCES, KeyRights

if TYPE_CHECKING:
    from pathlib import Path

    from ares.security.passphrase import PassphraseSources
    from ares.security.vault import KeyVault
    from ares.security.vault_format import KeyEntry

DAY_MS = 86_400_000
NAME = re.compile(r"(live|rehearsal)/[a-z0-9]+(-[a-z0-9]+)*")


class NewKey(NamedTuple):
    """A key to be stored; None and empty: what is stored under its name is kept."""

    key: ApiKey
    venue: str | None = None
    allows: tuple[str, ...] = ()
    rotate_days: int | None = None


class CheckedKey(msgspec.Struct, frozen=True):
    """What the venue says of a key.

    problems : why it is refused for live trading. pending : it is the new key of a rotation.
    """

    name: str
    venue: str
    rights: KeyRights | None
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    pending: bool = False


def passphrase_sources(
    workspace: Workspace,
    file: Path | None = None,
    handle: int | None = None,
    prompt: Callable[[str], str] | None = None,
) -> PassphraseSources:
    """Return where the passphrase comes from: an option, else the settings, else a prompt."""
    from ares.security.passphrase import PassphraseSources

    settings = workspace.settings.keys
    if file is None and settings.passphrase_file is not None:
        file = workspace.root / settings.passphrase_file
    account = str(workspace.root.resolve()) if settings.keyring else None
    return PassphraseSources(handle, file, account, prompt=prompt)


def open_vault(
    workspace: Workspace, sources: PassphraseSources, *, create: bool = False
) -> KeyVault:
    """Return the workspace's key file; create: a new one where there is none.

    Raises UserError where there is none, the passphrase is missing or wrong, or the file is
    damaged.
    """
    from ares.security.passphrase import passphrase
    from ares.security.vault import KeyVault
    from ares.security.vault_format import read_vault

    path = workspace.keys_path
    if create and not path.exists():
        return KeyVault.create(path, passphrase(sources, is_new=True))
    read_vault(path)  # damage is found before a person types anything
    return KeyVault.open(path, passphrase(sources))


def stored_keys(workspace: Workspace) -> tuple[KeyEntry, ...]:
    """Return the entries of the key file; no passphrase is needed, and none has been proven."""
    from ares.security.vault_format import read_vault

    path = workspace.keys_path
    return read_vault(path)[0].entries if path.exists() else ()


def stored_key(workspace: Workspace, environment: str, role: str = "") -> KeyEntry | None:
    """Return the entry of an environment's key; None: none is stored."""
    name = key_name(environment, workspace.settings.venue, role)
    return next((entry for entry in stored_keys(workspace) if entry.name == name), None)


def set_key(workspace: Workspace, vault: KeyVault, name: str, new: NewKey) -> KeyEntry:
    """Store a key under a name, in place of what was there.

    Raises UserError for a name or a key that cannot be one.
    """
    from ares.security.vault_format import KeyEntry

    old = vault.find(name)
    venue = require_venue(workspace, name, new.venue or (old.venue if old else None))
    require_key(venue, new.key)
    entry = KeyEntry(
        name=name,
        venue=venue,
        made_ms=_now_ms(),
        rotate_days=new.rotate_days or workspace.settings.keys.rotation_days,
        allows=require_allowances(new.allows),
    )
    vault.put(entry, key=new.key)
    return entry


def rotate_key(vault: KeyVault, name: str, key: ApiKey, address: str | None) -> CheckedKey:
    """Store a new key beside the one in use, and take it over once the venue answers to it.

    Until then the old one stays in use. Where the venue does not answer the new one waits for
    another ``check_key``; one that is refused is forgotten.
    """
    entry = vault.entry(name)
    require_key(entry.venue, key)
    if key == vault.key(name):
        raise UserError(f"{name}: the new key is the one in use; nothing was changed")
    require_address(name, address)
    vault.put(msgspec.structs.replace(entry, pending_ms=_now_ms()), pending=key)
    return check_key(vault, name, address)


def check_key(
    vault: KeyVault,
    name: str,
    address: str | None,
    ask_signer: Callable[[str, str], CheckedKey | None] = lambda _name, _fingerprint: None,
) -> CheckedKey:
    """Ask the venue what a key may do; the new one of a rotation is then taken over, or forgotten
    where it is refused.

    ask_signer : returns what a running signer has found out with its key of a name and fingerprint;
                 None: it does not hold that one. Nonces of a key that is in use are the signer's.

    Raises ExternalError where the venue does not answer, UserError for an address that is not
    allowed.
    """
    entry = vault.entry(name)
    is_pending = bool(entry.pending)
    key = vault.key(name, pending=is_pending)
    found = None if is_pending else ask_signer(name, key.fingerprint)
    if found is None:
        require_address(name, address)
        found = _checked(entry, key, address, is_pending=is_pending)
    if found.problems and is_pending:
        vault.put(msgspec.structs.replace(entry, pending=b"", pending_ms=0))
    if found.problems:
        return found
    proven_ms = _now_ms()
    if is_pending:
        vault.put(
            msgspec.structs.replace(
                entry, sealed=b"", pending=b"", made_ms=entry.pending_ms, pending_ms=0,
                proven_ms=proven_ms,
            ),
            key=vault.key(name, pending=True),
        )  # fmt: skip
    else:
        vault.put(msgspec.structs.replace(entry, proven_ms=proven_ms))
    return found


def import_keys(workspace: Workspace, vault: KeyVault) -> tuple[list[str], list[str]]:
    """Store the keys that lie in ``.env``, then remove them from it.

    returns : the names that were stored, and remarks.

    Raises UserError where a stored key of that name differs: which one is right a person knows.
    """
    from ares.adapters.durable import write_file
    from ares.security.vault_format import KeyEntry

    path = (workspace.root / ".env").resolve()
    found, halves = keys_in_dotenv(path, workspace.settings.venue)
    for each in found:
        require_key(each.venue, each.key)
        if vault.find(each.name) is not None and vault.key(each.name) != each.key:
            raise UserError(
                f"{each.variables[0]} in {path} is another key than {each.name} in the key file:"
                " remove one of the two; nothing was changed"
            )
    now_ms, days = _now_ms(), workspace.settings.keys.rotation_days
    for each in found:
        if vault.find(each.name) is None:
            vault.put(KeyEntry(each.name, each.venue, now_ms, days), key=each.key)
    if found:
        names = {name for each in found for name in each.variables}
        write_file(path, without_lines(path.read_bytes(), names), path.stat().st_mode & 0o777)
    return [each.name for each in found], [
        f"{name} in {path} lacks its other half and was left there" for name in halves
    ]


def key_remarks(workspace: Workspace, environment: str) -> list[str]:
    """Return what a start should say about the keys of an environment; it never fails."""
    dotenv = workspace.root / ".env"
    found, _ = keys_in_dotenv(dotenv, workspace.settings.venue)
    remarks = [
        f"{' and '.join(each.variables)} lie in {dotenv} in plain text: `ares keys set` moves"
        " them into the key file"
        for each in found
    ]
    try:
        entries = stored_keys(workspace)
    except UserError as error:
        return [*remarks, str(error)]
    stem = f"{environment.partition('/')[0]}/"
    return remarks + [
        text
        for entry in entries
        if entry.name.startswith(stem) and (text := due_text(workspace, entry))
    ]


def due_text(workspace: Workspace, entry: KeyEntry) -> str:
    """Return the reminder of a key that is due, or soon is; empty: it is not."""
    days = (entry.due_ms - _now_ms()) // DAY_MS
    if entry.pending:
        return f"{entry.name}: a new key waits to be proven: `ares keys check {entry.name}`"
    if days < 0:
        return f"{entry.name} was to be rotated {-days} days ago: `ares keys rotate {entry.name}`"
    if days <= workspace.settings.keys.reminder_days:
        return f"{entry.name} is to be rotated in {days} days: `ares keys rotate {entry.name}`"
    return ""


def require_venue(workspace: Workspace, name: str, venue: str | None) -> str:
    """Return the venue of a key's name; raise UserError for a name that is none."""
    from ares.venues.known_signing import signing_of

    if not NAME.fullmatch(name):
        raise UserError(
            f"'{name}' is not the name of a key: write live/VENUE or rehearsal/NAME, and -reader or"
            " -watchdog behind it for a key of theirs"
        )
    kind, _, rest = name.partition("/")
    stem = rest.removesuffix(f"-{role_of(name)}")
    if kind == "live":
        if venue not in (None, stem):
            raise UserError(f"'{name}' is a key of {stem}, not of {venue}")
        return signing_of(stem).venue
    return signing_of(venue or workspace.settings.venue).venue


def require_key(venue: str, key: ApiKey) -> None:
    """Raise UserError for a key that cannot be one of the venue's."""
    import base64
    import binascii

    if not key.key or not key.secret:
        raise UserError("the key, or its secret, is empty")
    if any(not text.isascii() or not text.isprintable() or " " in text for text in key):
        raise UserError("the key or its secret has a character that cannot be in one")
    if venue == "kraken":
        try:
            base64.b64decode(key.secret, validate=True)
        except (binascii.Error, ValueError):
            raise UserError("the secret of a kraken key is base64, this one is not") from None


def require_allowances(allows: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a person allows, in order; raise UserError for what cannot be allowed."""
    for name in allows:
        if name not in ALLOWANCES:
            known = "; ".join(f"{each} ({text})" for each, text in ALLOWANCES.items())
            raise UserError(f"--allow {name}: allowed can be {known}")
    return tuple(sorted(set(allows)))


def require_address(name: str, address: str | None) -> None:
    """Raise UserError where a key would be sent to another server than its own."""
    if name.startswith("rehearsal/") and address is None:
        raise UserError(
            f"{name} is a key of a server of this machine: give its --address, such as"
            " http://127.0.0.1:8600; --address sandbox is the venue's own sandbox"
        )
    if name.startswith("live/") and address is not None:
        raise UserError(f"{name} is sent to its venue only: leave --address out")


def _checked(entry: KeyEntry, key: ApiKey, address: str | None, *, is_pending: bool) -> CheckedKey:
    from ares.security.sender import Sender
    from ares.venues.key_rights import KeyRefused, key_rights
    from ares.venues.known_signing import signing_of

    async def rights_of_key() -> KeyRights:
        sender = Sender(signing_of(entry.venue), lambda: key, _now_ms, address)
        try:
            return await key_rights(entry.venue, sender.ask)
        finally:
            await sender.close()

    role = role_of(entry.name)
    try:
        rights = asyncio.run(rights_of_key())
    except KeyRefused as error:
        return CheckedKey(entry.name, entry.venue, None, (str(error),), (), is_pending)
    problems = tuple(rights.problems(entry.allows, role))
    return CheckedKey(
        entry.name, entry.venue, rights, problems, tuple(rights.remarks(role)), is_pending
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
