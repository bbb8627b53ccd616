"""Templates that carry text: which, and what of them."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

from mluke_core.corpus.measures import measure
from mluke_core.corpus.template_patterns import (
    Arguments,
    compile_pattern,
    render,
)
from mluke_core.corpus.templates import TextTemplates, split_arguments

FACTS = json.loads(
    resources.files("mluke_core.corpus").joinpath("data/templates.json").read_text("utf-8")
)


@pytest.mark.parametrize(
    ("language", "text", "shown"),
    [
        ("en", "{{lang|la|urbs}} {{lang-de|Haus}} {{lang|la|text=urbs}}", "urbs Haus urbs"),
        ("en", "{{transl|ar|kitāb}} {{transl|ar|ALA|kitāb}}", "kitāb kitāb"),
        ("en", "{{NOWRAP|1 km}} {{Citation needed span|a|date=May}}", "1 km a"),
        ("en", "{{ nowrap \n| 1=a=b }}", "a=b"),
        ("en", "{{nowrap|text=b|a}}", "b"),
        ("en", "{{small_caps|a}} {{small caps|b}}", "a b"),
        ("en", "{{nihongo|a|字|ji}} {{nihongo|a}} {{nihongo|a|字}}", "a (字, ji) a a (字)"),
        ("en", "{{convert|15|km2|sqmi}}, {{cvt|3|ft}}", "15 km², 3 ft"),
        ("en", "{{circa|347 BC}} {{circa|1|2}} {{circa}} 5", "c. 347 BC c. 1 – 2 c.  5"),
        ("en", "{{As of|2010}}, as in {{as of|2010|lc=y}}", "As of 2010, as in as of 2010"),
        ("en", "{{frac|3}} {{frac|1|3}} {{frac|2|1|3}}", "1⁄3 1⁄3 2 1⁄3"),
        ("en", "{{US$|7 million}} {{€|5}}", "US$7 million €5"),
        ("en", "{{val|6.2|e=18}} {{val|5|u=m}}", "6.2 × 1018 5 m"),
        ("en", "{{chem|H|2|O}} {{IPA|/a/}} {{IPAblink|a}} {{angbr|a}}", "H2O /a/ [a] ⟨a⟩"),
        ("en", "{{IPA|en|/b/|lang=x}}", "/b/"),
        ("en", "a{{snd}}b{{nbsp}}c{{'s}}{{=}}", "a – b c's="),
        ("en", "{{HMS|Ark Royal|91}}", "[[HMS Ark Royal (91)|HMS Ark Royal]]"),
        ("en", "{{ill|Cat|de|Katze|lt=cats}} {{ill|Cat|de|Katze}}", "[[Cat|cats]] [[Cat]]"),
        ("en", "{{formatnum:1234}} {{Formatnum:5|R}}", "1234 5"),
        ("en", "{{s-|XIX}} {{unité|3|m}}", " "),
        ("fr", "au {{s-|XIX}}, au {{s-|I|er}}", "au XIXe siècle, au Ier siècle"),
        ("fr", "{{s|XII}} {{XXe siècle}}", "[[XIIe siècle]] [[XXe siècle]]"),
        ("fr", "{{s2-|XIX|e|XX|e}} {{-s-|V}}", "XIXe et XXe siècles Ve siècle av. J.-C."),
        ("fr", "{{unité|350|km}} {{unité|80|hab|/km|2}}", "350 km 80 hab/km2"),
        ("fr", "Otton {{Ier}}, {{1re}} éd., {{84e|Congrès}}", "Otton Ier, 1re éd., 84e Congrès"),
        (
            "fr",
            "{{date-|12 novembre 1918}} {{date|25|avril|2004}}",
            "12 novembre 1918 25 avril 2004",
        ),
        ("fr", "{{de}} {{XXIe}} {{API|a|b}}", " XXIe ab"),
        ("fr", "{{heure|4|30}} {{incise|a}}", "4 h 30 – a –"),
        ("fr", "{{lien|fr=Chat|lang=de|trad=Katze|texte=chats}}", "[[Chat|chats]]"),
        ("fr", "{{citation|a}} {{langue|de|b}}", "« a » b"),
        ("es", "{{siglo|XVI||s}} {{siglo|XVI}} 45{{esd}}km", "siglo XVI XVI 45 km"),
        ("pt", "no {{séc|XIII}}", "no [[Século XIII|século XIII]]"),
        ("de", '{{"|a}} {{Höhe|115|DE-NHN}} {{JaS|アニメ}}', "„a“ 115 m アニメ"),
        ("it", "{{TA|30 km²}} {{chiarire|a|quale?}}", "30 km² a"),
        (
            "ja",
            "{{en|I am}} {{いつ範囲|ここ数年|date=x}} {{読み仮名|字|じ}}",
            "I am ここ数年 字（じ）",
        ),
        ("ja", "{{仮リンク|猫|en|Cat|label=ねこ}}", "[[猫|ねこ]]"),
        ("ru", "{{нп5|Кот||en|Cat}} {{нп3|Кот|кота|en}}", "[[Кот]] [[Кот|кота]]"),
        ("ru", "{{langi|la|Lituae}}", "Lituae"),
        ("ar", "{{ألمانية|Spree}}", "بالألمانية: Spree"),
        ("bn", "{{রূপান্তর|306|km2|sqmi}}", "306 km²"),
        ("el", "{{ΔΦΑ|/i/}} {{μονάδα|5|t}}", "/i/ 5 t"),
        ("fi", "{{k-de|Berlin}}", "Berlin"),
        ("ko", "{{llang|de|Berlin}} {{임시링크|고양이|en|Cat}}", "Berlin [[고양이]]"),
        ("pl", "{{Fakt|a}}", "a"),
        ("vi", "{{tính đến|2006}} {{convert|58|km|mi}}", "Tính đến 2006 58 km"),
        ("zh", "{{link-en|貓|Cat|小貓}} {{le|貓|Cat}}", "[[貓|小貓]] [[貓]]"),
        ("zh", "{{internal link helper/en|貓|Cat|d=小貓}}", "[[貓|小貓]]"),
        ("id", "{{convert|22|-|25|C|F}}", "22–25 °C"),
    ],
)
def test_text_of_templates(language: str, text: str, shown: str) -> None:
    assert TextTemplates(language).expand(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{{nowrap|{{lang|fr|{{small|a}}}}}}", "a"),
        ("[[Rome|{{lang|la|Roma}}]]", "[[Rome|Roma]]"),
        ("'''{{lang|la|Roma}}'''", "'''<wbr>Roma'''"),
        ("{{nowrap|[[a|b]] c}}", "[[a|b]] c"),
        ("{{lang|la|[[a|b|c]]}}", "[[a|b|c]]"),
        ("{{lang|la|'''a''' ''b''}}", "'''a''' ''b''"),
        ("{{lang|la", "{{lang|la"),
        ("{{lang}} {{nowrap|}}", " "),
        ("{{languages|x}} {{nowrapper|y}}", " "),
    ],
)
def test_where_they_stand(text: str, shown: str) -> None:
    assert TextTemplates("en").expand(text) == shown


@pytest.mark.parametrize("name", ["k-aİ", "K-DE", "k-ſa", "ΔΦΑ", "ΑΣΑΦΈΣ"])
def test_odd_cases_of_letters(name: str) -> None:
    for language in ("fi", "el"):
        shown = TextTemplates(language).expand(f"{{{{{name}|a}}}}")
        assert shown in ("a", "", f"{{{{{name}|a}}}}")


def test_positional_and_named_arguments() -> None:
    assert split_arguments("a|[[b|c]]|x=1|2=d") == (["a", "[[b|c]]"], {"x": "1", "2": "d"})


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("$1$2$-1$*$0", "abbabName"),
        ("$3[x$3][y$1]", "ya"),
        ("$(3|name|1)$(3|=z)", "vz"),
        ("[?1 p][?3 q][!1 r][!3 s]", "ps"),
        ("[a$1[b$3]]", "aa"),
        ("$$5 \\[$1\\]", "$5 [a]"),
    ],
)
def test_patterns(pattern: str, shown: str) -> None:
    arguments = Arguments("Name", ["a ", "b"], {"name": "v"})
    assert render(compile_pattern(pattern), arguments) == shown


@pytest.mark.parametrize("pattern", ["[a", "a]", "$", "a$(b"])
def test_patterns_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(pattern))):
        compile_pattern(pattern)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("15|km|mi", "15 km"),
        ("10|to|20|C|F", "10 to 20 °C"),
        ("5|x|6|m|ft", "5 × 6 m"),
        ("5|ft|10|in|m", "5 ft 10 in"),
        ("100|km|1", "100 km"),
        ("100", "100"),
        ("a|km", "a"),
        ("", ""),
        ("180,000|km3", "180,000 km³"),
        ("৫|km/h", "৫ km/h"),
        ("1|and|2|and|3|kg|lb", "1 and 2 and 3 kg"),
    ],
)
def test_measures(arguments: str, shown: str) -> None:
    assert measure(arguments.split("|")) == shown


@pytest.mark.parametrize("language", sorted(FACTS))
def test_the_table_is_sound(language: str) -> None:
    entry = FACTS[language]
    names = [
        name
        for kind in ("text", "characters")
        for ns in entry.get(kind, {}).values()
        for name in ns
    ]
    names += [name for link in entry.get("links", ()) for name in link["names"]]
    names += entry.get("measures", [])
    assert len(set(names)) == len(names)
    for name in names:
        assert name == name.lower() or "[" in name
        assert "_" not in name and "{{" not in name
    for link in entry.get("links", ()):
        assert set(link) == {"title", "label", "names"}
