"""Extract one part of a dump: pages with links, redirects, and a report of what was found."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mluke_core.corpus.dump import DumpReader
from mluke_core.corpus.options import CorpusOptions, corpus_options
from mluke_core.corpus.pages import Page
from mluke_core.corpus.pages_file import REDIRECTS, PagesSink
from mluke_core.corpus.report import NAMED_BROKEN
from mluke_core.corpus.titles import Target, Titles
from mluke_core.corpus.wikis import Wiki, load_wiki
from mluke_core.corpus.wikitext import WikitextExtractor
from mluke_core.errors import DataError
from mluke_core.io.files import write_json
from mluke_core.io.parquet import ParquetSink, stage_metadata
from mluke_core.io.process import no_cycle_collection

log = logging.getLogger("mluke")

# So many pages Wikimedia puts into one stream; a broken one counts as that many broken pages.
PAGES_PER_STREAM = 100
# Of what is broken, a message names this many.
MENTIONED_BROKEN = 5


class RedirectReader:
    """Tells redirects from articles, by tag or by the localized words at the top of the text."""

    def __init__(self, wiki: Wiki, titles: Titles) -> None:
        words = "|".join(re.escape(word) for word in wiki.redirects)
        self._pattern = re.compile(
            rf"\s*[#＃](?:{words})\s*:?\s*\[\[([^\]|\n]+)(?:\|[^\]]*)?\]\]", re.IGNORECASE
        )
        self._any_link = re.compile(r"\s*[#＃][^\[\n]{1,40}\[\[([^\]|\n]+)")
        self._titles = titles

    def target(self, page: Page) -> Target | None:
        """Where a redirect leads; None for an article."""
        if page.redirect is None:
            if page.text.lstrip()[:1] not in ("#", "＃"):
                return None
            match = self._pattern.match(page.text)
            return self._titles.parse(match.group(1)) if match else None
        match = self._pattern.match(page.text) or self._any_link.match(page.text)
        return self._titles.parse(match.group(1) if match else page.redirect)


def extract_part(
    files: Sequence[Path],
    part: int,
    parts: int,
    *,
    language: str,
    pages_path: Path,
    redirects_path: Path,
    report_path: Path,
    corpus: dict[str, Any] | None = None,
    wiki_name: str = "",
    source: str = "",
    settings: dict[str, Any] | None = None,
    threads: int = 1,
) -> dict[str, Any]:
    """Extract part ``part`` of ``parts`` and write its three files; return the report.

    Args:
        files: the dump's files in page order.
        part: number of the part, from 0.
        language: code of the language whose rules apply.
        corpus: the ``corpus`` section of the configuration; see :func:`corpus_options`.
        wiki_name: database name the dump must have, for example ``enwiki``; empty: any.
        source: what the files' metadata names as their source.
        settings: what the metadata's digest is made of; default: language and corpus.
        threads: how many decompress a file that is one long stream; the output is the same.

    Raises:
        DataError: the dump cannot be read, belongs to another wiki, or too much of it is broken.
    """
    options = corpus_options(corpus)
    reader = DumpReader(files, part, parts, options.allow_truncated, threads)
    check_wiki(reader, files[0], language, wiki_name)
    wiki = load_wiki(language, reader.siteinfo)
    metadata = stage_metadata(
        "extract", settings or {"language": language, "corpus": asdict(options)}, source
    )
    run = _Extraction(wiki, options)
    with ExitStack() as stack:
        pages = stack.enter_context(PagesSink(pages_path, metadata))
        redirects = stack.enter_context(ParquetSink(redirects_path, REDIRECTS, metadata))
        stack.enter_context(no_cycle_collection())
        articles = run.sort(reader.pages(), redirects.append)
        if options.extractor == "wikiextractor":
            from mluke_core.corpus.wikiextractor import run_wikiextractor

            folder = pages_path.parent
            for page, paragraphs in run_wikiextractor(
                articles, reader.siteinfo, run.extractor, folder
            ):
                pages.columns.extend(paragraphs)
                pages.end_page(page.page_id, page.title)
        elif options.extractor == "mluke":
            for page in articles:
                run.extractor.extract(page.text, pages.columns)
                pages.end_page(page.page_id, page.title)
        else:
            raise DataError(
                f"corpus.extractor is {options.extractor!r}; write mluke or wikiextractor."
            )
        pages.flush()
        run.count(pages)
        report = run.report(language, part, reader)
        check_broken(report, options.max_broken, files)
    write_json(report_path, report)
    return report


class _Extraction:
    """Sorts pages and counts what is found."""

    def __init__(self, wiki: Wiki, options: CorpusOptions) -> None:
        self.wiki = wiki
        self.extractor = WikitextExtractor(
            wiki if options.local_prefixes else wiki.with_english_names(),
            options.link_trails,
            options.template_text,
            options.paragraph_per_line,
        )
        self._titles = Titles(wiki)
        self._redirects = RedirectReader(wiki, self._titles)
        self._counts = dict.fromkeys(
            (
                "pages",
                "articles",
                "redirects",
                "other_namespaces",
                "other_models",
                "broken_pages",
                "broken_streams",
                "paragraphs",
                "characters",
                "words",
            ),
            0,
        )

    def sort(
        self, pages: Iterator[Page], append_redirect: Callable[[tuple[str, str, str | None]], None]
    ) -> Iterator[Page]:
        """Pass articles on, write redirects, count everything."""
        counts = self._counts
        for page in pages:
            counts["pages"] += 1
            namespace = page.namespace
            if namespace is None:
                namespace = self._titles.namespace(page.title)
            if namespace != 0:
                counts["other_namespaces"] += 1
                continue
            target = self._redirects.target(page)
            if target is not None:
                counts["redirects"] += 1
                append_redirect((page.title, target.title, target.fragment or None))
            elif page.model != "wikitext":
                counts["other_models"] += 1
            else:
                counts["articles"] += 1
                yield page

    def count(self, pages: PagesSink) -> None:
        """Take over the paragraphs, characters and words of what has been written."""
        counts = self._counts
        counts["paragraphs"] = pages.paragraphs
        counts["characters"] = pages.characters
        if self.wiki.words == "characters":
            counts["words"] = pages.characters - pages.spaces
        else:
            counts["words"] = pages.spaces + pages.paragraphs

    def report(self, language: str, part: int, reader: DumpReader) -> dict[str, Any]:
        """The part's report; see docs/corpus.md."""
        self._counts["broken_pages"] = reader.broken_pages
        self._counts["broken_streams"] = reader.broken_streams
        return {
            "language": language,
            "part": part,
            "counts": self._counts,
            "word_unit": self.wiki.words,
            "links": {
                "kept": self.extractor.kept,
                "dropped": dict(sorted(self.extractor.dropped.items())),
            },
            "broken": reader.broken[:NAMED_BROKEN],
        }


def check_wiki(reader: DumpReader, path: Path, language: str, wiki_name: str) -> None:
    """Raise :class:`DataError` when the dump's header names another wiki than was asked for."""
    siteinfo = reader.siteinfo
    if wiki_name and siteinfo.database and siteinfo.database != wiki_name:
        raise DataError(
            f"{path}: its header says it is a dump of '{siteinfo.database}', but '{wiki_name}' was "
            f"asked for. Set languages.{language}.wiki to '{siteinfo.database}' if it is the right "
            "one, or fetch the right dump."
        )
    if siteinfo.language and siteinfo.language != language:
        log.warning(
            "%s: its header says the language is '%s'; it is read as '%s'",
            path,
            siteinfo.language,
            language,
        )


def check_broken(report: dict[str, Any], limit: float, files: Sequence[Path]) -> None:
    """Say what of the part is broken; raise :class:`DataError` when it is more than ``limit``."""
    if not report["broken"]:
        return
    counts = report["counts"]
    named = "; ".join(
        f"{entry['file']}, stream at byte {entry['stream']}"
        + (f", page {entry['page_id']} ({entry['title']})" if "page_id" in entry else "")
        + f": {entry['error']}"
        for entry in report["broken"][:MENTIONED_BROKEN]
    )
    summary = (
        f"{files[0].parent}: {counts['broken_pages']} pages and {counts['broken_streams']} streams "
        f"beside {counts['pages']} good pages are broken"
    )
    broken = counts["broken_pages"] + PAGES_PER_STREAM * counts["broken_streams"]
    if broken > limit * (counts["pages"] + broken):
        raise DataError(
            f"{summary}, more than corpus.max_broken = {limit} allows: {named}. Fetch the files "
            "again, or raise the limit."
        )
    log.warning("%s and left out: %s; the report names more", summary, named)
