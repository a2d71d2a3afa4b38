"""One line and an exit code for each error of the operating system that a command can meet."""

from __future__ import annotations

import errno
import re
from pathlib import Path

EXIT_USER, EXIT_EXTERNAL, EXIT_BUG = 2, 3, 70

_USER = {
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EISDIR: "is a folder: name a file in it",
    errno.ENOTDIR: "a part of the path is a file, not a folder: check the path",
    errno.EEXIST: "exists already: choose another name",
    errno.ENOTEMPTY: "exists already and is not empty: choose another name",
    errno.ELOOP: "the links of the path form a circle: check the path",
}
_EXTERNAL = {
    errno.ENOSPC: "the disk is full: free space and run the command again",
    errno.EDQUOT: "the disk quota is used up: free space and run the command again",
    errno.EFBIG: "the file would be larger than is allowed here: raise the limit, or free space",
    errno.EROFS: "the disk is read-only: choose a writable folder",
    errno.EACCES: "permission denied: check the owner of the file or folder",
    errno.EPERM: "permission denied: check the owner of the file or folder",
    errno.EIO: "input/output error: check the disk",
    errno.EMFILE: "too many open files: raise the limit (`ulimit -n`)",
    errno.ENFILE: "too many open files on this machine: end some programs",
    errno.ENOMEM: "not enough memory: end some programs",
}
_KERNEL_FOLDERS = ("/proc", "/sys", "/dev")
_RUST_ERROR = re.compile(r"\(os error (\d+)\)(?:: (.*))?", re.DOTALL)
"""The end of an error that Polars raises: it has no ``errno``."""


def line_of_os_error(error: OSError) -> tuple[int, str]:
    """Return ``(exit code, line)``; an empty line for what only a bug of ours can cause.

    A missing file is one of these: each command checks the paths that it was given. In folders of
    the kernel, where no file can be created, it is not.
    """
    number, path = error.errno, error.filename2 or error.filename
    if number is None and (found := _RUST_ERROR.search(str(error))):
        number, path = int(found[1]), found[2]
    prefix = f"{_shown(path)}: " if path is not None else ""
    if number is None:
        return EXIT_BUG, ""
    if number in _USER:
        return EXIT_USER, prefix + _USER[number]
    if number in _EXTERNAL:
        return EXIT_EXTERNAL, prefix + _EXTERNAL[number]
    if number == errno.ENOENT:
        return _missing(path, prefix)
    reason = error.strerror or str(error)
    return EXIT_EXTERNAL, f"{prefix}{reason[:1].lower()}{reason[1:]}: check file, disk and network"


def _missing(path: object, prefix: str) -> tuple[int, str]:
    if path is None:  # os.getcwd
        return EXIT_EXTERNAL, "the current folder does not exist any more: change to another one"
    if Path(_shown(path)).absolute().as_posix().startswith(_KERNEL_FOLDERS):
        return EXIT_EXTERNAL, f"{prefix}no file can be created here: choose another folder"
    return EXIT_BUG, ""


def _shown(path: object) -> str:
    """Return a path as text, shortened where it is longer than a line."""
    text = path.decode(errors="replace") if isinstance(path, bytes) else str(path)
    return text if len(text) <= 120 else f"{text[:60]}…{text[-50:]}"
