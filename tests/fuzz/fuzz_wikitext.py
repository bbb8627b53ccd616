"""Fuzz the wikitext extractor with atheris: opt-in, not part of the tests.

Atheris instruments Python code and mutates its inputs towards code not seen yet. Bytes become a
page of one wiki: the first chooses the wiki and whether letters around links belong to them, every
further one is a piece of markup or a character. Whatever breaks an invariant or the time limit is
kept in a file ``crash-...`` or ``timeout-...``; given that file, the program shows it again.

Example:
    python3.11 -m venv fuzzing
    fuzzing/bin/pip install atheris lxml numpy orjson
    fuzzing/bin/python tests/fuzz/fuzz_wikitext.py -max_total_time=3600 -timeout=5 \
        -rss_limit_mb=14000 inputs/
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent.parent
# The program is run as a file, with the environment of the fuzzer.
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["mluke_core.corpus"]):
    from mluke_core.corpus import titles, wikitext
    from mluke_core.corpus.wikis import known_languages, load_wiki
    from mluke_core.corpus.wikitext import WikitextExtractor

from tests.wikitext_world import MARKUP, check_page  # noqa: E402

# Fifty extractors that remember as much as one does would take gigabytes, and nothing would ever be
# forgotten within an hour.
wikitext._REMEMBERED = titles.CACHE_SIZE = 2000
EXTRACTORS = [
    WikitextExtractor(load_wiki(language), link_trails)
    for language in known_languages()
    for link_trails in (True, False)
]
# A byte beyond the pieces is a character of its own, so that plain text can be had, too.
CHARACTERS = "aAbZ0 '\n[]{}|<>=&;:*#-_!/%~\"\u00e9\u0130\u0131\u05d0\u0915\u4e00\u3042\u0e01"


def page_of(data: bytes) -> tuple[WikitextExtractor, str]:
    """The extractor and the page that ``data`` stands for."""
    head = data[0] if data else 0
    extractor = EXTRACTORS[head % len(EXTRACTORS)]
    pieces = MARKUP + list(CHARACTERS)
    return extractor, "".join(pieces[byte % len(pieces)] for byte in data[1:])


def run_one(data: bytes) -> None:
    """One input of the fuzzer."""
    extractor, text = page_of(data)
    try:
        check_page(extractor, text)
    except AssertionError:
        print(f"language {extractor.wiki.language}, page {text!r}", file=sys.stderr)
        raise


def main() -> None:
    """Hand over to the fuzzer; its options are libFuzzer's."""
    atheris.Setup(sys.argv, run_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
