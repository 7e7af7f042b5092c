"""`edge-agent report`: a month on paper and as tables, to be handed in."""

import sys
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import click

from edge_agent.config.errors import ConfigError
from edge_agent.config.site import load_site
from edge_agent.looking import NoHistoryError
from edge_agent.words import Language

EXIT_FAILED = 1
EXIT_CONFIG = 2
REPORTLAB = "reportlab>=5,<6"


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--month",
    required=True,
    type=click.DateTime(["%Y-%m"]),
    metavar="YYYY-MM",
    help="Such as 2026-10; it is over.",
)
@click.option(
    "--language",
    type=click.Choice(["zh", "en"]),
    default="zh",
    show_default=True,
    help="Of what people read in it: Chinese or English.",
)
@click.option(
    "--output",
    type=click.Path(exists=True, file_okay=False, writable=True, path_type=Path),
    default=Path(),
    help="Folder for the two files.  [default: the current one]",
)
@click.option(
    "--font",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TrueType font with Chinese characters (.ttf, .ttc).  [default: one of the system's]",
)
def report(config: Path, month: datetime, language: Language, output: Path, font: Path | None) -> None:
    """Write the report of a month as PDF and XLSX (月度报告), to be handed in.

    It has every figure of the enterprise, its workshops and lines with the source of its definition; which
    machine counts where and why, and what proves its connection; what the register claims without evidence;
    machine time and key figures; the months before, and policy targets; the statements with their signatures,
    and how to verify them.

    Figures are those of the month's statements of record (指标声明), nothing else: so a month that is not
    over, or of which there are none, is refused. The data folder is only read, also while the agent runs. The
    same data gives the same bytes; nothing is overwritten.

    \b
    It needs:
      pip install "reportlab>=5,<6"            makes the PDF; also: pip install "edge-agent[report]"
      apt-get install fonts-wqy-microhei       a Chinese font; or --font

    Exit status: 0 written, 1 nothing to report on or cannot be written, 2 wrong configuration.
    """
    try:
        from edge_agent.report.fonts import FontError
        from edge_agent.report.pdf import pdf
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != "reportlab":
            raise
        _fail(
            f'the report needs reportlab, which is not installed: pip install "{REPORTLAB}"'
            f' (with pipx: pipx inject edge-agent "{REPORTLAB}")'
            " 缺少 reportlab，请用上面的命令安装"
        )
    from edge_agent.report.compose import compose
    from edge_agent.report.gather import NoReportError, gather
    from edge_agent.report.xlsx import xlsx

    try:
        site = load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    stem = f"report-{site.gateway.id}-{month:%Y-%m}-{language}"
    files = [output / f"{stem}.pdf", output / f"{stem}.xlsx"]
    for file in files:
        if file.exists():
            _fail(f"{file}: is there already 文件已存在")
    try:
        content = compose(gather(site, month.date()), language)
        for file, made in zip(files, (pdf(content, font), xlsx(content)), strict=True):
            with file.open("xb") as target:
                target.write(made)
            click.echo(f"written 已写入: {file}, {len(made):,} bytes")
    except (NoHistoryError, NoReportError, FontError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{output}: cannot be written: {error}")


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
