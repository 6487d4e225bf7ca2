"""A real browser that opens a page and returns the messages of its console."""

import os
import shutil
import subprocess

import pytest


def open_in_chromium(page, profile) -> tuple[str, list[str]]:
    """The page's document after its script ran, and the lines of the browser's console."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        if os.environ.get("CI") == "true":
            pytest.fail("chromium is missing: in CI the report must be opened; apt-get install chromium")
        pytest.skip("chromium is not installed: apt-get install chromium")
    result = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--v=0",
            "--dump-dom",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--disable-dev-shm-usage",
            f"--user-data-dir={profile}",
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return result.stdout, [line for line in result.stderr.splitlines() if "CONSOLE" in line]
