"""Appends to a journal; a thread makes it durable in groups, so that appending never waits for it.

A record is appended in memory, written to the operating system (a killed process loses nothing that
was written), and synced to disk (a power failure loses nothing that was synced). Once a write or a
sync has failed, nothing is written after the gap.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from ares.domain.errors import AresError, ExternalError
from ares.journal.disk import OS_DISK, Disk
from ares.journal.log import (
    GENESIS,
    HEAD,
    LENGTH_MASK,
    START,
    Position,
    Reader,
    chain,
    number_of,
    segment_path,
    segments,
)

SEGMENT_BYTES_MAX = 64 * 1024 * 1024
BUFFER_BYTES_MAX = 256 * 1024


class Writer:
    """Appends payloads to the chain. One thread appends; ``sync`` may be called by others.

    sync_ms : appended records are on disk after this long at the latest, by a thread of their own;
              None: after ``sync`` only.
    segment_bytes_max : a larger file is followed by a new file.
    end     : where the journal ends, if known; otherwise all of it is read. What follows is an
              unfinished record, and is cut off.
    """

    def __init__(
        self,
        folder: Path,
        sync_ms: int | None = None,
        segment_bytes_max: int = SEGMENT_BYTES_MAX,
        disk: Disk = OS_DISK,
        end: Position | None = None,
    ) -> None:
        self._folder, self._disk = folder, disk
        self._sync_s = None if sync_ms is None else sync_ms / 1_000.0
        self._segment_bytes_max = segment_bytes_max
        end = end or _end_of(folder, disk)
        self._written = end  # the newest record that the operating system has
        self._before = end.chain or GENESIS
        self.records = self._synced = end.records
        self._last_length = end.length
        self._buffer = bytearray()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._syncing = threading.Lock()
        self._waiting: list[tuple[int, Future[None]]] = []
        self._thread: threading.Thread | None = None
        self._failure = ""
        self._changing_segment = self._closing = False
        self._open(end)

    def _open(self, end: Position) -> None:
        """Open the newest file, cut off after the last whole record."""
        path, size = segment_path(self._folder, end.segment), end.offset
        try:
            self._disk.make_folder(self._folder)
            newest = max(map(number_of, segments(self._folder, self._disk)), default=0)
            if newest > end.segment:  # it holds no whole record
                path, size = segment_path(self._folder, newest), 0
            self._file = self._disk.append(path, size)
        except OSError as error:
            raise _unwritable(path, error) from error
        self._path, self._size = path, size
        self._number = number_of(path)

    def append(self, payload: bytes) -> None:
        """Append one record; ExternalError where this or an earlier one cannot be written."""
        link = chain(self._before, payload)
        length = len(payload)
        head = HEAD.pack(length, length ^ LENGTH_MASK, link)
        with self._lock:  # of ``_changed``, whose own ``with`` takes longer
            if self._failure:
                raise ExternalError(self._failure)
            is_first = self.records == self._synced
            self._buffer += head
            self._buffer += payload
            self._before, self._last_length = link, length
            self.records += 1
            if is_first and self._sync_s is not None:
                self._wake()
            if len(self._buffer) > BUFFER_BYTES_MAX and not self._changing_segment:
                self._write()

    def write(self) -> None:
        """Hand what is buffered to the operating system; raises ExternalError where that fails."""
        with self._changed:
            while self._changing_segment:
                self._changed.wait()
            self._write()

    def sync(self) -> None:
        """Make everything appended durable. Raises ExternalError where the disk fails."""
        with self._syncing:
            with self._changed:
                self._write()
                records, file, path = self.records, self._file, self._path
                changes = self._changing_segment = self._size > self._segment_bytes_max
            following = None
            try:
                file.sync()
                if changes:
                    path = segment_path(self._folder, number_of(path) + 1)
                    following = self._disk.append(path, 0)
            except OSError as error:
                with self._changed:
                    raise self._fail(path, error) from error
            with self._changed:
                if following is not None:
                    self._file, self._path, self._size = following, path, 0
                    self._number = number_of(path)
                    self._changing_segment = False
                    file.close()
                self._synced = records
                done = [future for n, future in self._waiting if n <= records]
                self._waiting = [each for each in self._waiting if each[0] > records]
                self._changed.notify_all()
        for future in done:
            future.set_result(None)

    def durable(self, records: int) -> Future[None]:
        """Return a future that is done once so many records are on disk.

        Its result raises ExternalError where the disk fails first.
        """
        future = Future[None]()
        with self._changed:
            if self._failure:
                future.set_exception(ExternalError(self._failure))
            elif records <= self._synced:
                future.set_result(None)
            else:
                self._waiting.append((records, future))
                if self._sync_s is not None:
                    self._wake()
        if self._sync_s is None and not future.done():
            with suppress(AresError):  # the future has it
                self.sync()
        return future

    @property
    def position(self) -> Position:
        """Return the end of the newest record; it is written to the operating system first."""
        self.write()
        return self._written

    @property
    def head(self) -> bytes:
        """Return the chain's newest hash."""
        return self._before

    def close(self) -> None:
        """Sync and close; after a failure only close: its error was raised before."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()
        try:
            if not self._failure:
                self.sync()
        finally:
            self._file.close()

    def _wake(self) -> None:
        """Have the thread look: something waits."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._commit, name="journal", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _commit(self) -> None:
        """Sync in groups until the writer is closed, or the disk fails."""
        while True:
            with self._changed:
                while not self._closing and self.records == self._synced:
                    self._changed.wait()
                if not self._closing and not self._waiting:
                    self._changed.wait(self._sync_s)
                if self._closing or self._failure:
                    return
                if self.records == self._synced:
                    continue
            try:
                self.sync()
            except AresError:
                return  # the next append raises it

    def _write(self) -> None:
        """Write the buffer, with the lock held."""
        if self._failure:
            raise ExternalError(self._failure)
        if not self._buffer:
            return
        left = memoryview(self._buffer)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise self._fail(self._path, error) from error
        finally:
            left.release()
        self._size += len(self._buffer)
        self._buffer = bytearray()
        self._written = Position(
            self._number, self._size, self._before, self.records, self._last_length
        )

    def _fail(self, path: Path, error: OSError) -> ExternalError:
        """Refuse everything from now on, with the lock held; return the error to raise."""
        failure = _unwritable(path, error)
        self._failure = str(failure)
        self._changing_segment = False
        waiting, self._waiting = self._waiting, []
        self._changed.notify_all()
        for _, future in waiting:
            future.set_exception(ExternalError(self._failure))
        return failure


def _end_of(folder: Path, disk: Disk) -> Position:
    """Return the end of a journal, all of it read and verified."""
    reader = Reader(folder, START, disk)
    for _ in reader:
        pass
    return reader.position


def _unwritable(path: Path, error: OSError) -> ExternalError:
    return ExternalError(
        f"cannot write the journal {path}: {error.strerror}; the engine stopped, nothing that"
        " was journaled is lost: free disk space and start again"
    )
