"""`edge-agent journal`: encrypting what the journal keeps."""

import sqlite3
import sys
from pathlib import Path
from typing import NoReturn

import click

from edge_agent.agent import carried, digested
from edge_agent.config.errors import ConfigError
from edge_agent.config.site import load_site
from edge_agent.journal.cipher import JournalKeyError, cipher_of, make_key
from edge_agent.journal.convert import convert as convert_file
from edge_agent.journal.file import JournalFormatError
from edge_agent.journal.lock import DataDirBusyError, DataDirLock

EXIT_FAILED = 1
EXIT_CONFIG = 2


@click.group()
def journal() -> None:
    """The journal (日志队列) encrypted on the disk: make a key, convert what is there."""


@journal.command()
@click.argument("file", type=click.Path(path_type=Path))
def key(file: Path) -> None:
    """Make a key in FILE, which its owner alone can read. A file that is there is never written over.

    Exit status: 0, 1 it cannot be written.
    """
    try:
        make_key(file)
    except FileExistsError:
        _fail(f"{file}: 文件已存在，未改动 it is there already and was left as it is")
    except OSError as error:
        _fail(f"{file}: 无法写入 it cannot be written: {error.strerror}")
    click.echo(f"已生成密钥 key made: {file}")
    click.echo(
        "请另存一份：密钥丢失则日志无法读取 Keep a copy elsewhere: without it the journal cannot be read."
    )
    click.echo(f"配置 configuration: journal: {{key_file: {file.absolute()}}}")


@journal.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--old-key",
    type=click.Path(path_type=Path),
    help="File with the key that the journal is encrypted with now; without it: it is not encrypted.",
)
def convert(config: Path, old_key: Path | None) -> None:
    """Make the journal what CONFIG says: encrypted with the key of journal.key_file, or not encrypted.

    The agent must not run meanwhile. Needs as much room on the disk as the journal takes. Exit status: 0,
    1 it cannot be done and nothing has changed, 2 wrong configuration.
    """
    try:
        site = load_site(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    path = site.data_dir / "journal.db"
    try:
        if not path.exists():
            _fail(f"{path}: 尚无日志队列，无需转换 there is no journal yet, and so nothing to convert")
        old, new = cipher_of(old_key), cipher_of(site.journal.key_file)
        lock = DataDirLock(site.data_dir)
        try:
            uplinks = {uplink.id: carried(uplink) for uplink in site.uplinks}
            count = convert_file(path, uplinks, old, new, digested(site))
        finally:
            lock.release()
    except (DataDirBusyError, JournalFormatError, JournalKeyError, sqlite3.Error, OSError) as error:
        _fail(str(error))
    now = "已加密 encrypted" if new.key_id else "未加密 not encrypted"
    if count is None:
        click.echo(f"无需转换：{path} 已符合配置 is as the configuration says already ({now})")
        return
    click.echo(f"已转换 converted: {path}, {count} runs, {now}")
    if new.key_id and not old.key_id:
        click.echo(
            "卡上可能仍有旧数据块 The card may still hold blocks of the old file: docs/journal.md#encryption"
        )
    for aside in sorted(path.parent.glob(f"{path.name}.damaged-*")):
        click.echo(f"未转换，不再需要时请删除 not converted, delete it when it is not needed: {aside.name}")


def _fail(message: str) -> NoReturn:
    click.echo(message, err=True)
    sys.exit(EXIT_FAILED)
