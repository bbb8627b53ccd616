"""Linked pages to training sequences (section 3 of the paper; the released code's rules).

A paragraph is split into sentences, each sentence into pieces at the boundaries of its links, each
piece into tokens. Sentences of one page are then packed into sequences.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mluke_core.errors import ConfigError
from mluke_core.io.parquet import stage_metadata
from mluke_core.io.progress import Progress
from mluke_core.sequences.links import (
    NO_ITEM,
    OUTSIDE_VOCABULARY,
    LinkedPage,
    TargetIndex,
    linked_pages,
)
from mluke_core.sequences.segments import Segmenter
from mluke_core.sequences.sentences import SentenceSplitter, word_counter
from mluke_core.sequences.store import SequenceWriter
from mluke_core.sequences.tokenizer import Tokenizer

log = logging.getLogger("mluke")

Mention = tuple[int, int, int]
"""Entity id, first token, end token."""


@dataclass(frozen=True)
class SequenceSettings:
    """The section ``sequences`` of the configuration."""

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
    words: int = 0
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


def is_validation(language: str, page_id: int, share: float, seed: int) -> bool:
    """Whether a page is held out: a hash of seed, language and page, uniform in [0, 1)."""
    digest = hashlib.sha256(f"{seed}:{language}:{page_id}".encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def build_sequences(
    language: str,
    pages: Path,
    targets: TargetIndex,
    tokenizer: Tokenizer,
    settings: SequenceSettings,
    seed: int,
    output: Path,
) -> SequenceCounts:
    """Write the sequences of one page file, in the order of its pages.

    Args:
        language: language of the pages; sentences are split by its rules.
        pages: page file.
        targets: entity of each link target of the file.
        tokenizer: the model's tokenizer.
        settings: limits.
        seed: of the hash that holds pages out.
        output: the Parquet file to write (``store.SCHEMA``).
    """
    counts = SequenceCounts()
    packer = PagePacker(language, tokenizer.segmenter, settings, counts)
    metadata = stage_metadata(
        "build_sequences", {**vars(settings), "seed": seed, "tokenizer": tokenizer.digest}, language
    )
    count_words = word_counter(language)
    with (
        SequenceWriter(output, metadata, tokenizer.segmenter.to_ids) as writer,
        Progress(f"sequences {language}", unit="page") as progress,
    ):
        for batch in linked_pages(pages, targets):
            for page in batch:
                counts.pages += 1
                counts.paragraphs += len(page.texts)
                counts.characters += sum(map(len, page.texts))
                counts.words += sum(map(count_words, page.texts))
                counts.links += sum(map(len, page.links))
            for page, sequences in zip(batch, packer.sequences(batch), strict=True):
                held_out = is_validation(language, page.page_id, settings.validation_share, seed)
                for sequence in sequences:
                    counts.sequences += 1
                    counts.validation_sequences += held_out
                    counts.tokens += len(sequence.tokens)
                    counts.entities += len(sequence.mentions)
                    writer.append(
                        page.page_id,
                        held_out,
                        sequence.tokens,
                        [mention[0] for mention in sequence.mentions],
                        [mention[1] for mention in sequence.mentions],
                        [mention[2] for mention in sequence.mentions],
                    )
            progress.update(len(batch))
    if not counts.sequences:
        log.warning("%s: no sequence with a link to the entity vocabulary", pages)
    return counts


@dataclass(slots=True)
class Sequence:
    """Tokens without special tokens, and the mentions among them."""

    tokens: list[int] = field(default_factory=list)
    """Raw numbers of the tokenizer."""
    mentions: list[Mention] = field(default_factory=list)


Plan = list[list[int]]
"""Per sentence of a page, what each of its segments is: an entity id, or ``PLAIN``."""

PLAIN = -3


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
                plan += self._cut(text, links, segments, before)
            plans.append(plan)
        tokens = iter(self._segmenter.encode_many(segments, before))
        return [self._pack(plan, tokens) for plan in plans]

    def _cut(
        self,
        text: str,
        links: list[tuple[int, int, int]],
        segments: list[str],
        before: list[str],
    ) -> Plan:
        """Cut a paragraph into sentences and those at the boundaries of links inside them.

        Args:
            text: the paragraph.
            links: (start, end, entity id or negative reason) in order of start.
            segments: gets the pieces of text.
            before: gets the character before each piece, empty at the start of the paragraph.
        """
        counts = self._counts
        plan: Plan = []
        start = next_link = 0

        def add(first: int, last: int, entity: int) -> None:
            segments.append(text[first:last])
            before.append(text[first - 1 : first])
            sentence.append(entity)

        for end in self._splitter.ends(text):
            sentence: list[int] = []
            position = start
            while next_link < len(links) and links[next_link][0] < end:
                link_start, link_end, entity = links[next_link]
                next_link += 1
                if link_start < position:
                    counts.links_overlapping += 1
                    continue
                if link_end > end:
                    counts.links_across_sentences += 1
                    continue
                if entity == NO_ITEM:
                    counts.links_without_item += 1
                elif entity == OUTSIDE_VOCABULARY:
                    counts.links_outside_vocabulary += 1
                if link_start > position:
                    add(position, link_start, PLAIN)
                add(link_start, link_end, entity if entity >= 0 else PLAIN)
                position = link_end
            if position < end:
                add(position, end, PLAIN)
            plan.append(sentence)
            start = end
        counts.links_without_tokens += len(links) - next_link
        return plan

    def _pack(self, plan: Plan, tokens: Iterator[list[int]]) -> list[Sequence]:
        """Pack the sentences of one page into sequences; ``tokens`` are those of its segments."""
        settings, counts = self._settings, self._counts
        packed = [Sequence()]
        for segments in plan:
            sentence = self._join(segments, tokens)
            length = len(sentence.tokens)
            if not settings.minimum_sentence_tokens <= length <= settings.maximum_tokens:
                if length < settings.minimum_sentence_tokens:
                    counts.sentences_too_short += 1
                else:
                    counts.sentences_too_long += 1
                counts.links_in_dropped_sentences += len(sentence.mentions)
                continue
            counts.sentences += 1
            if len(packed[-1].tokens) + length > settings.maximum_tokens:
                packed.append(Sequence())
            sequence = packed[-1]
            offset = len(sequence.tokens)
            sequence.tokens += sentence.tokens
            sequence.mentions += [
                (entity, start + offset, end + offset) for entity, start, end in sentence.mentions
            ]
        kept = []
        for sequence in packed:
            if sequence.mentions:
                beyond = len(sequence.mentions) - settings.maximum_entities
                counts.links_beyond_limit += max(0, beyond)
                del sequence.mentions[settings.maximum_entities :]
                kept.append(sequence)
            elif sequence.tokens:
                counts.sequences_without_links += 1
        return kept

    def _join(self, segments: list[int], tokens: Iterator[list[int]]) -> Sequence:
        """One sentence: the tokens of its segments, and those that are mentions."""
        sentence = Sequence()
        words = sentence.tokens
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
            sentence.mentions.append((entity, first, last))
        return sentence
