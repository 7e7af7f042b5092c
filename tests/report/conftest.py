"""The plant with its reports, made once."""

from dataclasses import dataclass
from pathlib import Path
from subprocess import run

import pytest
from click.testing import CliRunner, Result

from edge_agent.cli.main import main
from tests.report.plant import report_plant

Pages = list[str]


def report(config: Path, folder: Path, *more: str, month: str = "2026-10") -> Result:
    arguments = ["report", str(config), "--month", month, "--output", str(folder), *more]
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


def pages(pdf: Path) -> Pages:
    """The text of each page, by a program that was not written here."""
    done = run(["pdftotext", "-layout", pdf, "-"], check=True, capture_output=True, timeout=60)
    return done.stdout.decode().split("\f")[:-1]


@dataclass(frozen=True)
class Made:
    demo: Path
    pdf: Path
    xlsx: Path

    @property
    def pages(self) -> Pages:
        return pages(self.pdf)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The report on October in Chinese."""
    demo = report_plant(tmp_path_factory.mktemp("plant"))
    folder = tmp_path_factory.mktemp("report")
    done = report(demo, folder)
    assert done.exit_code == 0, done.output
    stem = folder / "report-gw-demo-01-2026-10-zh"
    return Made(demo, stem.with_suffix(".pdf"), stem.with_suffix(".xlsx"))
