"""Turn mLAMA questions into masked inputs, and candidates into word ids.

A template is cut at its subject and object, so that no token crosses them, as pretraining cuts text
at links and as the authors' script does for every model. What stands around the object is then the
same for every candidate: a question is encoded once, and any number of masks put in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mluke_core.modeling.inputs import Example
from mluke_core.probes.mlama_data import OBJECT, SUBJECT, Relation
from mluke_core.sequences.tokenizer import Tokenizer

# Stands for the part of a template that is not known yet: no space, and for BERT no letter, so that
# what follows it is encoded as after a mask token.
PLACEHOLDER = "-"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A question around the place of its object."""

    before: list[int]
    """Word ids before the object, the first special token included."""
    after: list[int]
    """Word ids behind the object, the last special token included."""
    subject_start: int
    subject_end: int
    """Tokens of the subject in ``before + after``, end exclusive."""

    def length(self, masks: int) -> int:
        """Number of tokens with so many masks."""
        return len(self.before) + masks + len(self.after)

    def subject_span(self, masks: int) -> tuple[int, int]:
        """Token positions of the subject with so many masks in the middle."""
        shift = masks if self.subject_start >= len(self.before) else 0
        return self.subject_start + shift, self.subject_end + shift

    def object_span(self, masks: int) -> tuple[int, int]:
        """Token positions of the masks."""
        return len(self.before), len(self.before) + masks

    def example(
        self,
        masks: int,
        mask_id: int,
        entities: Sequence[int] = (),
        spans: Sequence[tuple[int, int]] = (),
    ) -> Example:
        """Input with so many masks for the object."""
        return Example([*self.before, *[mask_id] * masks, *self.after], entities, spans)


def make_prompt(tokenizer: Tokenizer, template: str, subject: str) -> Prompt:
    """Encode a template with one ``[X]`` and one ``[Y]`` for this subject."""
    subject_first = template.index(SUBJECT) < template.index(OBJECT)
    first, second = (SUBJECT, OBJECT) if subject_first else (OBJECT, SUBJECT)
    filled = {SUBJECT: subject, OBJECT: PLACEHOLDER}
    start, rest = template.split(first)
    middle, end = rest.split(second)
    spans = []
    text = start
    for slot, following in ((first, middle), (second, end)):
        spans.append((len(text), len(text) + len(filled[slot])))
        text += filled[slot] + following
    ids, token_spans = tokenizer.encode_with_spans(text, spans)
    subject_span, object_span = token_spans if subject_first else token_spans[::-1]
    before = [tokenizer.bos_id, *ids[: object_span[0]]]
    after = [*ids[object_span[1] :], tokenizer.eos_id]
    removed = 0 if subject_first else object_span[1] - object_span[0]
    shift = 1 - removed
    return Prompt(before, after, subject_span[0] + shift, subject_span[1] + shift)


def candidate_ids(tokenizer: Tokenizer, relation: Relation) -> list[list[int]]:
    """Word ids of every candidate as it stands in the template; empty when it has no token."""
    head, _, _ = relation.template.partition(OBJECT)
    head = head.replace(SUBJECT, PLACEHOLDER)
    ids = []
    for candidate in relation.candidates:
        text = head + candidate
        encoded, [(start, end)] = tokenizer.encode_with_spans(text, [(len(head), len(text))])
        ids.append(encoded[start:end])
    return ids


@dataclass(frozen=True)
class LengthGroup:
    """The candidates of one relation that have the same number of tokens.

    Shapes: C candidates of this group, K tokens of each, U distinct word ids among them.
    """

    masks: int
    """K, the number of masks they are scored with."""
    candidates_C: NDArray[np.int64]
    """Index of each among the relation's candidates."""
    unique_ids_U: NDArray[np.int64]
    columns_CK: NDArray[np.int64]
    """Column of each token in ``unique_ids_U``."""


def group_by_length(ids: Sequence[Sequence[int]]) -> list[LengthGroup]:
    """Group candidates by number of tokens, shortest first; those without tokens are left out."""
    members: dict[int, list[int]] = {}
    for index, tokens in enumerate(ids):
        if tokens:
            members.setdefault(len(tokens), []).append(index)
    groups = []
    for masks, indices in sorted(members.items()):
        table_CK = np.array([ids[index] for index in indices], dtype=np.int64)
        unique_U, columns = np.unique(table_CK, return_inverse=True)
        groups.append(
            LengthGroup(masks, np.array(indices), unique_U, columns.reshape(table_CK.shape))
        )
    return groups
