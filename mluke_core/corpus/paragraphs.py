"""Paragraphs with links: one by one, and as the flat columns they are collected in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

Link = tuple[int, int, str]
"""Start and end (characters of the paragraph's text, end exclusive) and the normalised target."""


class Paragraph(NamedTuple):
    """A paragraph, list item or heading."""

    text: str
    """Plain text without line feeds; white space is single spaces, none at the ends."""
    links: list[Link]
    """Sorted, not overlapping, none empty; ``text[start:end]`` is the anchor."""
    kind: str = "text"
    """``text``, ``item`` (of a list, or indented) or ``heading``."""


class Columns:
    """Paragraphs as flat lists, from which Arrow builds nested ones without an object for each.

    ``texts``, ``kinds`` and ``links`` (their number) have an entry per paragraph; ``starts``,
    ``ends`` and ``targets`` one per link.

    >>> columns = Columns()
    >>> columns.extend([Paragraph("The cats.", [(4, 8, "Cat")])])
    >>> columns.starts, columns.paragraphs()
    ([4], [Paragraph(text='The cats.', links=[(4, 8, 'Cat')], kind='text')])
    """

    __slots__ = ("ends", "kinds", "links", "starts", "targets", "texts")

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.kinds: list[str] = []
        self.links: list[int] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.targets: list[str] = []

    def extend(self, paragraphs: Iterable[Paragraph]) -> None:
        """Add paragraphs."""
        for text, links, kind in paragraphs:
            self.put_links(links)
            self.texts.append(text)
            self.kinds.append(kind)
            self.links.append(len(links))

    def paragraphs(self) -> list[Paragraph]:
        """All of them, one by one."""
        links = zip(self.starts, self.ends, self.targets, strict=True)
        return [
            Paragraph(text, [next(links) for _ in range(count)], kind)
            for text, count, kind in zip(self.texts, self.links, self.kinds, strict=True)
        ]

    def take_links(self, first: int) -> list[Link]:
        """Remove and return the links from number ``first`` on."""
        taken = zip(self.starts[first:], self.ends[first:], self.targets[first:], strict=True)
        del self.starts[first:], self.ends[first:], self.targets[first:]
        return list(taken)

    def put_links(self, links: Iterable[Link]) -> None:
        """Add links behind the last."""
        for start, end, target in links:
            self.starts.append(start)
            self.ends.append(end)
            self.targets.append(target)
