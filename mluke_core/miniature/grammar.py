"""How the name of an entity is put into a sentence in each language.

Articles and declined names are in ``data/definite.tsv``; Turkish suffixes and Arabic prefixes are
computed. The sentences need to be acceptable, not perfect: foreign names are read as they are
written.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from mluke_core.miniature.facts import Entity
from mluke_core.miniature.tables import read_table


@dataclass(frozen=True)
class Phrase:
    """An entity's name in a grammatical form, in the order in which the parts are written."""

    before: str
    """Article or preposition; not part of a link."""
    prefix: str
    """Letters joined to the name in front (Arabic); shown as part of a link."""
    name: str
    trail: str = ""
    """Letters joined to the name behind; shown as part of a link."""
    after: str = ""
    """A suffix behind an apostrophe (Turkish); not part of a link."""


class Grammar:
    """Forms of names in one language.

    A form is ``""`` (nominative, with its article), ``bare`` (no article) or a form of the
    language: de acc dat in von an gen pl, fr de a en pl, es de a pl, en a pl, nl gen pl,
    tr gen loc dat abl cop pl, ar wa li.
    """

    def __init__(self, language: str) -> None:
        self.language = language

    @cached_property
    def _definite(self) -> dict[str, tuple[str, str, str]]:
        """key -> article, name behind the article, name in the oblique cases (German)."""
        return {
            row["key"]: (row["article"], row["definite"], row["oblique"])
            for row in read_table("definite")
            if row["language"] == self.language
        }

    @cached_property
    def _feminine(self) -> dict[str, str]:
        if self.language not in ("ar", "de", "es", "fr", "nl"):
            return {}
        return {row["key"]: row[self.language] for row in read_table("feminine")}

    def is_plural(self, entity: Entity) -> bool:
        """Whether verbs agree in the plural with this name (``die Niederlande sind``)."""
        article = self._definite.get(entity.key, ("",))[0]
        return article in ("pl", "les", "los")

    def phrase(self, entity: Entity, form: str, female: bool = False) -> Phrase | None:
        """``entity`` in ``form``; ``None`` when the name does not have that form.

        ``female`` asks for the word for a woman where an occupation has one.
        """
        name = entity.names[self.language]
        if female and form != "pl":
            name = self._feminine.get(entity.key, name)
        article, definite, oblique = self._definite.get(entity.key, ("", "", ""))
        definite = definite or name
        oblique = oblique or definite
        if form == "bare":
            return Phrase("", "", name)
        method = getattr(self, f"_{self.language}", None)
        if method is None:
            return Phrase("", "", name)
        if form == "pl":
            return self._plural(name)
        phrase: Phrase | None = method(entity, form, name, article, definite, oblique)
        return phrase

    def _plural(self, name: str) -> Phrase | None:
        endings = {
            "en": (("y", None), ("", "s")),
            "de": (("Arzt", None), ("er", "n"), ("e", "n"), ("", "en")),
            "es": (("ista", "s"), ("o", "s"), ("a", "s"), ("e", "s"), ("r", "es"), ("", None)),
            "fr": (("", "s"),),
            "nl": (
                *((stem, None) for stem in ("oof", "oog", "oom", "icus")),
                *(("e", "n"), ("er", "s"), ("eur", "s"), ("or", "s"), ("", "en")),
            ),
        }
        if self.language == "tr":
            return Phrase("", "", name, _harmony(name, "lar", "ler"))
        if " " in name:
            return None
        for ending, suffix in endings[self.language]:
            if name.endswith(ending):
                return Phrase("", "", name, suffix) if suffix else None
        return None

    def _en(
        self, entity: Entity, form: str, name: str, article: str, definite: str, oblique: str
    ) -> Phrase | None:
        if form == "a":
            return Phrase("an " if name[0] in "aeiou" else "a ", "", name)
        return Phrase(f"{article} " if article else "", "", definite)

    def _nl(
        self, entity: Entity, form: str, name: str, article: str, definite: str, oblique: str
    ) -> Phrase | None:
        if form == "gen":
            if article or name[-1] in "aeiouyszx":
                return None
            return Phrase("", "", name, "s")
        if article == "pl":
            article = "de"
        return Phrase(f"{article} " if article else "", "", definite)

    def _de(
        self, entity: Entity, form: str, name: str, article: str, definite: str, oblique: str
    ) -> Phrase | None:
        if form == "gen":
            if article or name[-1] in "sßxz":
                return None
            return Phrase("", "", name, "s")
        if not article:
            preposition = {"in": "in ", "von": "von ", "an": "an "}.get(form, "")
            return Phrase(preposition, "", name)
        dative = {"der": "dem", "das": "dem", "die": "der", "pl": "den"}[article]
        contracted = {"in": ("im", "in"), "von": ("vom", "von"), "an": ("am", "an")}
        if form in contracted:
            short, long = contracted[form]
            before = short if dative == "dem" else f"{long} {dative}"
            return Phrase(f"{before} ", "", oblique)
        if form == "dat":
            return Phrase(f"{dative} ", "", oblique)
        nominative = "die" if article == "pl" else article
        if form == "acc" and article == "der":
            return Phrase("den ", "", oblique)
        return Phrase(f"{nominative} ", "", definite)

    def _fr(
        self, entity: Entity, form: str, name: str, article: str, definite: str, oblique: str
    ) -> Phrase | None:
        vowel = name[0] in "AEIOUÉÈÊÎÔÂaeiouéèêîôâœŒ"
        with_article = {"": "", "l'": "l'"}.get(article, f"{article} ")
        if form == "":
            return Phrase(with_article, "", definite)
        if form == "de":
            plain = "d'" if vowel else "de "
            before = {"": plain, "le": "du ", "la": "de la ", "l'": "de l'", "les": "des "}[article]
            return Phrase(before, "", definite)
        land = entity.kind in ("country", "continent")
        if form == "en" and land and article in ("la", "l'"):
            return Phrase("en ", "", definite)
        if form == "en" and land and article == "le" and vowel:
            return Phrase("en ", "", definite)
        before = {"": "à ", "le": "au ", "la": "à la ", "l'": "à l'", "les": "aux "}[article]
        return Phrase(before, "", definite)

    def _es(
        self, entity: Entity, form: str, name: str, article: str, definite: str, oblique: str
    ) -> Phrase | None:
        with_article = f"{article} " if article else ""
        if form in ("de", "a"):
            before = f"{form}l " if article == "el" else f"{form} {with_article}"
            return Phrase(before, "", definite)
        return Phrase(with_article, "", definite)

    def _ar(
        self, entity: Entity, form: str, name: str, article: str, definite: str, oblique: str
    ) -> Phrase | None:
        if form == "wa":
            return Phrase("", "و", name)
        if form == "li":
            # The article loses its alif behind li-, so that the name itself changes.
            return (
                Phrase("", "", "ل" + name[1:]) if name.startswith("ال") else Phrase("", "ل", name)
            )
        return Phrase("", "", name)

    def _tr(
        self, entity: Entity, form: str, name: str, article: str, definite: str, oblique: str
    ) -> Phrase | None:
        if form == "":
            return Phrase("", "", name)
        suffix = turkish_suffix(name, form)
        if entity.kind in ("language", "occupation"):
            return Phrase("", "", name, suffix)
        return Phrase("", "", name, "", f"'{suffix}")


def with_capital(phrase: Phrase, capitalize: str) -> Phrase:
    """``phrase`` at the start of a sentence; ``capitalize`` is its first shown letter, raised."""
    for part in ("before", "prefix", "name"):
        value: str = getattr(phrase, part)
        if value:
            return replace(phrase, **{part: capitalize + value[1:]})
    return phrase


_BACK = "aıouâûAIOU"
_FRONT = "eiöüîEİÖÜ"
_ROUND = "oöuüûOÖUÜ"
_VOICELESS = "fstkçşhpx"
# Last words that carry a possessive suffix take an -n- before the case ending.
_POSSESSIVE = (
    *("Nehri", "Devletleri", "Cumhuriyeti", "Birliği", "Üniversitesi", "Yolları", "Kıtası"),
    *("Hikâyesi", "Rüyası", "Maceraları", "Acıları", "Kökeni", "Gezisi", "Devriyesi"),
    *("Kaçışı", "Yalnızlık", "Gölü"),
)


def _plain(name: str) -> str:
    """``name`` with the vowels of other languages replaced by the nearest Turkish ones."""
    table = str.maketrans("áàãäéèêëíìïóòôúùñåøæyYÉÁÓł", "aaaaeeeeiiiooouunaöeiIEAOl")
    return name.translate(table)


def _last_vowel(name: str) -> str:
    for letter in reversed(_plain(name)):
        if letter in _BACK or letter in _FRONT:
            return letter
    return "e"


def _harmony(name: str, back: str, front: str) -> str:
    return back if _last_vowel(name) in _BACK else front


def turkish_suffix(name: str, form: str) -> str:
    """Case ending of a Turkish name by vowel harmony, without an apostrophe.

    >>> turkish_suffix("Almanya", "gen"), turkish_suffix("Paris", "loc")
    ('nın', 'te')
    """
    name = name.rstrip(".)")
    last = _last_vowel(name)
    back, round_ = last in _BACK, last in _ROUND
    narrow = ("u" if round_ else "ı") if back else ("ü" if round_ else "i")
    wide = "a" if back else "e"
    ends_in_vowel = _plain(name)[-1] in _BACK + _FRONT
    hard = "t" if name[-1] in _VOICELESS else "d"
    possessive = name.endswith(_POSSESSIVE) and ends_in_vowel
    buffer = "n" if possessive else ""
    if form == "gen":
        return f"{'n' if ends_in_vowel else ''}{narrow}n"
    if form == "loc":
        return f"{buffer}{hard}{wide}"
    if form == "abl":
        return f"{buffer}{hard}{wide}n"
    if form == "dat":
        return f"{buffer or ('y' if ends_in_vowel else '')}{wide}"
    if form == "cop":
        return f"{hard}{narrow}r"
    raise ValueError(f"no Turkish form '{form}'")
