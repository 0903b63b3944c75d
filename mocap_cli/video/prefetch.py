"""Prefetch: run an iterator a few items ahead in a thread, so that two kinds of work overlap."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

_T = TypeVar("_T")
_CHECK_SECONDS = 0.1  # between checks whether the consumer has stopped


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def prefetch(items: Iterator[_T], depth: int) -> Generator[_T, None, None]:
    """Yield the same items, produced up to `depth` ahead in a thread.

    An exception of `items` is raised here, in order. When the consumer stops early, the thread
    ends before this generator does.
    """
    ready: Queue[_T | _End] = Queue(depth)
    stopped = Event()
    thread = Thread(target=_produce, args=(items, ready, stopped), name="mocap-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


def _produce(items: Iterator[_T], ready: "Queue[_T | _End]", stopped: Event) -> None:
    try:
        for item in items:
            _put(item, ready, stopped)
            if stopped.is_set():
                return
    except BaseException as error:  # the consumer raises it
        _put(_End(error), ready, stopped)
    else:
        _put(_End(None), ready, stopped)


def _put(item: _T | _End, ready: "Queue[_T | _End]", stopped: Event) -> None:
    while not stopped.is_set():
        try:
            ready.put(item, timeout=_CHECK_SECONDS)
        except Full:
            continue
        return
