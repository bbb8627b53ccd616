"""The report in a real browser: Chromium, without a screen and without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from mluke_core.io.files import write_text
from mluke_core.reporting.page.page import report_page
from mluke_core.reporting.run_folder import RunFolder
from tests.run_world import RUN_TABLES, build_run

pytestmark = pytest.mark.browser

# Without these Chromium looks for updates and hosts of its own.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"desk": 1440, "tablet": 820, "phone": 390}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = os.environ.get("MLUKE_CHROMIUM") or shutil.which("chromium") or shutil.which("chrome")
    if path is None:
        pytest.skip("no Chromium: install Debian's package chromium, or set MLUKE_CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = build_run(tmp_path_factory.mktemp("run"))
    write_text(folder / "report.html", report_page(RunFolder(folder)))
    return (folder / "report.html").as_uri()


class Visit:
    """A page with everything it complained about and asked for."""

    def __init__(
        self, browser: Any, address: str, width: int = 1440, scheme: str = "light"
    ) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.troubles: list[str] = []
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("dialog", lambda dialog: self.troubles.append(dialog.message))
        self.page.on("request", lambda request: self._requested(request.url))
        self.page.goto(address)

    def _requested(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.troubles.append(url)

    def visible(self, selector: str) -> int:
        return int(self.page.locator(f"{selector}:visible").count())


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Visit]:
    visit = Visit(browser, address)
    yield visit
    assert visit.troubles == []
    visit.page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_every_width(browser: Any, address: str, width: str, scheme: str) -> None:
    visit = Visit(browser, address, WIDTHS[width], scheme)
    page = visit.page
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTHS[width]
    assert visit.visible("h2") >= 10
    assert visit.visible(".drawing svg") == 4
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(20, 23, 27)")
    assert page.title() == "mLUKE, scale mini: report"
    assert visit.troubles == []
    page.close()


def test_links_lead_to_their_parts(visit: Visit) -> None:
    links = visit.page.locator("#contents a")
    assert links.count() == 13 + len(RUN_TABLES)
    for number in range(links.count()):
        link = links.nth(number)
        target = link.get_attribute("href") or ""
        link.click()
        box = visit.page.locator(target).bounding_box()
        assert box is not None and -5 <= box["y"] <= 900


def test_tables_sort_both_ways_and_keep_dashes_last(visit: Visit) -> None:
    table = visit.page.locator("#table3 table").first
    heading = table.locator("thead tr:last-child th").nth(1)

    def column() -> list[str]:
        return [str(t) for t in table.locator("tbody tr td:nth-child(2) .value").all_inner_texts()]

    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    down = column()
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    up = column()
    numbers = [float(text) for text in down if text != "–"]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 2
    assert [float(text) for text in up if text != "–"] == sorted(numbers)
    assert down[-1] == up[-1] == "–"


def test_measures_sort_below_headings_of_groups(visit: Visit) -> None:
    table = visit.page.locator("[aria-label='Measures of G-XLT'] table")
    heading = table.locator("thead tr:last-child th").nth(4)
    heading.locator("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    cells = [float(text) for text in table.locator("tbody td:nth-child(5)").all_inner_texts()]
    assert len(cells) == 2 and cells == sorted(cells, reverse=True)


def test_the_search_hides_what_does_not_match(visit: Visit) -> None:
    before = visit.visible(".part")
    search = visit.page.locator("#search")
    search.fill("RELX_en.txt")
    assert visit.visible("#inputs tbody tr") == 1
    assert visit.visible(".part") < before
    assert visit.page.locator("#found").inner_text() == "1 found"
    search.fill("no such word anywhere")
    assert visit.visible(".part") == 0
    assert visit.page.locator("#found").inner_text() == "0 found"
    visit.page.locator("#contents a[href='#inputs']").click()
    visit.page.wait_for_function("!document.getElementById('inputs').hidden")
    assert search.input_value() == ""
    assert visit.visible(".part") == before


def test_filters_of_the_examples(visit: Visit) -> None:
    visit.page.select_option("select[name=language]", "de")
    assert visit.visible(".card") > 0
    assert visit.visible(".card:not([data-language=de])") == 0
    visit.page.select_option("select[name=test]", "relx")
    visit.page.select_option("select[name=outcome]", "second right")
    shown = visit.visible(".card")
    assert 0 < shown <= 2
    assert visit.page.locator(".count").inner_text() == f"{shown} examples"


def test_matrices_are_drawn_on_choice(visit: Visit) -> None:
    matrix = visit.page.locator("[data-matrix=confusions]")
    assert matrix.locator("tbody tr").count() >= 3
    matrix.locator("select").nth(1).select_option("conll nl")
    assert matrix.locator("tbody th").all_inner_texts()[-1] == "(no entity)"
    classes = visit.page.locator("[data-matrix=classes]")
    classes.locator("select").nth(1).select_option("conll")
    assert classes.locator("tbody th").all_inner_texts() == ["LOC", "PER"]
    matching = visit.page.locator("[data-matrix=matching]")
    assert matching.locator("td[title]").first.get_attribute("title") == "en → title: 60.0 % (6)"
    relations = visit.page.locator("[data-matrix=relations]")
    assert "[X] was founded in [Y] ." in relations.locator("tbody th").first.inner_text()


def test_lines_of_the_cells_can_be_hidden(visit: Visit) -> None:
    assert visit.visible("#table3 .paper") > 0
    visit.page.uncheck("input[data-line=paper]")
    assert visit.visible("#table3 .paper") == 0


def test_a_phone_has_a_menu(browser: Any, address: str) -> None:
    visit = Visit(browser, address, WIDTHS["phone"])
    assert visit.visible("#contents") == 0
    visit.page.locator(".menu summary").click()
    visit.page.locator(".menu a[href='#examples']").click()
    assert visit.page.locator(".menu").get_attribute("open") is None
    assert visit.troubles == []
    visit.page.close()


def test_printing_opens_everything_and_leaves_the_controls_out(visit: Visit) -> None:
    visit.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    visit.page.emulate_media(media="print")
    assert visit.visible("nav") == visit.visible("header") == visit.visible(".filters") == 0
    assert visit.page.locator("main details:not([open])").count() == 0
    assert len(visit.page.pdf()) > 10_000
