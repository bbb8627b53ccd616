"""Put a name into a sentence: articles, contractions and case endings.

A template asks for a name in a *form*: ``{o:in}`` is "in der Schweiz" in German, "au Japon" in
French and, as ``{o:loc}``, "Almanya'da" in Turkish. Each form is the name itself with what stands
before and after it, so that the place of the name in the sentence stays known. Only what the
bundled templates need is covered.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Phrase:
    """A name as it stands in a sentence: ``before + surface + after``."""

    surface: str
    before: str = ""
    after: str = ""


Form = Callable[[str, str], Phrase]
"""From a name and the kind of its entity (``country``, ``person``, ...) to a phrase."""


def inflect(name: str, kind: str, form: str, language: str) -> Phrase:
    """``name`` of an entity of ``kind`` in one form of ``language``.

    Args:
        form: "" (as a subject), "bare" (never an article), or a form of the language.

    Raises:
        KeyError: the language has no such form.

    >>> inflect("Japon", "country", "in", "fr")
    Phrase(surface='Japon', before='au ', after='')
    >>> inflect("Almanya", "country", "loc", "tr").after
    "'da"
    """
    if form == "bare":
        return Phrase(name)
    forms = FORMS.get(language, {})
    if form == "" and "" not in forms:
        return Phrase(name)
    return forms[form](name, kind)


ENGLISH_ARTICLE = re.compile(
    r"(?:United (?:States|Kingdom|Nations|Arab Emirates)|Netherlands|Philippines|Czech Republic"
    r"|Dominican Republic|(?:European|African) Union|Arab League|Bahamas|Maldives"
    r"|Red Cross|New York Times|Walt Disney Company|University of .*)$"
)


def _english(name: str, kind: str) -> Phrase:
    if kind == "river" or ENGLISH_ARTICLE.match(name):
        return Phrase(name, "the ")
    return Phrase(name)


def _english_indefinite(name: str, kind: str) -> Phrase:
    return Phrase(name, "an " if name[0] in "aeiou" else "a ")


# Nominative, genitive and dative of the German names that take an article.
GERMAN_ARTICLES: dict[str, tuple[str, str, str]] = {
    "Schweiz": ("die Schweiz", "der Schweiz", "der Schweiz"),
    "Türkei": ("die Türkei", "der Türkei", "der Türkei"),
    "Ukraine": ("die Ukraine", "der Ukraine", "der Ukraine"),
    "Mongolei": ("die Mongolei", "der Mongolei", "der Mongolei"),
    "Slowakei": ("die Slowakei", "der Slowakei", "der Slowakei"),
    "Volksrepublik China": ("die Volksrepublik China",) + ("der Volksrepublik China",) * 2,
    "Tschechische Republik": ("die Tschechische Republik",) + ("der Tschechischen Republik",) * 2,
    "Iran": ("der Iran", "des Iran", "dem Iran"),
    "Irak": ("der Irak", "des Irak", "dem Irak"),
    "Libanon": ("der Libanon", "des Libanon", "dem Libanon"),
    "Sudan": ("der Sudan", "des Sudan", "dem Sudan"),
    "Niederlande": ("die Niederlande", "der Niederlande", "den Niederlanden"),
    "Philippinen": ("die Philippinen", "der Philippinen", "den Philippinen"),
    "Vereinigte Staaten": (
        "die Vereinigten Staaten",
        "der Vereinigten Staaten",
        "den Vereinigten Staaten",
    ),
    "Vereinigtes Königreich": (
        "das Vereinigte Königreich",
        "des Vereinigten Königreichs",
        "dem Vereinigten Königreich",
    ),
    "Europäische Union": ("die Europäische Union",) + ("der Europäischen Union",) * 2,
    "Afrikanische Union": ("die Afrikanische Union",) + ("der Afrikanischen Union",) * 2,
    "Arabische Liga": ("die Arabische Liga",) + ("der Arabischen Liga",) * 2,
    "Rotes Kreuz": ("das Rote Kreuz", "des Roten Kreuzes", "dem Roten Kreuz"),
    "Vereinte Nationen": (
        "die Vereinten Nationen",
        "der Vereinten Nationen",
        "den Vereinten Nationen",
    ),
}


def _german(case: int, preposition: str, preposition_without_article: str) -> Form:
    """Case 0, 1, 2: nominative, genitive, dative."""

    def form(name: str, kind: str) -> Phrase:
        if name in GERMAN_ARTICLES:
            article, _, surface = GERMAN_ARTICLES[name][case].partition(" ")
            return Phrase(surface, f"{preposition}{article} ")
        return Phrase(name, preposition_without_article)

    return form


FRENCH_PLURAL = {"États-Unis", "Pays-Bas", "Philippines", "Émirats arabes unis", "Nations unies"}
FRENCH_MASCULINE = {"Mexique", "Cambodge", "Mozambique", "Zimbabwe", "Suriname", "Belize"}
FRENCH_WITHOUT_ARTICLE = {
    "Cuba", "Israël", "Singapour", "Madagascar", "Chypre", "Malte", "Haïti", "Bahreïn", "Monaco",
}  # fmt: skip
FRENCH_VOWELS = "aeiouyàâäéèêëîïôöùûüœAEIOUYÀÂÄÉÈÊËÎÏÔÖÙÛÜŒ"


def _french_article(name: str, kind: str) -> str:
    """ "le ", "la ", "l'", "les " or "" when the name takes none."""
    union = name.startswith(("Union ", "Ligue ", "Croix", "Université")) or name in FRENCH_PLURAL
    if kind not in ("country", "continent") and not union:
        return ""
    if name in FRENCH_WITHOUT_ARTICLE:
        return ""
    if name in FRENCH_PLURAL:
        return "les "
    if name[0] in FRENCH_VOWELS:
        return "l'"
    head = name.split()[0]
    feminine = union or (head.endswith("e") and head not in FRENCH_MASCULINE)
    return "la " if feminine else "le "


def _french(name: str, kind: str) -> Phrase:
    return Phrase(name, _french_article(name, kind))


def _french_of(name: str, kind: str) -> Phrase:
    article = _french_article(name, kind)
    if not article:
        return Phrase(name, "d'" if name[0] in FRENCH_VOWELS else "de ")
    contracted = {"le ": "du ", "les ": "des "}
    return Phrase(name, contracted.get(article, f"de {article}"))


def _french_in(name: str, kind: str) -> Phrase:
    article = _french_article(name, kind)
    if article == "les ":
        return Phrase(name, "aux ")
    if article == "le ":
        return Phrase(name, "au ")
    return Phrase(name, "en " if article else "à ")


SPANISH_ARTICLES = {
    "Reino Unido": "el", "Países Bajos": "los", "Emiratos Árabes Unidos": "los",
    "República Checa": "la", "República Dominicana": "la", "Unión Europea": "la",
    "Unión Africana": "la", "Cruz Roja": "la", "Liga Árabe": "la", "Naciones Unidas": "las",
    "OTAN": "la", "OPEP": "la",
}  # fmt: skip


def _spanish(preposition: str) -> Form:
    def form(name: str, kind: str) -> Phrase:
        article = SPANISH_ARTICLES.get(name, "la" if name.startswith("Universidad") else None)
        if article is None:
            return Phrase(name, preposition)
        if preposition == "de " and article == "el":
            return Phrase(name, "del ")
        return Phrase(name, f"{preposition}{article} ")

    return form


DUTCH_ARTICLES = {
    "Verenigde Staten": "de", "Verenigd Koninkrijk": "het", "Filipijnen": "de",
    "Tsjechische Republiek": "de", "Europese Unie": "de", "Verenigde Naties": "de",
    "Rode Kruis": "het",
}  # fmt: skip


def _dutch(name: str, kind: str) -> Phrase:
    article = "de" if kind == "river" else DUTCH_ARTICLES.get(name)
    return Phrase(name, f"{article} " if article else "")


TURKISH_VOWELS = "aıoueiöüâîûáàãäåéèêëíìïóòôõúùAIOUEİÖÜÂÎÛÁÀÃÄÅÉÈÊËÍÌÏÓÒÔÕÚÙ"
# The vowel of a suffix by the last vowel of the name: four-way (ı i u ü) and two-way (a e).
TURKISH_HARMONY = {
    **dict.fromkeys("aıâáàãäåAIÂÁÀÃÄÅ", ("ı", "a")),
    **dict.fromkeys("eiîéèêëíìïEİÎÉÈÊËÍÌÏ", ("i", "e")),
    **dict.fromkeys("ouûóòôõúùOUÛÓÒÔÕÚÙ", ("u", "a")),
    **dict.fromkeys("öüÖÜ", ("ü", "e")),
}
TURKISH_VOICELESS = "fstkçşhpxFSTKÇŞHPX"
# Names that are possessive compounds ("Avrupa Birliği") take an n before case endings.
TURKISH_COMPOUND = re.compile(
    r".* .*(?:leri|ları|yeti|esi|ası|liği|lığı|Nehri|Sahili|Krallığı|Yolları)$"
)
TURKISH_PROPER = {
    "country",
    "city",
    "river",
    "person",
    "organisation",
    "continent",
    "state",
    "work",
}


def _turkish(case: str) -> Form:
    def form(name: str, kind: str) -> Phrase:
        vowels = [letter for letter in name if letter in TURKISH_VOWELS]
        narrow, wide = TURKISH_HARMONY[vowels[-1]] if vowels else ("i", "e")
        # A name spelt as consonants alone is read letter by letter and so ends in a vowel.
        open_end = not vowels or name[-1] in TURKISH_VOWELS
        compound = bool(TURKISH_COMPOUND.match(name))
        voiceless = not open_end and name[-1] in TURKISH_VOICELESS
        link = "n" if compound else ""
        stop = "t" if voiceless else "d"
        suffix = {
            "gen": ("n" if open_end else "") + narrow + "n",
            "loc": link + stop + wide,
            "abl": link + stop + wide + "n",
            "dat": (link or ("y" if open_end else "")) + wide,
            "acc": (link or ("y" if open_end else "")) + narrow,
            "cop": stop + narrow + "r",
        }[case]
        return Phrase(name, after=("'" if kind in TURKISH_PROPER else "") + suffix)

    return form


FORMS: dict[str, dict[str, Form]] = {
    "en": {"": _english, "a": _english_indefinite},
    "de": {
        "": _german(0, "", ""),
        "of": _german(1, "", "von "),
        "in": _german(2, "in ", "in "),
    },
    "fr": {"": _french, "of": _french_of, "in": _french_in},
    "es": {"": _spanish(""), "of": _spanish("de "), "in": _spanish("en ")},
    "nl": {"": _dutch},
    "tr": {case: _turkish(case) for case in ("gen", "loc", "abl", "dat", "acc", "cop")},
}
