"""Draws docs/images/{page,machine,connection}-*.png again: the demo after some seconds of a real run.

.venv/bin/python scripts/page_pictures.py [SECONDS]; needs Debian's packages chromium and fonts-noto-cjk.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from edge_agent.config.shipped import shipped
from edge_agent.simulator.stage import copy_configuration, embedded_broker, free_ports, workshop

PICTURES = Path(__file__).parents[1] / "docs" / "images"
SECONDS = 40.0
SIZE = {"width": 1280, "height": 800}
PAGES = {
    "page": ("", ".tile"),
    "machine": ("#/machine/CNC-01", "main table"),
    "connection": ("#/connection/machining-bus", "main table"),
}
"""What is drawn: where it is, and what has to be there."""


def few_colours(picture: Path) -> None:
    """A page has hardly more than a palette holds: less than half of the bytes."""
    Image.open(picture).convert("RGB").quantize(
        256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    ).save(picture, optimize=True)


def draw(address: str) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for language in ("zh", "en"):
            for name, (where, wanted) in PAGES.items():
                page = browser.new_page(viewport=SIZE)
                page.goto(f"{address}/?lang={language}{where}")
                page.wait_for_selector(wanted)
                picture = PICTURES / f"{name}-{language}.png"
                page.screenshot(path=str(picture))
                few_colours(picture)
        browser.close()


def main(seconds: float) -> None:
    ports = free_ports()
    with tempfile.TemporaryDirectory() as folder, workshop(ports) as plant, embedded_broker(ports) as broker:
        broker.start()
        plant.start()
        site = copy_configuration(shipped("demo"), Path(folder) / "demo", ports)
        agent = subprocess.Popen([sys.executable, "-m", "edge_agent", "run", site, "--log-level", "error"])  # noqa: S603 - our own program
        try:
            time.sleep(seconds)
            draw(f"http://127.0.0.1:{ports.page}")
        finally:
            agent.terminate()
            agent.wait()


main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
