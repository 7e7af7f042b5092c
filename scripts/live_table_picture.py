"""Draws docs/images/live-table.svg again: the demo's live table after some seconds of a real run.

.venv/bin/python scripts/live_table_picture.py [SECONDS]
"""

import asyncio
import html
import io
import re
import sys
import tempfile
from itertools import groupby
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console

from edge_agent.agent import Agent
from edge_agent.cli.table import WIDE, live_table
from edge_agent.config.shipped import shipped
from edge_agent.config.site import load_site
from edge_agent.simulator.stage import copy_configuration, embedded_broker, free_ports, workshop

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "live-table.svg"
COLUMNS = 148
SECONDS = 24.0
CELL = 20 * 0.61
"""Width of a terminal's column in the picture: rich's font size and the ratio of width to height."""

FRAME = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font: {char_height}px "Fira Code", "DejaVu Sans Mono", Menlo, Consolas, "Noto Sans Mono CJK SC",
    "PingFang SC", "Microsoft YaHei", monospace;
}}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""As rich's own, without the fonts that it fetches from the network."""

_TEXT = re.compile(
    r'<text class="([^"]*)" x="([^"]*)" y="([^"]*)" textLength="[^"]*" (clip-path="[^"]*")>(.*?)</text>'
)


def to_grid(svg: str) -> str:
    """Give each run of text the columns that it takes on a terminal: a Chinese character takes two.

    Rich counts one column for every character when it stretches a text to its place.
    """

    def runs(match: re.Match[str]) -> str:
        style, x, y, clip, text = match.groups()
        drawn, column = [], 0
        for _, group in groupby(html.unescape(text), cell_len):
            run = "".join(group)
            if run.strip():
                place = f'x="{float(x) + column * CELL:g}" y="{y}" textLength="{cell_len(run) * CELL:g}"'
                shown = html.escape(run).replace("\N{NO-BREAK SPACE}", "&#160;")
                drawn.append(f'<text class="{style}" {place} {clip}>{shown}</text>')
            column += cell_len(run)
        return "\n".join(drawn)

    return _TEXT.sub(runs, svg)


async def watch(site_folder: Path, seconds: float) -> Console:
    """Run the agent for a while; returns the console on which its table was recorded."""
    agent = Agent(load_site(site_folder))
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, highlight=False)
    await agent.start()
    await asyncio.sleep(seconds)
    console.print(live_table(agent, WIDE))
    await agent.stop()
    return console


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    ports = free_ports()
    with tempfile.TemporaryDirectory() as folder, workshop(ports) as plant, embedded_broker(ports) as broker:
        broker.start()
        plant.start()
        site = copy_configuration(shipped() / "demo", Path(folder) / "demo", ports)
        console = asyncio.run(watch(site, seconds))
    svg = console.export_svg(title="make demo", code_format=FRAME, unique_id="live")
    PICTURE.write_text("\n".join(line.rstrip() for line in to_grid(svg).splitlines()) + "\n", "utf-8")
    print(PICTURE)


if __name__ == "__main__":
    main()
