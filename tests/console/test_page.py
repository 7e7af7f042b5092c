"""The page in a browser: every page in both languages, on a phone and on a desk."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from edge_agent.simulator.stage import embedded_broker, workshop
from tests.console.conftest import Served, start
from tests.console.guarded import TECHNICIAN, VIEWER, Guarded
from tests.npm import npm_package
from tests.ports import demo_ports

AXE_VERSION = "4.10.3"
LARGEST_KB = 300
expect.set_options(timeout=30_000)
PAGES = {
    "overview": "66.7",
    "indicator/networked-rate/live": "CNC-03",
    "indicator/nc-rate/by-count": "SAW-01",
    "machine/CNC-01": "spindle_speed",
    "machine/CNC-03": "unit 5",
    "machine/DRL-01": "DRL-01",
    "connections": "machining-bus",
    "connection/machining-bus": "0–13",
    "connection/cells": "MIL-01",
    "uplinks": "region",
    "indicators": "networked-rate/miit-sme-2024",
    "register": "SCR-01",
    "logs": "machining-bus",
    "configuration": "agent.yaml",
}
"""By page, a text that it must show."""
SIZES = {"phone": (360, 740), "desk": (1366, 800)}


@dataclass
class Visit:
    """One window, and what happened in it."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, served: Served, where: str, language: str) -> None:
        self.page.goto(f"{served.url}/?lang={language}#/{where}")
        expect(self.page.locator("main")).to_contain_text(PAGES[where])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None, "the tests need Debian's package chromium: scripts/debian-tools"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


def visit(browser: Browser, size: str = "desk") -> Visit:
    width, height = SIZES[size]
    # The certificates of the tests are by an authority that is in no browser; test_guarded verifies them.
    page = browser.new_page(viewport={"width": width, "height": height}, ignore_https_errors=True)
    one = Visit(page)
    page.on(
        "console",
        lambda said: one.complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: one.complaints.append(str(error)))
    page.on("request", lambda request: one.requests.append(request.url))
    return one


@pytest.fixture(scope="module")
def axe() -> str:
    return (npm_package("axe-core", AXE_VERSION) / "node_modules" / "axe-core" / "axe.min.js").read_text(
        "utf-8"
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_is_whole(browser: Browser, served: Served, language: str, size: str) -> None:
    one = visit(browser, size)
    for where in PAGES:
        one.go(served, where, language)
        assert one.page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0], where
        assert one.page.evaluate("document.documentElement.lang") == language
        text = one.page.inner_text("body")
        assert not re.search(r"undefined|NaN|\[object|null", text), where
        if language == "en":
            # Names of the plant are Chinese; what the page says by itself is not.
            assert not re.search(
                "[\u4e00-\u9fff]", one.page.inner_text("nav") + one.page.inner_text("footer")
            )
    assert one.complaints == []
    assert all(url.startswith(served.url) for url in one.requests)
    one.page.close()


def violations(one: Visit, axe: str, where: str) -> list[tuple[str, str, str]]:
    """What keeps some people from using what is shown now."""
    one.page.evaluate(axe)
    result = one.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        (where, violation["id"], node["html"][:120])
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize("size", SIZES)
def test_everybody_can_use_it(browser: Browser, served: Served, axe: str, size: str) -> None:
    one = visit(browser, size)
    found = []
    for where in PAGES:
        one.go(served, where, "zh")
        found += violations(one, axe, where)
    assert found == []
    one.page.close()


def test_it_is_light(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "overview", "zh")
    sizes = one.page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".filter(one => !one.name.includes('/api/')).map(one => one.decodedBodySize)"
    )
    assert len(sizes) >= 8
    assert 20_000 < sum(sizes) < LARGEST_KB * 1000
    one.page.close()


def test_a_tile_is_made_anew_only_if_it_looks_otherwise(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "overview", "zh")
    changed, made = one.page.evaluate(
        """() => {
            render();
            const tiles = [...document.querySelectorAll(".tile")].slice(0, 2);
            const before = tiles.map(tile => tile.textContent);
            let made = 0;
            const watched = stackedBar;
            stackedBar = (...given) => { made += 1; return watched(...given); };
            render();
            const again = made;
            OVERVIEW.machines.find(one => tiles[0].textContent.startsWith(one.id)).name = "another name";
            render();
            stackedBar = watched;
            const texts = tiles.map(tile => tile.textContent);
            return [texts.map((text, place) => text !== before[place]), [again, made - again]];
        }"""
    )
    assert changed == [True, False]
    assert made == [1, 2], "the bar above the wall, and then that of the one tile"
    one.page.close()


def test_the_language_is_changed_in_the_corner_and_remembered(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "overview", "zh")
    one.page.get_by_role("button", name="English").click()
    expect(one.page.locator("nav")).to_contain_text("Connections")
    one.page.goto(f"{served.url}/")
    expect(one.page.locator("nav")).to_contain_text("Connections")
    assert one.page.title() == "Overview · Edge agent"
    one.page.close()


def test_from_a_rate_to_the_machine_that_does_not_count(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "overview", "en")
    one.page.locator("a.rate", has_text="networked-rate/live").click()
    not_counted = one.page.get_by_role("region", name="In the denominator, not counted")
    row = not_counted.locator("tr", has_text="CNC-03")
    expect(row).to_contain_text("not live")
    expect(row).to_contain_text("reachable")
    row.get_by_role("link").click()
    expect(one.page.locator(".trouble")).to_contain_text("unit 5 did not answer")
    expect(one.page.locator(".trouble")).to_contain_text("What to do")
    one.page.close()


def test_machines_are_shown_by_state(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "overview", "en")
    button = one.page.get_by_role("button", name=re.compile("^unknown"))
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    tiles = one.page.locator(".tile")
    assert set(tiles.evaluate_all("all => all.map(one => one.querySelector('.state').textContent)")) == {
        "unknown"
    }
    button.click()
    expect(tiles).to_have_count(20)
    one.page.close()


def test_the_keyboard_reaches_everything(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "overview", "en")
    reached = []
    for _ in range(40):
        one.page.keyboard.press("Tab")
        reached.append(one.page.evaluate("document.activeElement.textContent"))
    assert "Skip to content" in reached[0]
    assert {"Connections", "中文", "Register"} <= set(reached)
    assert any("CNC-01" in text for text in reached)
    one.page.close()


def test_news_come_by_themselves_and_leave_open_what_was_opened(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "connections", "en")
    one.page.locator("summary").first.click()
    cell = one.page.locator(".numbers > div", has_text="Reads").first.locator("b")
    before = cell.inner_text()
    expect(cell).not_to_have_text(before)
    assert one.page.locator("details").first.evaluate("one => one.open")
    expect(one.page.locator("details").first).to_contain_text("response p99")
    one.page.close()


def test_a_connection_is_tested_by_a_button(browser: Browser, served: Served, axe: str) -> None:
    one = visit(browser)
    one.go(served, "connections", "en")
    panel = one.page.locator("section.connection", has_text="assembly-line")
    panel.get_by_role("button", name="Test now assembly-line").click()
    expect(panel.get_by_role("status")).to_contain_text("Test: all well")
    expect(panel.get_by_role("status")).to_contain_text(re.compile(r"ASM-01 answered: (\d+) of \1 tags"))
    assert violations(one, axe, "connections") == []
    panel.get_by_role("link", name="assembly-line").click()
    expect(one.page.get_by_role("status").nth(1)).to_contain_text("Test: all well")
    one.page.get_by_role("button", name="中文").click()
    expect(one.page.get_by_role("status").nth(1)).to_contain_text("测试正常")
    assert one.complaints == []
    one.page.close()


def test_statements_are_verified_by_a_button(browser: Browser, served: Served, axe: str) -> None:
    one = visit(browser)
    one.go(served, "indicators", "en")
    assert served.stated is not None
    one.page.get_by_role("button", name=f"Verify {served.stated:%Y-%m}").click()
    rows = one.page.get_by_role("region", name="Statements of record").locator("tbody tr")
    of_the_day = rows.filter(has_text=f"{served.stated:%Y-%m-%d}")
    expect(of_the_day.locator(".ok")).to_have_text(["right"] * 3)
    expect(one.page.locator(".trouble.well")).to_contain_text(re.compile(r"All \d+ statements are right"))
    assert violations(one, axe, "indicators") == []
    one.page.close()


def test_the_register_is_searched(browser: Browser, served: Served) -> None:
    one = visit(browser)
    one.go(served, "register", "en")
    one.page.get_by_label("Find equipment").fill("机器人")
    rows = one.page.get_by_role("region", name="Asset register").locator("tbody tr")
    expect(rows).to_have_count(2)
    one.page.close()


def test_a_browser_sees_when_the_agent_is_gone_and_back(browser: Browser, tmp_path: Path) -> None:
    ports = demo_ports()
    with workshop(ports) as plant, embedded_broker(ports) as broker:
        broker.start()
        plant.start()
        served = start(tmp_path, ports)
        one = visit(browser)
        try:
            one.go(served, "overview", "en")
            assert served.process.stop() == 0
            expect(one.page.get_by_role("status")).to_contain_text("No connection")
            served.process.start()
            expect(one.page.get_by_role("status")).to_contain_text("live")
            one.page.get_by_role("link", name="Configuration").click()
            one.page.get_by_role("button", name="Validate").click()
            expect(one.page.locator("main")).to_contain_text("the agent runs on them")
            assert served.process.stop() == 0
        finally:
            one.page.close()
            if served.process.process is not None and served.process.process.poll() is None:
                served.process.process.kill()
                served.process.process.wait()


# With TLS and a sign-in.


def sign_in(one: Visit, who: tuple[str, str]) -> None:
    """By keyboard alone."""
    one.page.get_by_label("User").focus()
    for text in who:
        one.page.keyboard.press("Control+a")
        one.page.keyboard.type(text)
        one.page.keyboard.press("Tab")
    one.page.keyboard.press("Enter")


def apply(page: Page) -> None:
    page.get_by_role("button", name="Apply these changes").click()
    page.get_by_role("button", name="Yes, apply now").click()


def test_a_technician_signs_in_reads_the_log_validates_and_applies(
    browser: Browser, guarded: Guarded, axe: str
) -> None:
    one = visit(browser, "phone")
    page = one.page
    page.goto(f"{guarded.url}/?lang=en#/logs")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    found = violations(one, axe, "sign-in")
    with page.expect_console_message(lambda said: said.text.endswith("401 (Unauthorized)")):
        sign_in(one, (TECHNICIAN[0], "wrong"))
    expect(page.get_by_role("alert")).to_have_text("User or password is wrong")
    assert one.complaints.pop().endswith("401 (Unauthorized)")
    sign_in(one, TECHNICIAN)
    expect(page.get_by_role("heading", name="Log")).to_be_visible()
    lines = page.locator(".log li")
    expect(lines.filter(has_text="wang (technician) signed in").first).to_be_visible()
    page.get_by_label("Part").select_option("connections")
    expect(lines.filter(has_text="signed in")).to_have_count(0)
    expect(lines.filter(has_text="line-1").first).to_be_visible()
    page.get_by_label("Part").select_option("")
    page.get_by_label("Find text").fill("WANG")
    expect(lines.filter(has_text="line-1")).to_have_count(0)
    expect(lines.filter(has_text="wang (technician) signed in").first).to_be_visible()
    page.get_by_role("link", name="Configuration").click()
    expect(page.locator(".yaml")).to_contain_text("password: file:mqtt.secret")
    file = guarded.folder / "agent.yaml"
    before = file.read_text()
    try:
        file.write_text(before.replace("North hall", "South hall"))
        page.get_by_role("button", name="Validate").press("Enter")
        expect(page.get_by_role("row", name="gateway.name")).to_contain_text("North hall → South hall")
        found += violations(one, axe, "changes")
        page.get_by_role("button", name="Apply these changes").click()
        found += violations(one, axe, "sure")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".brand")).to_contain_text("North hall")
        apply(page)
        expect(page.locator("main")).to_contain_text("Applied. The agent runs on these files now")
        expect(page.locator(".yaml")).to_contain_text("name: South hall")
        found += violations(one, axe, "applied")
        file.write_text(before.replace("region:", "regoin:", 1))
        page.get_by_role("button", name="Validate").press("Enter")
        expect(page.get_by_role("row", name="gateway.regoin")).to_contain_text('did you mean "region"')
        expect(page.get_by_role("button", name="Apply these changes")).to_have_count(0)
        found += violations(one, axe, "mistakes")
        assert one.complaints == []
        # What belongs to the page itself takes the page away, and the sessions with it.
        file.write_text(before.replace("maintenance: technician, ", ""))
        page.get_by_role("button", name="Validate").press("Enter")
        apply(page)
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        sign_in(one, TECHNICIAN)
        expect(page.locator("main")).to_contain_text("The connection ended while the files were applied")
        expect(page.locator(".yaml")).not_to_contain_text("maintenance")
        expect(page.get_by_role("status").first).to_contain_text("live")
    finally:
        file.write_text(before)
        guarded.take_over()
    assert found == []
    assert all(url.startswith(guarded.url) for url in one.requests)
    page.close()


def test_a_viewer_sees_and_leaves_nothing_behind(browser: Browser, guarded: Guarded) -> None:
    one = visit(browser)
    page = one.page
    page.goto(f"{guarded.url}/?lang=en#/configuration")
    sign_in(one, VIEWER)
    expect(page.locator("main")).to_contain_text("Validating and applying takes the role technician")
    expect(page.get_by_role("button", name="Validate")).to_have_count(0)
    expect(page.get_by_role("status")).to_contain_text("live")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "North hall" not in page.inner_text("body")
    assert page.evaluate("[OVERVIEW, STREAM, Object.keys(DATA).length]") == [None, None, 0]
    page.close()


def test_who_is_signed_out_elsewhere_sees_the_form_again(browser: Browser, guarded: Guarded) -> None:
    one = visit(browser)
    page = one.page
    page.goto(f"{guarded.url}/?lang=en#/overview")
    sign_in(one, VIEWER)
    expect(page.get_by_role("status")).to_contain_text("live")
    # As another tab of the same browser does it.
    page.evaluate(
        "fetch('api/v1/sign-out', {method: 'POST', headers: {'X-CSRF-Token': SESSION.csrf}}).then(() => 1)"
    )
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.close()
