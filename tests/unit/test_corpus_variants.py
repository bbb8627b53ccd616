"""What `-{…}-` shows to a reader of Chinese and Serbian."""

from __future__ import annotations

import dataclasses

import pytest

from mluke_core.corpus.variants import Variants
from mluke_core.corpus.wikis import load_wiki


def rules(language: str, wanted: str = "") -> Variants:
    found = load_wiki(language).variant_rules
    assert found is not None
    return dataclasses.replace(found, wanted=wanted or found.wanted)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a-{b}-c", "abc"),
        ("-{zh-hans:计算机;zh-hant:電腦}-", "计算机"),
        ("-{zh-hant:電腦;zh-hans:计算机;}-", "计算机"),
        ("-{zh:原;zh-hans:计算机}-", "原"),
        ("-{zh-tw:甲;zh-hk:乙}-", "甲"),
        ("-{zh-my:甲;zh-sg:乙}-", "乙"),
        ("-{ZH-HANS : 计 ; zh-hant:電 }-", "计"),
        # One-way rules convert; who reads unconverted text sees the first.
        ("-{電腦=>zh-cn:计算机;電腦=>zh-tw:電腦}-", "计算机"),
        ("-{A|電腦=>zh:甲}-", "甲"),
        ("-{zh-hans:a;b;zh-hant:c}-", "a;b"),
        ("-{zh-hans:&lt;a;zh-hant:c}-", "&lt;a"),
        ("-{zh-hans:http://x;zh-hant:c}-", "http://x"),
        ("-{a:b}-", "a:b"),
        ("-{zh-hans:a;xx:b;zh-hant:c}-", "a;xx:b"),
        ("-{zh-hans:;zh-hant:c}-", "c"),
        ("-{}-", ""),
        ("-{{a}}-", "{a}"),
        ("-{a-b{c}d}-", "a-b{c}d"),
        ("-{ -{zh-cn:[[甲|乙]];zh-tw:丙}- }-", " [[甲|乙]] "),
        ("-{[[甲|乙]]}-", "[[甲|乙]]"),
        ("a-{b", "a-{b"),
        ("a}-b", "a}-b"),
        ("-{zh-hant:甲;zh-Hans:乙}-", "乙"),
        ("-{zh-Hant-TW:甲;zh-Hans-CN:乙}-", "乙"),
    ],
)
def test_chinese(text: str, shown: str) -> None:
    assert rules("zh").convert(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-{R|zh-cn:a;zh-tw:b}-", "zh-cn:a;zh-tw:b"),
        ("-{R;A|zh-cn:a}-", "zh-cn:a"),
        ("-{N|zh-cn}-", "大陆"),
        ("-{N|fr}-", ""),
        ("-{A|zh-cn:a;zh-tw:b}-", "a"),
        ("-{A|b}-", "b"),
        ("-{H|zh-cn:a;zh-tw:b}-", ""),
        ("-{H|b}-", ""),
        ("-{T|zh-cn:a;zh-tw:b}-", ""),
        ("-{T|b}-", ""),
        ("-{H;T|b}-", ""),
        ("-{-|zh-cn:a;zh-tw:b}-", ""),
        ("-{D|zh-cn:a;zh-tw:b}-", "大陆：a；臺灣：b；"),
        ("-{H;D|zh-cn:a}-", "大陆：a；"),
        ("-{A;D|zh-cn:a}-", ""),
        ("-{D|a}-", "a"),
        ("-{+|zh-cn:a;zh-tw:b}-", "a"),
        ("-{ A ; x |zh-cn:a}-", "a"),
        ("-{zh-hans;zh-hant|甲}-", "甲"),
        ("-{|a}-", "a"),
    ],
)
def test_flags(text: str, shown: str) -> None:
    assert rules("zh").convert(text) == shown


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("zh-hans", "大"),
        ("zh-cn", "大"),
        ("zh-sg", "大"),
        ("zh-my", "大"),
        ("zh-hant", "臺"),
        ("zh-tw", "臺"),
        ("zh-hk", "港"),
        ("zh-mo", "港"),
    ],
)
def test_every_variant_falls_back_in_its_own_order(wanted: str, shown: str) -> None:
    assert rules("zh", wanted).convert("-{zh-hk:港;zh-tw:臺;zh-cn:大}-") == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("-{sr-ec:реч;sr-el:reč}-", "реч"),
        ("-{sr-el:reč;sr-ec:реч}-", "реч"),
        ("-{sr-el:reč}-", "reč"),
        ("-{sr:a;sr-ec:b}-", "a"),
        ("-{HTML}-", "HTML"),
        ("-{писмо|sr-ec:а;sr-el:a}-", "а"),
        ("-{S|sr-ec:а;sr-el:a}-", "а"),
        ("-{W|sr-ec:а;sr-el:a}-", "а"),
        ("-{zh-hans:a;zh-hant:b}-", "zh-hans:a;zh-hant:b"),
    ],
)
def test_serbian(text: str, shown: str) -> None:
    assert rules("sr").convert(text) == shown
    assert rules("sr", "sr-el").convert("-{sr-el:reč;sr-ec:реч}-") == "reč"
