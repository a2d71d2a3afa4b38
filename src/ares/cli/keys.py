"""``ares keys``: the API keys of venues, encrypted in the workspace."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from ares.cli.output import JSON_OPTION, note, print_json, print_table, say, utc
from ares.domain.errors import ExternalError, NothingToDo, UserError

if TYPE_CHECKING:
    from ares.bootstrap.keys import CheckedKey
    from ares.config.workspace import Workspace
    from ares.domain.api_key import ApiKey
    from ares.security.vault import KeyVault

PASSPHRASE_FILE = typer.Option(
    None, "--passphrase-file", help="Its first line is the passphrase; mode 600."
)
PASSPHRASE_FD = typer.Option(
    None, "--passphrase-fd", help="Read the passphrase from this inherited pipe."
)
ADDRESS = typer.Option(
    None, "--address", help="Of a rehearsal's server, such as http://127.0.0.1:8600."
)
NAME = typer.Argument(..., help="live/VENUE or rehearsal/NAME, with -reader or -watchdog.")

app = typer.Typer(no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Keep the API keys of venues encrypted in keys.vault; nobody but the signer uses them."""
    from ares.security.process_memory import keep_private

    keep_private()


@app.command("set")
def set_(
    name: str | None = typer.Argument(
        None, help="live/VENUE or rehearsal/NAME; none: import those that lie in .env."
    ),
    venue: str | None = typer.Option(
        None, "--venue", help="Of a rehearsal; default: the workspace's venue."
    ),
    allow: list[str] = typer.Option(
        [], "--allow", help="withdraw: a key that can; unknown-rights: the venue does not tell."
    ),
    rotate_days: int | None = typer.Option(
        None, "--rotate-days", min=1, max=3650, help="Default: keys.rotation_days."
    ),
    keyring: bool = typer.Option(
        False, "--keyring", help="Store the passphrase in the system's keyring, too."
    ),
    passphrase_file: Path | None = PASSPHRASE_FILE,
    passphrase_fd: int | None = PASSPHRASE_FD,
) -> int:
    """Store a key: asked for on a terminal, else two lines of stdin (key, secret).

    Without NAME the keys in .env are imported, and then removed from it.
    """
    from ares.bootstrap.keys import NewKey, import_keys, set_key

    workspace = _workspace()
    if name is None and not (workspace.root / ".env").exists():
        raise NothingToDo("there is no .env here: name a key, such as live/kraken")
    vault = _opened(workspace, passphrase_file, passphrase_fd, create=True, store=keyring)
    if name is None:
        names, remarks = import_keys(workspace, vault)
        for remark in remarks:
            note(remark)
        if not names:
            raise NothingToDo(".env holds no keys: name a key, such as live/kraken")
        say(f"stored, and removed from .env: {', '.join(names)}")
        note("copies of .env, and the history of a shell or a repository, may still have them")
        return 0
    new = NewKey(_typed(name), venue, tuple(allow), rotate_days)
    entry = set_key(workspace, vault, name, new)
    say(f"stored: {entry.name}, a key of {entry.venue}; `ares keys check {entry.name}` asks it")
    return 0


@app.command("list")
def list_(json_: bool = JSON_OPTION) -> None:
    """List the keys, their age, and when they are to be rotated. No passphrase is needed."""
    from ares.bootstrap.keys import due_text, key_remarks, stored_keys

    workspace = _workspace()
    entries = stored_keys(workspace)
    rows = [
        {
            "name": entry.name,
            "venue": entry.venue,
            "stored": utc(entry.made_ms),
            "due": utc(entry.due_ms),
            "proven": utc(entry.proven_ms) if entry.proven_ms else None,
            "allows": list(entry.allows),
            "remark": due_text(workspace, entry) or None,
        }
        for entry in entries
    ]
    if json_:
        print_json(rows)
        return
    if not rows:
        say("no keys: `ares keys set live/VENUE` stores one")
    else:
        print_table(
            ["key", "venue", "stored (UTC)", "to be rotated", "proven", "allowed"],
            [
                (r["name"], r["venue"], r["stored"], r["due"], r["proven"], ", ".join(e.allows))
                for r, e in zip(rows, entries, strict=True)
            ],
        )
    for text in dict.fromkeys([*key_remarks(workspace, "live"), *(r["remark"] for r in rows)]):
        if text:
            note(str(text))


@app.command()
def rotate(
    name: str = NAME,
    address: str | None = ADDRESS,
    passphrase_file: Path | None = PASSPHRASE_FILE,
    passphrase_fd: int | None = PASSPHRASE_FD,
    json_: bool = JSON_OPTION,
) -> int:
    """Replace a key by a new one, once the venue answers to it; until then the old one is used."""
    from ares.bootstrap.keys import rotate_key

    workspace = _workspace()
    vault = _opened(workspace, passphrase_file, passphrase_fd)
    vault.entry(name)
    try:
        found = rotate_key(vault, name, _typed(name), address)
    except ExternalError as error:
        raise ExternalError(
            f"{error}. The new key of {name} waits, the old one stays in use: `ares keys check"
            f" {name}` asks again"
        ) from None
    if json_:
        print_json(found)
    else:
        _show(found)
    if found.problems:
        note("the old key stays in use, the new one is not stored: rotate again with another one")
        return 1
    note("delete the old key at the venue, and start the signer again")
    return 0


@app.command()
def delete(
    name: str = NAME,
    yes: bool = typer.Option(False, "--yes", help="Do not ask."),
    passphrase_file: Path | None = PASSPHRASE_FILE,
    passphrase_fd: int | None = PASSPHRASE_FD,
) -> int:
    """Delete a key from the key file; it stays valid at the venue."""
    workspace = _workspace()
    vault = _opened(workspace, passphrase_file, passphrase_fd)
    vault.entry(name)
    if not yes and not (sys.stdin.isatty() and typer.confirm(f"delete {name}?")):
        raise NothingToDo(f"{name} was not deleted: --yes deletes it without a question")
    vault.delete(name)
    say(f"deleted: {name}; delete it at the venue, too")
    return 0


@app.command()
def check(
    name: str | None = typer.Argument(None, help="Default: all."),
    address: str | None = ADDRESS,
    passphrase_file: Path | None = PASSPHRASE_FILE,
    passphrase_fd: int | None = PASSPHRASE_FD,
    json_: bool = JSON_OPTION,
) -> int:
    """Ask the venue what a key may do. Exit code 1: it is refused for live trading."""
    from ares.bootstrap.keys import check_key
    from ares.bootstrap.signer import signers_check

    workspace = _workspace()
    vault = _opened(workspace, passphrase_file, passphrase_fd)
    kind = "live/" if address is None else "rehearsal/"
    names = [name] if name else [e.name for e in vault.entries if e.name.startswith(kind)]
    if not names:
        raise UserError(f"there is no key of {kind}...; those of a rehearsal need --address")
    ask = signers_check(workspace)
    found = [check_key(vault, each, address, ask) for each in names]
    if json_:
        print_json(found)
    else:
        for each in found:
            _show(each)
    return 1 if any(each.problems for each in found) else 0


def _show(found: CheckedKey) -> None:
    which = "the new key of " if found.pending else ""
    for problem in found.problems:
        say(f"{which}{found.name}: REFUSED: {problem}")
    rights = found.rights
    if rights is not None and rights.is_known:
        able = {
            "query": rights.can_query,
            "trade": rights.can_trade,
            "cancel": rights.can_cancel,
            "withdraw": rights.can_withdraw,
        }
        say(f"{which}{found.name}: can {', '.join(name for name, yes in able.items() if yes)}")
    elif rights is not None:
        say(f"{which}{found.name}: the venue takes it, and does not tell what it may do")
    for remark in found.remarks:
        say(f"{which}{found.name}: {remark}")


def _workspace() -> Workspace:
    from ares.config.workspace import Workspace

    return Workspace.here()


def _opened(
    workspace: Workspace,
    file: Path | None,
    handle: int | None,
    *,
    create: bool = False,
    store: bool = False,
) -> KeyVault:
    """Return the key file, opened; store: the passphrase goes into the keyring."""
    from ares.bootstrap.keys import open_vault, passphrase_sources
    from ares.security.passphrase import passphrase, store_in_keyring

    prompt = getpass.getpass if sys.stdin.isatty() else None
    sources = passphrase_sources(workspace, file, handle, prompt)
    if not store:
        return open_vault(workspace, sources, create=create)
    is_new = not workspace.keys_path.exists()
    text = passphrase(sources._replace(keyring=None), is_new=is_new)
    vault = open_vault(workspace, sources._replace(given=text), create=create)
    store_in_keyring(str(workspace.root.resolve()), text)
    return vault


def _typed(name: str) -> ApiKey:
    """Return a key that is typed, or comes as two lines of stdin: never as an argument."""
    from ares.domain.api_key import ApiKey

    if sys.stdin.isatty():
        return ApiKey(
            getpass.getpass(f"API key of {name}: ").strip(),
            getpass.getpass("its secret: ").strip(),
        )
    lines = sys.stdin.read(8192).split("\n")
    if len(lines) < 2 or any(line.strip() for line in lines[2:]):
        raise UserError("stdin holds no key: two lines, the key and its secret")
    return ApiKey(lines[0].strip(), lines[1].strip())
