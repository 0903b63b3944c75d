"""Run an iterator a few items ahead in a thread, so that two kinds of work overlap."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

_T = TypeVar("_T")
_PATIENCE_SECONDS = 0.1  # how long the thread may take to notice that nobody wants more


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def prefetch(items: Iterator[_T], depth: int) -> Generator[_T, None, None]:
    """Give the same items, made up to `depth` ahead in a thread of their own.

    What `items` raises is raised here, at its place in the order. When the consumer stops
    early, the thread has ended before this generator has.
    """
    ready: Queue[_T | _End] = Queue(depth)
    unwanted = Event()
    maker = Thread(target=_make, args=(items, ready, unwanted), name="mocap-ahead", daemon=True)
    maker.start()
    try:
        while not isinstance(item := ready.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        unwanted.set()
        maker.join()


def _make(items: Iterator[_T], ready: "Queue[_T | _End]", unwanted: Event) -> None:
    try:
        for item in items:
            _put(item, ready, unwanted)
            if unwanted.is_set():
                return
    except BaseException as error:  # the consumer raises it
        _put(_End(error), ready, unwanted)
    else:
        _put(_End(None), ready, unwanted)


def _put(item: _T | _End, ready: "Queue[_T | _End]", unwanted: Event) -> None:
    while not unwanted.is_set():
        try:
            ready.put(item, timeout=_PATIENCE_SECONDS)
        except Full:
            continue
        return
