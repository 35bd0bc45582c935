"""report.html in Chromium: no request and no error; search, click, sort, print, and axe."""

import shutil

import pytest

from grnjax.report.page import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("plotly", reason="the extra report is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.slow,
]
ROWS = "#regulator-table tbody tr:visible"


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser):
    """Opens a report; at the end nothing may have been asked for, and no error shown."""
    contexts, wrong = [], []

    def open_report(folder, *, width=1280, scheme="light"):
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
        page.on("dialog", lambda dialog: wrong.append(dialog.message))
        path = write_report(folder).as_uri()
        page.on("request", lambda x: wrong.append(x.url) if x.url.startswith("http") else None)
        page.goto(path)
        page.wait_for_selector(".chart svg.main-svg")
        return page

    yield open_report
    assert not wrong
    for context in contexts:
        context.close()


def test_search_click_sort_and_evidence(open_page, run_folder):
    page = open_page(run_folder)
    assert page.locator(ROWS).count() == 12
    page.fill("#search", "tf03")
    assert page.locator(ROWS).count() == 1
    page.click("button.tf:visible")
    assert page.inner_text("#detail-title") == "TF03"
    assert page.locator("#target-table tbody tr").count() == 60
    assert page.locator("#network svg[aria-label*='TF03']").count() == 1
    page.click("#target-table button.why >> nth=1")
    assert page.inner_text("#why-title").startswith("Why TF03")
    assert "motifs" in page.get_attribute("#why-chart", "aria-label")
    page.fill("#search", "")
    head = page.locator("#regulator-table thead th").first
    for order in ("ascending", "descending"):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        names = page.locator("#regulator-table button.tf").all_inner_texts()
        assert names == sorted(names, reverse=order == "descending")
    page.locator("#regulator-table thead button").nth(1).press("Enter")  # by keyboard
    assert page.locator("#regulator-table thead [aria-sort=descending]").count() == 1


def test_groups_are_chosen_and_print_shows_all(open_page, group_folder):
    page = open_page(group_folder)
    assert page.locator(ROWS).count() == 12
    page.select_option("#group", "T/x")
    assert page.inner_text("#detail-title").endswith("in T/x")
    page.emulate_media(media="print")
    assert page.locator(ROWS).count() == 24 and page.locator("main > section:visible").count() == 8
    clipped = (
        "e => e.scrollHeight > e.clientHeight + 2 && getComputedStyle(e).overflowY != 'visible'"
    )
    assert not any(page.locator(".scroll").evaluate_all(f"all => all.map({clipped})"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("run", ["run_folder", "benchmark_folder", "activity_file"])
def test_no_serious_violation_and_no_sideways_scroll(open_page, request, run, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = open_page(request.getfixturevalue(run), width=width, scheme=scheme)
    found = axe.Axe().run(page).response["violations"]
    serious = [x["id"] for x in found if x["impact"] in ("serious", "critical")]
    assert not serious, [node["html"] for x in found for node in x["nodes"]][:5]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
