"""A radiologist at a real browser: signs in, sees the sickest first, and rows that live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.hub_process import PASSWORD, Hub

pytestmark = pytest.mark.peer

Browser = Any
NO_SCRIPTS = "--blink-settings=scriptEnabled=false"


def sign_in(browser: Browser, hub: Hub, username: str) -> None:
    browser.get(f"{hub.url}/")
    browser.find_element(By.ID, "id_username").send_keys(username)
    browser.find_element(By.ID, "id_password").send_keys(PASSWORD + Keys.ENTER)
    wait(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "tr.row"))


def wait(browser: Browser, condition: Callable[[], Any], seconds: float = 40) -> Any:
    # a row may be replaced by a live one between finding it and reading it
    waiting = WebDriverWait(
        browser, seconds, poll_frequency=0.1, ignored_exceptions=[StaleElementReferenceException]
    )
    return waiting.until(lambda _: condition())


def names(browser: Browser) -> list[str]:
    script = "return [...document.querySelectorAll('a.open')].map(one => one.textContent)"
    return list(browser.execute_script(script))


def complaints(browser: Browser) -> list[str]:
    return [entry["message"] for entry in browser.get_log("browser")]


def test_the_sickest_patient_is_on_top_and_nothing_is_refused_by_the_policy(
    hub: Hub, browser: Callable[..., Browser]
) -> None:
    page = browser()
    sign_in(page, hub, "kari")
    assert names(page)[:2] == ["BERG, INGRID MARIE", "SOLHEIM, LARS ERIK"]
    assert page.title.startswith("(3 STAT)")
    wait(page, lambda: page.find_element(By.ID, "live").text == "Live")
    page.find_element(By.CSS_SELECTOR, "a.open").click()
    wait(page, lambda: page.find_elements(By.ID, "study"))
    page.get(f"{hub.url}/operations/")
    assert "accession number unknown" in page.page_source
    assert complaints(page) == []


def test_a_finding_moves_a_row_to_the_top_without_a_reload(
    hub: Hub, browser: Callable[..., Browser]
) -> None:
    page = browser()
    sign_in(page, hub, "kari")
    wait(page, lambda: page.find_element(By.ID, "live").text == "Live")
    page.execute_script("window.sameDocument = true")
    assert names(page).index("ALI, FATIMA") > 5
    hub.scene("finding", "ALI^FATIMA")
    wait(page, lambda: names(page).index("ALI, FATIMA") < 3)
    row = page.find_element(By.XPATH, "//tr[.//a[text()='ALI, FATIMA']]")
    assert "93" in row.text
    assert "changed" in row.get_attribute("class")
    assert page.execute_script("return window.sameDocument") is True
    assert complaints(page) == []


def test_a_reason_half_written_outlives_the_refresh_of_the_study_page(
    hub: Hub, browser: Callable[..., Browser]
) -> None:
    page = browser()
    sign_in(page, hub, "kari")
    wait(page, lambda: "MOEN, GRETE" in names(page))
    hub.scene("finding", "MOEN^GRETE")
    wait(page, lambda: page.find_element(By.LINK_TEXT, "MOEN, GRETE").click() or True)
    wait(page, lambda: page.find_element(By.ID, "live").text == "Live")
    page.find_element(By.CSS_SELECTOR, "details.reject summary").click()
    page.find_element(By.CSS_SELECTOR, "details.reject textarea").send_keys("an artef")
    before = page.find_element(By.CSS_SELECTOR, "#study .findings").text.count("93")
    hub.scene("finding", "MOEN^GRETE")
    wait(
        page,
        lambda: page.find_element(By.CSS_SELECTOR, "#study .findings").text.count("93") > before,
    )
    kept = page.find_element(By.CSS_SELECTOR, "details.reject textarea")
    assert kept.get_attribute("value") == "an artef"
    assert kept.is_displayed()


def test_the_keyboard_is_enough(hub: Hub, browser: Callable[..., Browser]) -> None:
    page = browser()
    sign_in(page, hub, "kari")
    body = page.find_element(By.TAG_NAME, "body")
    body.send_keys("jj")
    second = names(page)[1]
    assert page.switch_to.active_element.text == second
    page.switch_to.active_element.send_keys("k", "j", Keys.ENTER)
    wait(page, lambda: page.find_elements(By.ID, "study"))
    assert second in page.find_element(By.TAG_NAME, "h1").text
    page.find_element(By.TAG_NAME, "body").send_keys("u")
    wait(page, lambda: page.find_elements(By.ID, "list"))
    page.find_element(By.TAG_NAME, "body").send_keys("/")
    page.switch_to.active_element.send_keys("bakken")
    wait(page, lambda: names(page) == ["BAKKEN, METTE"])
    assert "q=bakken" in page.current_url


def test_the_pages_work_without_scripts(hub: Hub, browser: Callable[..., Browser]) -> None:
    page = browser(NO_SCRIPTS)
    sign_in(page, hub, "drammen")
    page.get(f"{hub.url}/?q=kristiansen")
    page.find_element(By.CSS_SELECTOR, "a.open").click()
    page.find_element(By.XPATH, "//button[text()='Mark as read']").click()
    wait(page, lambda: "Marked as read." in page.page_source)
    assert "KRISTIANSEN" not in page.page_source


def test_a_radiologist_of_one_trust_sees_no_other(
    hub: Hub, browser: Callable[..., Browser]
) -> None:
    page = browser()
    sign_in(page, hub, "drammen")
    assert "SOLHEIM, LARS ERIK" not in names(page)
    assert "BERG, INGRID MARIE" in names(page)
    page.execute_script("window.seen = 0")
    page.execute_script("document.addEventListener('htmx:sseMessage', () => window.seen++)")
    wait(page, lambda: page.find_element(By.ID, "live").text == "Live")
    hub.scene("finding", "SOLHEIM^LARS")
    hub.scene("finding", "BERG^INGRID")
    wait(page, lambda: page.execute_script("return window.seen") > 0)
    assert page.execute_script("return window.seen") == 1


WIDTHS = (1920, 1600, 1440, 1366, 1280, 1024, 768, 390)
LONG_NAMES = """
const say = (name, text) => document.querySelectorAll(name).forEach((one) => {
  one.textContent = text;
});
say(".finding .by", "Chest X-ray Pneumothorax 1.0.0");
say("td.c-site", "Universitetssykehuset Nord-Norge");
"""
SPILT = """
const laps = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
  && a.top < b.bottom - 1 && b.top < a.bottom - 1;
return [...document.querySelectorAll("tr.row")].flatMap((row) => {
  const cells = [...row.cells].filter((cell) => cell.offsetWidth);
  const boxes = cells.map((cell) => cell.getBoundingClientRect());
  const over = boxes.filter((a, i) => boxes.some((b, j) => j > i && laps(a, b)));
  const spilt = cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1);
  return [...spilt.map((cell) => cell.innerText), ...over.map(() => row.innerText)];
});
"""


def test_no_cell_of_the_worklist_is_written_over_another(
    hub: Hub, browser: Callable[..., Browser]
) -> None:
    page = browser()
    sign_in(page, hub, "kari")
    found = {}
    for width in WIDTHS:
        page.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False},
        )
        page.execute_script(LONG_NAMES)
        whole = page.execute_script("return document.documentElement.scrollWidth")
        found[width] = (page.execute_script(SPILT), max(whole - width, 0))
    assert found == dict.fromkeys(WIDTHS, ([], 0))
