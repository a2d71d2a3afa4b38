"""Searches bytes for a secret, however it is written."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

PART = 16
"""Parts of a secret of so many characters are found, too: a signature has none of them."""

BLOCK = 4 << 20


def forms(secret: str) -> dict[bytes, str]:
    """Return what a secret looks like in each encoding -> the encoding's name."""
    raw = secret.encode()
    found: dict[bytes, str] = {}
    plain = {"plain": raw, "reversed": raw[::-1]}
    try:
        decoded = base64.b64decode(secret, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) >= PART:
        plain["decoded"] = decoded
    for name, value in plain.items():
        for at in range(0, len(value) - PART + 1, PART):
            found[value[at : at + PART]] = f"{name}, from {at}"
        found[value.hex().encode()[: 2 * PART]] = f"{name}, hex"
        found[value.hex().upper().encode()[: 2 * PART]] = f"{name}, HEX"
        for shift in range(3):  # base64 of the secret, wherever it begins in what was encoded
            text = base64.b64encode(b"\0" * shift + value)
            found[text[4 : 4 + PART]] = f"{name}, base64 at {shift}"
            safe = base64.urlsafe_b64encode(b"\0" * shift + value)
            found[safe[4 : 4 + PART]] = f"{name}, base64url at {shift}"
    for quoted in (quote(secret, safe=""), quote(secret, safe="").lower()):
        found[quoted.encode()[:PART]] = "url-encoded"
    found[secret.encode("utf-16-le")[: 2 * PART]] = "UTF-16"
    return found


def in_bytes(content: bytes, wanted: dict[bytes, str]) -> list[str]:
    """Return the encodings in which a secret stands in some bytes."""
    return sorted({name for text, name in wanted.items() if text in content})


def in_folder(folder: Path, wanted: dict[bytes, str]) -> list[str]:
    """Return where a secret stands in the files of a folder, their names included."""
    found = []
    for path in sorted(folder.rglob("*")):
        found += [f"{path}: name" for _ in in_bytes(os.fsencode(path), wanted)]
        if path.is_file() and not path.is_socket():
            for content in blocks(path):
                found += [f"{path}: {name}" for name in in_bytes(content, wanted)]
    return found


def in_process(pid: int, wanted: dict[bytes, str]) -> list[str]:
    """Return where a secret stands in a process: memory, environment, command line.

    Raises PermissionError where it cannot be read.
    """
    found = []
    for name in ("environ", "cmdline"):
        content = Path(f"/proc/{pid}/{name}").read_bytes()
        found += [f"{name}: {form}" for form in in_bytes(content, wanted)]
    for start, content in memory(pid):
        found += [f"memory at {start:x}: {form}" for form in in_bytes(content, wanted)]
    return found


def memory(pid: int) -> Iterator[tuple[int, bytes]]:
    """Yield a process's writable memory, in blocks that overlap."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            spans, rights, *_ = line.split()
            if "rw" not in rights:
                continue
            start, end = (int(text, 16) for text in spans.split("-"))
            while start < end:
                size = min(BLOCK, end - start)
                try:
                    file.seek(start)
                    yield start, file.read(size)
                except (OSError, OverflowError):
                    break
                start += size if start + size >= end else size - 4 * PART


def blocks(path: Path) -> Iterator[bytes]:
    """Yield a file in blocks that overlap."""
    with path.open("rb") as file:
        before = b""
        while part := file.read(BLOCK):
            yield before + part
            before = part[-4 * PART :]


def descendants(pid: int) -> list[int]:
    """Return the ids of a process's children, theirs included."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for text in path.read_text().split():
            found += [int(text), *descendants(int(text))]
    return found
