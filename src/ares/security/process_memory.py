"""Keeps a process's memory from others: no core dump, no swap, no reading by other processes."""

from __future__ import annotations

import ctypes
import mmap
import resource

import msgspec

from ares.domain.api_key import ApiKey

PR_SET_DUMPABLE = 4
MCL_CURRENT, MCL_FUTURE = 1, 2
MADV_DONTDUMP, MADV_DONTFORK = 16, 10


def keep_private() -> list[str]:
    """Turn core dumps off, and reading of this process's memory by others of its user.

    returns : what could not be done, for a person.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(_libc(), "prctl", None)
    if prctl is None or prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        return ["other processes of this user can read this one's memory (no prctl)"]
    return []


def lock_memory() -> list[str]:
    """Keep the whole process out of swap; return what could not be done, for a person."""
    mlockall = getattr(_libc(), "mlockall", None)
    limit, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if mlockall is None or limit != resource.RLIM_INFINITY:
        return ["only the pages of the keys are kept out of swap: LimitMEMLOCK=infinity locks all"]
    return [] if mlockall(MCL_CURRENT | MCL_FUTURE) == 0 else ["mlockall failed"]


class LockedBytes:
    """Bytes in pages of their own: locked where that is possible, absent from dumps and children.

    >>> held = LockedBytes(b"secret")
    >>> held.read()
    b'secret'
    >>> held.wipe()
    """

    def __init__(self, content: bytes) -> None:
        self._size = len(content)
        self._pages = mmap.mmap(-1, max(1, self._size), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for advice in (MADV_DONTDUMP, MADV_DONTFORK):
            try:
                self._pages.madvise(advice)
            except (OSError, AttributeError):
                continue
        self.is_locked = self._lock()
        self._pages[: self._size] = content

    def read(self) -> bytes:
        """Return a copy, which is to be used at once and not stored."""
        return self._pages[: self._size]

    def wipe(self) -> None:
        """Overwrite the bytes."""
        self._pages[: self._size] = b"\0" * self._size

    def _lock(self) -> bool:
        mlock = getattr(_libc(), "mlock", None)
        if mlock is None:
            return False
        start = ctypes.addressof(ctypes.c_char.from_buffer(self._pages))
        return bool(mlock(ctypes.c_void_p(start), ctypes.c_size_t(max(1, self._size))) == 0)


class LockedKey:
    """An API key in locked memory."""

    def __init__(self, key: ApiKey) -> None:
        self._held = LockedBytes(msgspec.msgpack.encode(tuple(key)))

    def read(self) -> ApiKey:
        """Return the key, to sign one request."""
        return ApiKey(*msgspec.msgpack.decode(self._held.read(), type=tuple[str, str]))

    def wipe(self) -> None:
        """Overwrite the key."""
        self._held.wipe()


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
