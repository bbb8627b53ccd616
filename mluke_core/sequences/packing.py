"""Pages to sequences: sentences, pieces cut at links, packing within the limits of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mluke_core.errors import ConfigError
from mluke_core.sequences.links import LinkedPage
from mluke_core.sequences.segments import Segmenter
from mluke_core.sequences.sentences import SentenceSplitter
from mluke_core.sequences.target_index import NO_ITEM, OUTSIDE_VOCABULARY


@dataclass(frozen=True)
class SequenceSettings:
    """The limits of the section ``sequences`` of the configuration."""

    maximum_tokens: int = 510
    """Tokens of a sequence, and of a sentence: two positions of 512 are for <s> and </s>."""
    minimum_sentence_tokens: int = 5
    """Shorter sentences are dropped."""
    maximum_entities: int = 128
    """Mentions of a sequence; the first ones are kept."""
    maximum_mention_tokens: int = 30
    """Positions of a mention; the first ones are kept."""
    validation_share: float = 0.005
    """Share of the pages that is held out."""

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> SequenceSettings:
        """From the step's settings; :class:`ConfigError` for a value that makes no sense."""
        result = cls(**{key: settings[key] for key in cls.__dataclass_fields__ if key in settings})
        # Token offsets are stored as 16-bit numbers.
        if not 1 <= result.maximum_tokens <= 32_767:
            raise ConfigError(
                f"sequences.maximum_tokens is {result.maximum_tokens}; it must be 1 to 32767."
            )
        if not 0 <= result.validation_share < 1:
            raise ConfigError(
                f"sequences.validation_share is {result.validation_share}; it must be >= 0 and < 1."
            )
        for name in ("minimum_sentence_tokens", "maximum_entities", "maximum_mention_tokens"):
            if getattr(result, name) < 1:
                raise ConfigError(f"sequences.{name} is {getattr(result, name)}; it must be >= 1.")
        return result


@dataclass
class SequenceCounts:
    """What became of pages, sentences and links."""

    pages: int = 0
    paragraphs: int = 0
    characters: int = 0
    sentences: int = 0
    sentences_too_short: int = 0
    sentences_too_long: int = 0
    links: int = 0
    links_without_item: int = 0
    links_outside_vocabulary: int = 0
    links_across_sentences: int = 0
    """Not inside one sentence."""
    links_overlapping: int = 0
    """Begin inside another link."""
    links_without_tokens: int = 0
    links_in_dropped_sentences: int = 0
    links_beyond_limit: int = 0
    """More than ``maximum_entities`` in one sequence."""
    mentions_shortened: int = 0
    """Kept, with the first ``maximum_mention_tokens`` positions."""
    sequences_without_links: int = 0
    """Dropped."""
    sequences: int = 0
    validation_sequences: int = 0
    tokens: int = 0
    entities: int = 0

    def as_json(self) -> dict[str, int]:
        """All counts by name."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}


Mention = tuple[int, int, int]
"""Entity id, first token, end token."""


@dataclass(slots=True)
class Sequence:
    """Tokens without special tokens, and the mentions among them."""

    tokens: list[int] = field(default_factory=list)
    """Raw numbers of the tokenizer."""
    mentions: list[Mention] = field(default_factory=list)


Plan = list[list[int]]
"""Per sentence of a page, what each of its segments is: an entity id, or ``PLAIN``."""

PLAIN = -3
# The plan of a sentence without links, which most are: one object, so that `is` tells it.
_WITHOUT_LINKS = [PLAIN]


class PagePacker:
    """Sentences, tokens and packed sequences of pages in one language."""

    def __init__(
        self,
        language: str,
        segmenter: Segmenter,
        settings: SequenceSettings,
        counts: SequenceCounts,
    ) -> None:
        self._splitter = SentenceSplitter(language)
        self._segmenter = segmenter
        self._settings = settings
        self._counts = counts

    def sequences(self, pages: Iterable[LinkedPage]) -> list[list[Sequence]]:
        """The sequences of each page; those without a mention are left out.

        All segments of the pages are tokenized in one call, in the order they were cut.
        """
        segments: list[str] = []
        before: list[str] = []
        plans: list[Plan] = []
        for page in pages:
            plan: Plan = []
            for text, links in zip(page.texts, page.links, strict=True):
                self._cut(text, links, segments, before, plan)
            plans.append(plan)
        tokens = iter(self._segmenter.encode_many(segments, before))
        return [self._pack(plan, tokens) for plan in plans]

    def _cut(
        self,
        text: str,
        links: list[tuple[int, int, int]],
        segments: list[str],
        before: list[str],
        plan: Plan,
    ) -> None:
        """Cut a paragraph into sentences and those at the boundaries of links inside them.

        Args:
            text: the paragraph.
            links: (start, end, entity id or negative reason) in order of start.
            segments: gets the pieces of text.
            before: gets the character before each piece, empty at the start of the paragraph.
            plan: gets the sentences.
        """
        counts = self._counts
        start = next_link = 0
        # No link starts here: past the last one this is the end of the text.
        link_start = links[0][0] if links else len(text)
        for end in self._splitter.ends(text):
            if link_start >= end:
                segments.append(text[start:end])
                before.append(text[start - 1 : start])
                plan.append(_WITHOUT_LINKS)
                start = end
                continue
            sentence: list[int] = []
            position = start
            while link_start < end:
                _, link_end, entity = links[next_link]
                next_link += 1
                if link_start < position:
                    counts.links_overlapping += 1
                elif link_end > end:
                    counts.links_across_sentences += 1
                else:
                    if link_start > position:
                        segments.append(text[position:link_start])
                        before.append(text[position - 1 : position])
                        sentence.append(PLAIN)
                    if entity < 0:
                        counts.links_without_item += entity == NO_ITEM
                        counts.links_outside_vocabulary += entity == OUTSIDE_VOCABULARY
                        entity = PLAIN
                    segments.append(text[link_start:link_end])
                    before.append(text[link_start - 1 : link_start])
                    sentence.append(entity)
                    position = link_end
                link_start = links[next_link][0] if next_link < len(links) else len(text)
            if position < end:
                segments.append(text[position:end])
                before.append(text[position - 1 : position])
                sentence.append(PLAIN)
            plan.append(sentence)
            start = end
        counts.links_without_tokens += len(links) - next_link

    def _pack(self, plan: Plan, tokens: Iterator[list[int]]) -> list[Sequence]:
        """Pack the sentences of one page into sequences; ``tokens`` are those of its segments."""
        counts = self._counts
        shortest = self._settings.minimum_sentence_tokens
        longest = self._settings.maximum_tokens
        sequence = Sequence()
        packed = [sequence]
        kept_sentences = 0
        for segments in plan:
            if segments is _WITHOUT_LINKS:
                words, mentions = next(tokens), None
            else:
                words, mentions = self._join(segments, tokens)
            length = len(words)
            if not shortest <= length <= longest:
                counts.sentences_too_short += length < shortest
                counts.sentences_too_long += length > longest
                counts.links_in_dropped_sentences += len(mentions or ())
                continue
            kept_sentences += 1
            offset = len(sequence.tokens)
            if offset + length > longest:
                sequence = Sequence()
                packed.append(sequence)
                offset = 0
            sequence.tokens += words
            if mentions:
                sequence.mentions += [
                    (entity, start + offset, end + offset) for entity, start, end in mentions
                ]
        counts.sentences += kept_sentences
        return self._with_mentions(packed)

    def _join(
        self, segments: list[int], tokens: Iterator[list[int]]
    ) -> tuple[list[int], list[Mention]]:
        """One sentence: the tokens of its segments, and those that are mentions."""
        words: list[int] = []
        mentions: list[Mention] = []
        for entity in segments:
            first = len(words)
            words += next(tokens)
            if entity == PLAIN:
                continue
            last = len(words)
            if last == first:
                self._counts.links_without_tokens += 1
                continue
            if last - first > self._settings.maximum_mention_tokens:
                last = first + self._settings.maximum_mention_tokens
                self._counts.mentions_shortened += 1
            mentions.append((entity, first, last))
        return words, mentions

    def _with_mentions(self, packed: list[Sequence]) -> list[Sequence]:
        """The sequences that mention an entity, with the first mentions of each."""
        limit = self._settings.maximum_entities
        kept = []
        for sequence in packed:
            if sequence.mentions:
                self._counts.links_beyond_limit += max(0, len(sequence.mentions) - limit)
                del sequence.mentions[limit:]
                kept.append(sequence)
            elif sequence.tokens:
                self._counts.sequences_without_links += 1
        return kept
