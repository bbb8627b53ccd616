"""Answers that recur."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_Answer = TypeVar("_Answer")


class Remembered(dict[str, _Answer]):
    """Answers to strings, found out when first asked for.

    A dictionary, so that asking for what is known costs no call of Python code. When it is full,
    all is forgotten: what recurs is soon known again.

    Args:
        find_out: gives the answer to a string.
        most: how many are kept.
        longest: what is longer is found out every time.

    >>> lengths = Remembered(len, most=2, longest=3)
    >>> [lengths["a"], lengths["abcd"], lengths], [lengths["bc"], lengths["cde"], lengths]
    ([1, 4, {'cde': 3}], [2, 3, {'cde': 3}])
    """

    def __init__(self, find_out: Callable[[str], _Answer], most: int, longest: int) -> None:
        super().__init__()
        self._find_out = find_out
        self._most = most
        self._longest = longest

    def __missing__(self, asked: str) -> _Answer:
        answer = self._find_out(asked)
        if len(asked) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[asked] = answer
        return answer
