"""Rules of script variants: what of ``-{flags|rules}-`` a reader of the wiki sees.

Some wikis are written in several scripts and convert between them for their readers; these marks
protect words from that or say what each variant shows. Rules as in MediaWiki's
``language/ConverterRule.php``. Text outside the marks is left as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

_PASSES = 10
# Nothing that opens another rule, so innermost ones match.
_RULE = re.compile(r"-\{((?:[^-{}]++|-(?!\{)|\{|\}(?!-))*+)\}-")
_ENTITY_END = re.compile(r"(&[#a-zA-Z0-9]{1,30});")
# Stands for a semicolon that ends an entity while rules are split at semicolons.
_MARK = "\x07"
# Codes of BCP 47 and the ones that wikis use for the same.
_STANDARD_CODES = {
    "zh-hans-cn": "zh-cn",
    "zh-hans-sg": "zh-sg",
    "zh-hans-my": "zh-my",
    "zh-hant-tw": "zh-tw",
    "zh-hant-hk": "zh-hk",
    "zh-hant-mo": "zh-mo",
    "sr-cyrl": "sr-ec",
    "sr-latn": "sr-el",
}
# Others are ignored; so are those that name variants, for nothing is converted here.
_FLAGS = frozenset("ATRDHN-")


@dataclass(frozen=True)
class Variants:
    """The variants of one wiki and how a rule is chosen.

    >>> chinese = Variants("zh", {"zh": ("zh-hans", "zh-hant"), "zh-hans": (), "zh-hant": ()})
    >>> chinese.convert("-{zh-hant:電腦;zh-hans:电脑}-")
    '电脑'
    """

    wanted: str
    """Code of the variant whose reader's view is taken; the wiki's own code: nothing converted."""
    fallbacks: Mapping[str, tuple[str, ...]]
    """For every variant, where a rule is taken from when it has none, in order."""
    names: Mapping[str, str] = field(default_factory=dict)
    """What readers call a variant."""

    def convert(self, text: str) -> str:
        """``text`` with its rules replaced by what they show."""
        for _ in range(_PASSES):
            text, count = _RULE.subn(self._shown, text)
            if not count:
                break
        return text

    @cached_property
    def _separator(self) -> re.Pattern[str]:
        codes = "|".join(map(re.escape, [*self.fallbacks, *_STANDARD_CODES]))
        # Only a semicolon with another rule behind it separates.
        return re.compile(rf";\s*(?=(?:{codes})\s*:|[^;]*?=>\s*(?:{codes})\s*:|\s*\Z)", re.I)

    def _shown(self, match: re.Match[str]) -> str:
        body: str = match.group(1)
        flags: list[str] = []
        named, bar, rest = body.partition("|")
        # A bar may belong to a link.
        if bar and "[" not in named:
            flags = [name.strip() for name in named.split(";") if name.strip() in _FLAGS]
            body = rest
        if "R" in flags:
            return body
        if "N" in flags:
            return self.names.get(body.strip(), "")
        # Rules against earlier ones, for the title, or for the rest of the page show nothing.
        if "-" in flags or ("T" in flags and "A" not in flags):
            return ""
        both, one_way = self._rules(body)
        if "H" in flags or {"A", "D"} <= set(flags):
            return self._described(both) if "H" in flags and "D" in flags else ""
        if not both and not one_way:
            return body
        if "D" in flags:
            return self._described(both)
        return self._chosen(both, one_way)

    def _rules(self, body: str) -> tuple[dict[str, str], dict[str, str]]:
        """Text by variant: of ``code:text`` rules, and of the first ``from=>code:text`` rule."""
        both: dict[str, str] = {}
        one_way: dict[str, str] = {}
        if ":" not in body:
            return both, one_way
        for rule in self._separator.split(_ENTITY_END.sub(rf"\1{_MARK}", body)):
            code, colon, value = rule.replace(_MARK, ";").partition(":")
            if not colon:
                continue
            source, arrow, target = code.replace("=&gt;", "=>").partition("=>")
            code = (target if arrow else source).strip().lower()
            code = _STANDARD_CODES.get(code, code)
            if code not in self.fallbacks:
                return {}, {}
            value = value.strip()
            if not arrow and value:
                both[code] = value
            elif arrow and source.strip():
                one_way.setdefault(code, value)
        return both, one_way

    def _chosen(self, both: Mapping[str, str], one_way: Mapping[str, str]) -> str:
        for code in (self.wanted, *self.fallbacks.get(self.wanted, ())):
            if code in both:
                return both[code]
        if self.wanted in one_way:
            return one_way[self.wanted]
        return next(iter((both or one_way).values()))

    def _described(self, both: Mapping[str, str]) -> str:
        return "".join(f"{self.names.get(code, code)}：{text}；" for code, text in both.items())
