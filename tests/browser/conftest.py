"""A hub to look at, and a Chromium to look with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.hub_process import Hub, running_hub

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="package")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture(scope="package")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Starts a browser, or gives the one that was started with the same flags; ended at the end."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        if os.environ.get("HUB_REQUIRE_ALL"):
            pytest.fail("chromium and chromedriver are needed")
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver

    running: dict[tuple[str, ...], webdriver.Chrome] = {}

    def start(*flags: str) -> webdriver.Chrome:
        if flags not in running:
            options = webdriver.ChromeOptions()
            options.binary_location = chromium
            profile = f"--user-data-dir={tmp_path_factory.mktemp('profile')}"
            for flag in (*FLAGS, profile, "--window-size=1600,1000", *flags):
                options.add_argument(flag)
            options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
            service = webdriver.ChromeService(driver)
            running[flags] = webdriver.Chrome(options=options, service=service)
        return running[flags]

    yield start
    for one in running.values():
        one.quit()


@pytest.fixture
def browser(started: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a window of 1600 by 1000 points that keeps its console, and forgets the one before.

    To start a browser for each test would take longer than most of them.
    """

    def open_window(*flags: str) -> Any:
        page = started(*flags)
        page.execute_cdp_cmd("Network.clearBrowserCookies", {})
        everything = {"origin": "*", "storageTypes": "all"}
        page.execute_cdp_cmd("Storage.clearDataForOrigin", everything)
        used = page.current_window_handle
        page.switch_to.new_window("tab")
        opened = page.current_window_handle
        page.switch_to.window(used)
        page.close()
        page.switch_to.window(opened)
        page.get_log("browser")
        return page

    return open_window
