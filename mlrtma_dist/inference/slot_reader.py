"""Cases read ahead by another process: files and quality control cost the method no time, a crash costs one slot.

The process ignores the signals that a batch system sends to all processes of a job: it ends when the pipe does.
What cases share with the reader, terrain above all, is not sent.
"""

import contextlib
import io
import itertools
import multiprocessing
import pickle
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass

from mlrtma_dist.errors import is_users
from mlrtma_dist.fields.static import Static
from mlrtma_dist.grid.box import Box
from mlrtma_dist.methods.case import Case, Cases

AHEAD = 32  # cases that may wait; a file of a day is read while the cases of the day before it are analysed
MOST_BYTES = 2**29  # of cases that wait, but for one
Key = tuple[str, int]  # domain and number of the time
Opener = Callable[[], Mapping[str, Cases]]  # makes the cases of each domain; it can be pickled


class SlotError(Exception):
    """A slot that cannot be read or analysed; the message is the reason."""


class CaseReader:
    """The cases of slots in order, each read ahead in a process of its own."""

    def __init__(self, opener: Opener, statics: Mapping[str, Static], seconds: float):
        """Start nothing yet.

        Args:
            opener: called in the other process; statics: domain -> terrain, which is not sent.
            seconds: after which a case that is not there counts as failed, and the process is ended.
        """
        self._opener, self._statics, self._seconds = opener, statics, seconds

    def read(self, keys: Iterable[Key]) -> Generator[tuple[Key, Case | SlotError], None, None]:
        """The case of each key, or why there is none. Keys are taken as they are needed; closing ends the process."""
        following, pending = iter(keys), deque[Key]()
        while pending or (pending := deque(itertools.islice(following, AHEAD))):
            with _Process(self._opener) as process:
                for key in pending:
                    process.ask(key)
                while pending:
                    try:
                        message = process.take(self._seconds)
                    except SlotError as error:  # the process is gone, and this key with it: another one reads the rest
                        yield pending.popleft(), error
                        break
                    for key in itertools.islice(following, 1):
                        process.ask(key)
                        pending.append(key)
                    yield pending.popleft(), self._unpacked(message)

    def _unpacked(self, message: bytes) -> Case | SlotError:
        return _Unpickler(io.BytesIO(message), self._statics).load()


class _Process:
    """The other process, and the thread that takes its messages from the pipe."""

    def __init__(self, opener: Opener):
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads or a GPU may hang
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, opener), daemon=True)
        self._process.start()
        theirs.close()
        self._waiting: queue.Queue = queue.Queue()
        self._room, self._bytes, self._is_closed = threading.Condition(), 0, False
        self._thread = threading.Thread(target=self._receive, name="slot_reader", daemon=True)
        self._thread.start()

    def __enter__(self) -> "_Process":
        return self

    def __exit__(self, *_) -> None:
        with self._room:
            self._is_closed = True
            self._room.notify()
        self._process.kill()
        self._process.join()
        self._thread.join()
        self._pipe.close()

    def ask(self, key: Key) -> None:
        """Ask for a case, which comes in its turn."""
        with contextlib.suppress(OSError):  # the process is gone, which `take` tells
            self._pipe.send(key)

    def take(self, seconds: float) -> bytes:
        """The next message.

        Raises:
            SlotError: the process ended, or did not answer in time.
        """
        try:
            message = self._waiting.get(timeout=seconds)
        except queue.Empty:
            raise SlotError(f"its input was not read within {seconds:g} s") from None
        if message is None:
            self._process.join()
            code = self._process.exitcode or 0
            how = f"was ended by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with {code}"
            raise SlotError(f"the process that read its input {how}")
        with self._room:
            self._bytes -= len(message)
            self._room.notify()
        return message

    def _receive(self) -> None:
        try:
            while True:
                message = self._pipe.recv_bytes()
                with self._room:
                    self._room.wait_for(lambda: self._bytes == 0 or self._bytes < MOST_BYTES or self._is_closed)
                    if self._is_closed:
                        return
                    self._bytes += len(message)
                self._waiting.put(message)
        except (EOFError, OSError):
            self._waiting.put(None)


def _serve(pipe, opener: Opener) -> None:
    """The life of the other process: read the case of each key that is asked for, and send it, until the pipe ends."""
    for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):  # nobody asks any more
        own = CaseSource(opener())
        for _, content in own.read(iter(pipe.recv, None)):
            pipe.send_bytes(_packed(content))


def reason_of(error: BaseException) -> str:
    """Why a slot failed, on one line: an error's own words where they are for users, else with its kind."""
    words = str(error) if is_users(error) else f"{type(error).__name__}: {error}"
    return " ".join(words.split())


def _packed(content: Case | SlotError) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, content.static if isinstance(content, Case) else None).dump(content)
    return buffer.getvalue()


class _Pickler(pickle.Pickler):
    """Leaves out terrain and land of the domain, but for the domain's name."""

    def __init__(self, file, static: Static | None):
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._static = static

    def persistent_id(self, obj):
        return obj.domain.name if obj is self._static and obj is not None else None


class _Unpickler(pickle.Unpickler):
    """Puts terrain and land of this process in their place."""

    def __init__(self, file, statics: Mapping[str, Static]):
        super().__init__(file)
        self._statics = statics

    def persistent_load(self, pid):
        return self._statics[pid]


@dataclass(frozen=True)
class CaseSource:
    """Cases read in this process when they are asked for: for methods that read files themselves, and for tests.

    Attributes:
        sources: domain -> its cases.
    """

    sources: Mapping[str, Cases]

    def read(self, keys: Iterable[Key]) -> Generator[tuple[Key, Case | SlotError], None, None]:
        """As of `CaseReader.read`."""
        for domain, number in keys:
            source = self.sources[domain]
            try:
                yield (domain, number), source.case(number, Box.whole(source.contents.domain.shape))
            except Exception as error:
                yield (domain, number), SlotError(reason_of(error))
