"""Searches that are quicker than the plain ones, compared with those."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mluke_core.corpus.characters import clean_characters
from mluke_core.corpus.expressions import any_name, holds_pair
from mluke_core.corpus.inline import BLOCK_TAGS, INLINE_TAGS
from mluke_core.corpus.reduce import DROPPED_ELEMENTS

TAGS = BLOCK_TAGS | INLINE_TAGS
LETTERS = st.text("abr", min_size=1, max_size=3)


@pytest.mark.parametrize("names", [TAGS, DROPPED_ELEMENTS], ids=["tags", "elements"])
def test_names_match_in_any_case_and_whole(names: frozenset[str] | tuple[str, ...]) -> None:
    tag = re.compile(f"<{any_name(names)}>")
    for name in names:
        assert tag.fullmatch(f"<{name}>")
        assert tag.fullmatch(f"<{name.title()}>")
        assert tag.fullmatch(f"<{name.upper()}>")
        assert not tag.fullmatch(f"<{name}x>")
        if name[:-1] not in names:
            assert not tag.fullmatch(f"<{name[:-1]}>")


@given(st.lists(LETTERS, min_size=1), LETTERS)
def test_names_are_all_that_matches(names: list[str], text: str) -> None:
    assert bool(re.fullmatch(any_name(names), text)) == (text in names)


@given(st.text("{|a"), st.sampled_from(["{{", "{|", "|a"]))
def test_pairs_are_found_as_by_in(text: str, pair: str) -> None:
    assert holds_pair(text, pair) == (pair in text)


@given(st.text("a é語\U0001f600\n"))
def test_several_spaces_become_one(text: str) -> None:
    assert clean_characters(text) == re.sub("  +", " ", text)
