import random

import pytest

from mluke_core.miniature.facts import LANGUAGES, Fact, load_world
from mluke_core.miniature.grammar import Grammar, turkish_suffix
from mluke_core.miniature.links import LinkWriter
from mluke_core.miniature.sentences import SentenceWriter
from mluke_core.miniature.tables import labels, namespaces, read_table
from mluke_core.miniature.wikitext import Line


@pytest.fixture(scope="module")
def world():
    return load_world()


@pytest.mark.parametrize(
    ("language", "key", "form", "expected"),
    [
        ("de", "switzerland", "in", "in der Schweiz"),
        ("de", "netherlands", "in", "in den Niederlanden"),
        ("de", "united_kingdom", "in", "im Vereinigten Königreich"),
        ("de", "united_states", "", "die Vereinigten Staaten"),
        ("de", "iran", "acc", "den Iran"),
        ("de", "france", "in", "in Frankreich"),
        ("de", "france", "gen", "Frankreichs"),
        ("de", "rhine", "an", "am Rhein"),
        ("de", "european_union", "von", "von der Europäischen Union"),
        ("fr", "japan", "en", "au Japon"),
        ("fr", "france", "en", "en France"),
        ("fr", "iran", "en", "en Iran"),
        ("fr", "united_states", "de", "des États-Unis"),
        ("fr", "athens", "de", "d'Athènes"),
        ("fr", "cairo", "en", "au Caire"),
        ("fr", "cuba", "en", "à Cuba"),
        ("es", "rhine", "de", "del Rin"),
        ("es", "netherlands", "de", "de los Países Bajos"),
        ("en", "united_states", "", "the United States"),
        ("en", "actor", "a", "an actor"),
        ("en", "physicist", "pl", "physicists"),
        ("nl", "germany", "gen", "Duitslands"),
        ("nl", "rhine", "", "de Rijn"),
        ("tr", "germany", "gen", "Almanya'nın"),
        ("tr", "tokyo", "loc", "Tokyo'da"),
        ("tr", "paris", "cop", "Paris'tir"),
        ("tr", "united_states", "loc", "Amerika Birleşik Devletleri'nde"),
        ("tr", "german", "cop", "Almancadır"),
        ("tr", "physicist", "pl", "fizikçiler"),
        ("ar", "france", "wa", "وفرنسا"),
        ("ar", "japan", "li", "لليابان"),
        ("ar", "france", "li", "لفرنسا"),
        ("ja", "france", "anything", "フランス"),
    ],
)
def test_forms(world, language, key, form, expected):
    phrase = Grammar(language).phrase(world.entities[key], form)
    assert phrase is not None
    shown = phrase.before + phrase.prefix + phrase.name + phrase.trail + phrase.after
    assert shown == expected


def test_some_names_lack_a_form(world):
    assert Grammar("de").phrase(world.entities["paris"], "gen") is None
    assert Grammar("de").phrase(world.entities["physician"], "pl") is None
    assert Grammar("fr").phrase(world.entities["politician"], "pl") is None


def test_words_for_women(world):
    phrase = Grammar("de").phrase(world.entities["physicist"], "", female=True)
    assert phrase is not None and phrase.name == "Physikerin"


def test_unknown_turkish_form():
    with pytest.raises(ValueError, match="Turkish form 'xyz'"):
        turkish_suffix("Ankara", "xyz")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fact_has_a_sentence_that_names_both_ends(world, language):
    writer = SentenceWriter(world, language, LinkWriter(world, language, "x"))
    rng = random.Random(1)
    for fact in world.facts:
        line = Line(language)
        writer.fact(line, fact, None, rng)
        paragraph = line.paragraph
        assert paragraph.text[-1] in ".。"
        assert paragraph.text[0] == paragraph.text[0].upper()
        assert "{" not in paragraph.text and "<" not in paragraph.text
        assert len(paragraph.links) <= 2


def test_sentences_agree_with_their_subject(world):
    writer = SentenceWriter(world, "de", LinkWriter(world, "de", "x"))
    shown = set()
    for seed in range(20):
        line = Line("de")
        writer.fact(line, Fact("netherlands", "P30", "europe"), None, random.Random(seed))
        shown.add(line.paragraph.text)
    assert shown == {
        "Die Niederlande sind ein Land in Europa.",
        "Die Niederlande liegen auf dem Kontinent Europa.",
    }


def test_tables_are_complete():
    keys = {row["key"] for row in read_table("sentences")}
    for language in LANGUAGES:
        own = {row["key"] for row in read_table("sentences") if row["language"] == language}
        assert own == keys, language
        assert all(labels(language).values())
        assert all(name for number, name in namespaces(language).items() if number)
