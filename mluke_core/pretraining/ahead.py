"""Making the next item in a thread while the current one is used."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


def one_ahead(items: Iterator[Item], thread: ThreadPoolExecutor) -> Iterator[Item]:
    """The same items; the next one is being made in ``thread`` while the caller has this one.

    What making an item raises is raised here, in its turn.

    >>> with ThreadPoolExecutor(1) as thread:
    ...     list(one_ahead(iter("abc"), thread))
    ['a', 'b', 'c']
    """
    end = object()
    following = thread.submit(next, items, end)
    while (item := following.result()) is not end:
        following = thread.submit(next, items, end)
        yield item  # type: ignore[misc]
