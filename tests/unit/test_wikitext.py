"""What becomes text and what becomes a link: one example per rule."""

from __future__ import annotations

import pytest

from mluke_core.corpus.paragraphs import Paragraph
from mluke_core.corpus.wikis import load_wiki
from mluke_core.corpus.wikitext import WikitextExtractor


def extract(text: str, language: str = "en", **options: bool) -> list[Paragraph]:
    return WikitextExtractor(load_wiki(language), **options)(text)


def shown(text: str, language: str = "en", **options: bool) -> list[str]:
    """Paragraphs with links written as ``<anchor|Target>``, or ``<anchor>`` when they agree."""
    result = []
    for paragraph in extract(text, language, **options):
        line, position = "", 0
        for start, end, target in paragraph.links:
            anchor = paragraph.text[start:end]
            line += paragraph.text[position:start]
            line += f"<{anchor}>" if anchor == target else f"<{anchor}|{target}>"
            position = end
        result.append(line + paragraph.text[position:])
    return result


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[Cat]]", ["<Cat>"]),
        ("[[cat]]s", ["<cats|Cat>"]),
        ("[[cat|dog]]s and", ["<dogs|Cat> and"]),
        ("a [[ New_York | big  apple ]]b", ["a <big apple b|New York>"]),
        ("a[[Cat| x ]]. b", ["a <x|Cat> . b"]),
        ("[[Cat|''c''at]]", ["<cat|Cat>"]),
        ("[[Cat|c<sub>a</sub>&amp;t]]", ["<ca&t|Cat>"]),
        ("[[Cat|a\nb]]", ["<a b|Cat>"]),
        ("[[Cat|a [b] c]]", ["<a [b] c|Cat>"]),
        ("[[Cat|a [b]]]", ["<a [b]|Cat>"]),
        ("[[Cat|a|b]]", ["<a|b|Cat>"]),
        ("[[[Cat]]] [[[cat|dog]]]", ["[Cat] [dog]"]),
        ("[[Cat#Fur]]", ["<Cat#Fur|Cat>"]),
        ("[[Cat#Fur|fur]]", ["<fur|Cat>"]),
        ("[[#Fur|fur]] [[#Fur]]", ["fur #Fur"]),
        ("[[AT%26T]] [[R&amp;B|r]]", ["<AT&T> <r|R&B>"]),
        ("[[:Cat]]", ["<Cat>"]),
        ("[[Cat|]]s", ["Cats"]),
        ("[[Cat| ]]x", ["<x|Cat>"]),
        ("[[Cat|<b></b>]] y", ["y"]),
        ("[[]] [[|x]] [[a<b]]", ["x a<b"]),
        ("[[Cat\nDog]]", ["Cat Dog"]),
        ("[[Dune: Part Two]] [[2001: A|b]]", ["<Dune: Part Two> <b|2001: A>"]),
        ("[[/x]]", ["</x>"]),
        ("[[../x]] [[..]]", ["../x .."]),
    ],
)
def test_links(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a [[File:x.jpg|20px|A [[cat]] [http://a b]]] b", ["a b"]),
        ("a [[file:x.jpg]] [[IMAGE:y.png|z]]b", ["a b"]),
        ("a [[:File:x.jpg]] b", ["a File:x.jpg b"]),
        ("a [[Media:x.ogg|listen]]", ["a listen"]),
        ("a\n[[Category:Cats| ]]\n[[category : dogs]]", ["a"]),
        ("see [[:Category:Cats]]", ["see Category:Cats"]),
        ("a [[de:Katze]] b", ["a b"]),
        ("a [[:de:Katze|cat]] b", ["a cat b"]),
        ("a [[wikt:cat|cat]]s b", ["a cats b"]),
        ("a [[User:X|x]], [[Wikipedia:Y]]", ["a x, Wikipedia:Y"]),
        ("[[en:Cat]]", ["<en:Cat|Cat>"]),
        ("[[File:x.jpg|thumb|unclosed [[cat]]\nnext", ["File:x.jpg|thumb|unclosed <cat|Cat> next"]),
        ("a [[File:x.jpg|b\n\nc]] d", ["a d"]),
        ("a [[unclosed b\n== H ==\nc [[Cat]]]]", ["a unclosed b", "H", "c <Cat>]]"]),
        ("[[a|b [[Cat]] c]] d", ["b <Cat> c d"]),
    ],
)
def test_links_that_are_none_of_an_article(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("de", "[[Haus]]öß", ["<Hausöß|Haus>"]),
        ("ru", "[[Дом]]а", ["<Дома|Дом>"]),
        ("zh", "[[电脑]]x", ["<电脑>x"]),
        ("ja", "[[犬]]x犬", ["<犬x|犬>犬"]),
        ("hi", "[[घर]]ों में – x", ["<घरों|घर> में – x"]),
        ("ar", "ال[[كتاب]]ين و", ["<الكتابين|كتاب> و"]),
        ("ar", "قالَ ب[[a]]", ["قالَ <بa|A>"]),
        ("ar", "''ال''[[كتاب]]", ["ال<كتاب>"]),
        ("ar", "ال[[كتاب| كتاب]]", ["ال <كتاب>"]),
        ("tr", "[[istanbul]] [[ırmak]]lar", ["<istanbul|İstanbul> <ırmaklar|Irmak>"]),
        ("de", "[[ß]] [[Datei:x.jpg|mini]] [[BILD:y]] [[kategorie:z]]", ["<ß>"]),
        ("sv", "[[Mallorca]]", ["<Mallorca>"]),
        ("fr", "[[image:x.png]] [[Catégorie:Y]] [[fichier:z]] a", ["a"]),
        ("ja", "[[画像:x.png]][[ファイル:y]][[Category:z]]a", ["a"]),
        ("el", "[[Εικόνα:x.png]][[Κατηγορία:y]]a", ["a"]),
        ("zh", "[[檔案:x]][[文件:y]][[分类:z]][[分類:z]]a", ["a"]),
        (
            "zh",
            "-{zh-hans:计算机;zh-hant:電腦}-与-{[[猫]]}--{H|zh-cn:a;zh-tw:b}-",
            ["计算机与<猫>"],
        ),
        ("zh", "-{A|zh-tw:甲;zh-cn:乙}--{R|丙}--{zh;zh-hant|丁}-", ["乙丙丁"]),
        ("en", "-{x}-", ["-{x}-"]),
    ],
)
def test_languages(language: str, text: str, expected: list[str]) -> None:
    assert shown(text, language) == expected


def test_without_link_trails_letters_stay_outside() -> None:
    assert shown("[[cat]]s", link_trails=False) == ["<cat|Cat>s"]
    assert shown("ال[[كتاب]]ي", "ar", link_trails=False) == ["ال<كتاب>ي"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a<!-- x -->b", ["ab"]),
        ("a\n<!-- x -->\nb", ["a b"]),
        ("a <!-- [[b]] \n\n never closed", ["a"]),
        ("a<ref>[[b]]</ref> c<ref name=x/> d<REF group='y'>e</Ref>", ["a c d"]),
        ("a <ref>b c", ["a b c"]),
        ("[[cat]]<ref>x</ref>s", ["<cat|Cat>s"]),
        ("[[cat]]<!-- x -->s", ["<cats|Cat>"]),
        ("[[cat]]<nowiki/>s", ["<cat|Cat>s"]),
        ("[[cat]]<nowiki>s</nowiki>", ["<cat|Cat>s"]),
        ("<nowiki>[[a]] ''b'' &lt; {{c}} <!-- d --></nowiki>", ["[[a]] ''b'' < {{c}} <!-- d -->"]),
        ("<math>x</math> <gallery>\nFile:a|b\n</gallery> <pre>c</pre>d", ["d"]),
        ("<syntaxhighlight lang=c>if (a<b) {{{</syntaxhighlight>d", ["d"]),
        ("<ruby>漢字<rp>(</rp><rt>かんじ</rt><rp>)</rp></ruby>", ["漢字"]),
        ("<includeonly>a</includeonly><noinclude>b</noinclude>", ["b"]),
        ("<gallery>" + "a<br>" * 100 + "</gallery>b", ["b"]),
        ("a<br>b<br/>c", ["a b c"]),
        ("a<div>b</div>c", ["a", "b", "c"]),
        ("<b>a</b><span style='x'>b</span><sup>2</sup>", ["ab2"]),
        ("a <x@y.z> <3 b", ["a <x@y.z> <3 b"]),
        ("a {{b}} {{c|{{d|{{e|{{f|{{g|{{h|{{i}}}}}}}}}}}}}}}} j", ["a j"]),
        ("{{unclosed\n|x=1\n|z\n\ny", ["unclosed", "y"]),
        ("a }} b {{c}} }}", ["a b"]),
        ("a\n{|\n|b\n{|\n|c\n|}\n|d\n|}\ne", ["a", "e"]),
        ("a\n{|\n|b\n== H ==\nc", ["a", "H", "c"]),
        ("a\n:{|\n|b\n|}\n<table><tr><td>c<table></table></table>d", ["a", "d"]),
        ("a {| b |} c", ["a {| b |} c"]),
    ],
)
def test_what_is_dropped(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{lang|la|[[Roma|urbs]]}}", ["<urbs|Roma>"]),
        ("{{lang-de|Haus}} {{Nowrap|1 km}} {{transl|ar|ALA|kitāb}}", ["Haus 1 km kitāb"]),
        ("{{nowrap|{{lang|fr|a {{cite|x}} b}}}}", ["a b"]),
        ("{{ill|Cat|de|Katze}} {{ill|Cat|de|Katze|lt=cats}}", ["<Cat> <cats|Cat>"]),
        ("a{{snd}}b{{!}}c{{ndash}}d", ["a – b|c–d"]),
        ("{{Infobox|{{lang|la|x}}}}y", ["y"]),
        ("{{lang}} {{nowrap|}} z", ["z"]),
        ("{{language|x}} {{lang-x|y}}", ["y"]),
    ],
)
def test_templates_that_carry_text(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {{{c|d}}} b {{{e|}}}", ["a d b"]),
        ("{{lang|la|{{{1|x}}}}} b", ["x b"]),
        ("{{{a|{{{b|c}}}}}} {{{d|{{lang|la|e}}}}} f", ["c e f"]),
        ("{{{a|[[b|c]]}}} '{{{d|''e''}}}", ["<c|B> 'e"]),
        ("{{Infobox|a={{{b|c}}} |d={{{e}}}}}f", ["f"]),
        ("{{{a|b|c{{{d|e}}}|f}}} {{{g{{{h|i}}}|j}}}", ["b j"]),
        # Expected by tests of MediaWiki's parser: T2041, "Parameters", "Preprocessor precedence 9".
        ("{{{parameter}}}", ["{{{parameter}}}"]),
        ("{{{foo|''who''? '''never!'''}}}\n\n{{{foo|bar|baz}}}", ["who? never!", "bar"]),
        ("{{{{1|Four}}}} {{{{{{3|1}}}|Four}}}", ["{Four} Four"]),
        # Of no template known here: it is dropped, as others are.
        ("{{{{{1|x}}}|y}} z", ["z"]),
        ("[[{{{1}}}|a]] [[{{{1|b}}}|c]]", ["a <c|B>"]),
        ("{{{a|b}} c", ["c"]),
        ("a {{{b", ["a {b"]),
    ],
)
def test_parameters(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


def test_japanese_provisional_links() -> None:
    text = "{{仮リンク|猫町|en|Cat Town|label=町}}と{{仮リンク|犬町|en|Dog Town}}"
    assert shown(text, "ja") == ["<町|猫町>と<犬町>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb\n\nc", ["a b", "c"]),
        ("* a\n** [[b]]\n# c\n: d\ne", ["a", "<b|B>", "c", "d", "e"]),
        ("; [[t:u]] x : m [[b]]", ["<t:u|T:u> x", "m <b|B>"]),
        (";only", ["only"]),
        ("== A [[b]] ==\nc\n===d=== \n=e\n==", ["A <b|B>", "c", "d", "=e =="]),
        ("----a\n----", ["a"]),
        ("a\n|left over\nb", ["a", "b"]),
        ("__NOTOC__a __init__ __FORCETOC__", ["a __init__"]),
        ("a  \t&nbsp;\xa0 b\u3000c\u2009d", ["a b c d"]),
        ("&lt;b&gt; &#91;&#91;c]] &hearts; &nosuch; &#0; &amp;nbsp;", None),
        ("so\xadft a\u200bb\u200ec &shy;d", ["soft abc d"]),
        ("[http://a.b c ''d'' [[e]]] f [http://x] [//y z]", ["c d <e|E> f z"]),
        ("http://a.b/c", ["http://a.b/c"]),
        ("'''a''' ''b'' '''''c'''''", ["a b c"]),
        ("''''a'''", ["'a"]),
        ("l'''amour'' [[b]]", ["l'amour <b|B>"]),
        ("x l'''amour'' y '''z''' [[b]]", ["x l'amour y z <b|B>"]),
    ],
)
def test_paragraphs_and_characters(text: str, expected: list[str] | None) -> None:
    if expected is None:
        assert shown(text) == ["<b> [[c]] ♥ &nosuch; &#0; &nbsp;"]
    else:
        assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("== a ==", ["a"]),
        ("= a ==\n=== b =\n======= c =======", ["a =", "== b", "= c ="]),
        ("===\n=====\n==", ["=", "=", "=="]),
        ("== [[a]] ===", ["<a|A> ="]),
        ("== <div>a</div> ==", ["a"]),
        (";[[Help:a]]: b", ["Help:a", "b"]),
        (";[http://a.b c: d]: e", ["c: d", "e"]),
        (";<b>a: b</b><br/>c: d: e", ["a: b c", "d: e"]),
        (";a::b", ["a", ":b"]),
        (":;;a:b", ["a", "b"]),
        ("a\n b\n c\nd", ["a", "b c", "d"]),
        ("a\n\n b\n c", ["a", "b c"]),
        ("a\n\tb", ["a b"]),
        ("a\n <!-- x -->\nb", ["a b"]),
        (" * a", ["* a"]),
        ("a[[File:b.jpg|thumb|c]]d", ["a", "d"]),
        ("a[[File:b.jpg|20px|c]]d", ["ad"]),
        ("a\n[[File:b.jpg]]\nc", ["a c"]),
        ("a\n[[File:b.jpg|left]]\nc", ["a", "c"]),
        ("a\n[[Category:b]]\nc", ["a c"]),
        ("a\nb [[c]] <div>d</div> e\nf", ["a", "b <c|C>", "d", "e", "f"]),
        ("'''''{{x}}'''''a", ["a"]),
        ("a ''b''<nowiki/>''c''", ["a bc"]),
        ("<div style='<nowiki>a</nowiki>'>b</div>", ["b"]),
        ("<noinclude>== a ==</noinclude>", ["a"]),
        ("<span <includeonly>x</includeonly><noinclude>y</noinclude>>a</span>", ["a"]),
    ],
)
def test_lines_and_blocks_as_mediawiki_has_them(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[[[[a]]]] [[[b]]]", ["<a|A> [b]"]),
        ("[[http://a.b c]] [[//d e]] [[mailto:f g]]", ["[c] [e] [g]"]),
        ("[http://a.b''c'' d] [HTTP://[::1]/ e] [http:/f g]", ["c d e [http:/f g]"]),
        ("[[a#<b>]] [[a#<b>|c]]", ["<a#<b>|A> <c|A>"]),
        ("[[a&amp;amp;b]] [[7%2525]]", ["a&amp;b 7%2525"]),
        ("[[&nbsp;a&nbsp;b&nbsp;]]", ["<a b|A b>"]),
        ("[[Help:]] [[wikt:]] [[Xyz:]]", ["Help: wikt: <Xyz:>"]),
        ("[[en:de:a]] [[::a]] [[wikt:a<b]]", ["en:de:a ::a wikt:a<b"]),
        ("[[a|b [[c|d]] e|f]]", ["b <d|C> e|f"]),
        ("a [[b c [[d|e]]", ["a b c <e|D>"]),
        ("[[File:a.jpg|thumb|b]", ["File:a.jpg|thumb|b]"]),
        ("x\n[[#a", ["x #a"]),
    ],
)
def test_links_as_mediawiki_has_them(text: str, expected: list[str]) -> None:
    assert shown(text) == expected


def test_joiners_stay_in_words_that_need_them() -> None:
    assert shown("র\u200d্যাব \u200dx\u200cy\u200d", "bn") == ["র\u200d্যাব xy"]
    assert shown("می&zwnj;خواهم", "ar") == ["می\u200cخواهم"]


def test_kinds_of_paragraphs() -> None:
    kinds = [paragraph.kind for paragraph in extract("a\n\n== b ==\n* c\n;d:e\nf")]
    assert kinds == ["text", "heading", "item", "item", "item", "text"]


def test_counts_of_kept_and_dropped_links() -> None:
    extractor = WikitextExtractor(load_wiki("en"))
    extractor("[[a]] [[b]]\n[[File:x]] [[Category:y]] [[de:z]] [[:de:z]] [[wikt:w]] [[User:u]]")
    extractor("[[#s]] [[c|<b></b>]] [[<]] [[d")
    assert extractor.kept == 2
    assert dict(extractor.dropped) == {
        "file": 1,
        "category": 1,
        "interlanguage": 2,
        "interwiki": 1,
        "namespace": 1,
        "section": 1,
        "empty": 1,
        "invalid": 2,
    }
