"""A hub to look at, and a Chromium to look with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
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


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens a browser of 1600 by 1000 points that keeps its console; closed at the end."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        if os.environ.get("HUB_REQUIRE_ALL"):
            pytest.fail("chromium and chromedriver are needed")
        pytest.skip("needs chromium and chromedriver")
    from selenium import webdriver

    opened: list[webdriver.Chrome] = []

    def open_browser(*flags: str) -> webdriver.Chrome:
        options = webdriver.ChromeOptions()
        options.binary_location = chromium
        profile = f"--user-data-dir={tmp_path / f'profile-{len(opened)}'}"
        for flag in (*FLAGS, profile, "--window-size=1600,1000", *flags):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        made = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        opened.append(made)
        return made

    yield open_browser
    for one in opened:
        one.quit()
