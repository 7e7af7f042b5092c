"""What the agent keeps: whether the files are whole, and of a version that is known."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from zoneinfo import ZoneInfo

from edge_agent.config.site import Site
from edge_agent.doctor.finding import Finding, good, notice, wrong
from edge_agent.indicators.kept import KeptHistory
from edge_agent.looking import day_text, history_file
from edge_agent.model.clock import CLOCK
from edge_agent.statements.keys import KEY_FILE, KeyFileError, signing_key
from edge_agent.words import Words

JOURNAL, HISTORY, KEY = (
    Words("日志队列", "journal"),
    Words("历史", "history"),
    Words("签名密钥", "signing key"),
)
ALIVE = Words("代理", "agent")
SILENT_MS = 30_000
"""A running agent notes that it is alive every 5 s."""
_RESCUE = Words(
    "重启代理：能读出的会被保存，损坏的文件会被留存",
    "start the agent again: what can be read is saved, and the damaged file is set aside",
)


def files(site: Site) -> Iterator[Finding]:
    """Both files, page by page, while an agent may be writing them."""
    for about, name in ((JOURNAL, "journal.db"), (HISTORY, "history.db")):
        path = site.data_dir / name
        if not path.exists():
            yield notice(
                about,
                f"{path}: not there yet",
                Words("代理首次启动时建立", "made at the agent's first start"),
            )
            continue
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
                (said,) = db.execute("PRAGMA quick_check(1)").fetchone()
                (version,) = db.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            yield wrong(about, f"{path}: {error}", _RESCUE)
            continue
        size = path.stat().st_size / 1e6
        if said == "ok":
            yield good(about, f"{path}: whole, {size:.1f} MB, format {version}")
        else:
            yield wrong(about, f"{path}: damaged: {said}", _RESCUE)


def key(site: Site) -> Iterator[Finding]:
    path = site.data_dir / KEY_FILE
    if not path.exists():
        yield notice(
            KEY, f"{path}: not there yet", Words("代理首次启动时生成", "made at the agent's first start")
        )
        return
    try:
        yield good(KEY, f"{path}: public key {signing_key(site.data_dir).public}")
    except (KeyFileError, OSError) as error:
        yield wrong(
            KEY,
            str(error),
            Words(
                "放回正确的密钥文件", "put the right key file back; without it statements begin a new chain"
            ),
        )


def alive(site: Site) -> Iterator[Finding]:
    """Whether an agent runs on the data folder, and when one was last known to."""
    try:
        with closing(KeptHistory(history_file(site))) as history:
            alive_ms = history.alive_ms()
    except sqlite3.Error:
        alive_ms = None
    starts = Words("启动代理", "start it: systemctl start edge-agent")
    if alive_ms is None:
        yield notice(ALIVE, "none has run on this data folder yet", starts)
        return
    when = day_text(alive_ms, ZoneInfo(site.gateway.timezone))
    if CLOCK.now_ms() - alive_ms <= SILENT_MS:
        yield good(ALIVE, f"runs; {when}")
    else:
        yield wrong(ALIVE, f"does not run; last known to be alive at {when}", starts)
