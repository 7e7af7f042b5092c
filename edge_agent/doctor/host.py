"""The gateway itself: versions, disk, clock, who may read what."""

import ctypes
import ctypes.util
import errno
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_agent import __version__
from edge_agent.config.site import Site
from edge_agent.doctor.finding import Finding, good, notice, wrong
from edge_agent.words import Words

LIBRARIES = ("asyncua", "paho-mqtt", "pymodbus", "influxdb-client", "numpy", "cryptography")
RESERVE = 200_000_000
"""Bytes on the disk beside the journal's limit that history and statements have use for in a year."""
LATE_US = 1_000_000
"""An estimate of the clock's error that is no cause for alarm."""
EARLIEST = 2026
"""No gateway with this software was set up before that year."""

VERSIONS = Words("版本", "versions")
DISK = Words("磁盘", "disk")
CLOCK = Words("时钟", "clock")
PERMISSIONS = Words("权限", "permissions")


def versions() -> Iterator[Finding]:
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            yield wrong(
                VERSIONS,
                f"{name} is not installed",
                Words("重新安装 edge-agent", "install edge-agent again"),
            )
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    python = ".".join(map(str, sys.version_info[:3]))
    yield good(VERSIONS, f"edge-agent {__version__}, Python {python}, {system}, {', '.join(found)}")


def disk(site: Site) -> Iterator[Finding]:
    """Whether there is room for what the journal may grow to."""
    folder = next(one for one in (site.data_dir, *site.data_dir.parents) if one.is_dir())
    try:
        usage = shutil.disk_usage(folder)
        kept = sum(file.stat().st_size for file in folder.glob("journal.*")) if site.data_dir.is_dir() else 0
    except OSError as error:
        yield wrong(
            DISK, f"{folder}: {error.strerror}", Words("检查磁盘与挂载", "check the disk and its mount")
        )
        return
    may_grow = max(0, site.journal.max_size - kept)
    text = f"{folder}: {usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB"
    if usage.free < RESERVE:
        yield wrong(
            DISK,
            text,
            Words(
                "清理磁盘，否则数据只能留在内存", "free some space: what cannot be written stays in memory"
            ),
        )
    elif usage.free < may_grow + RESERVE:
        yield notice(
            DISK,
            f"{text}, and the journal may still grow by {may_grow / 1e9:.1f} GB",
            Words("减小 journal.max_size 或清理磁盘", "lower journal.max_size, or free some space"),
        )
    else:
        yield good(DISK, text)


def permissions(site: Site) -> Iterator[Finding]:
    """Whether the agent can write its folder, and others cannot read its secrets."""
    folder = site.data_dir
    at_hand = folder if folder.is_dir() else next(one for one in folder.parents if one.is_dir())
    if os.access(at_hand, os.W_OK | os.X_OK):
        yield good(PERMISSIONS, f"{folder}: may be written by {_user()}")
    else:
        yield wrong(
            PERMISSIONS,
            f"{folder}: may not be written by {_user()}",
            Words(
                "以代理的用户运行本命令，或更改目录的属主",
                "run this command as the agent's user, or give the folder to that user",
            ),
        )
    if os.name == "posix" and hasattr(os, "geteuid") and os.geteuid() == 0:
        yield notice(
            PERMISSIONS,
            "this command runs as root",
            Words("代理应以普通用户运行", "the agent itself should run as an ordinary user"),
        )
    for file in _open_to_others([folder / "signing-key.pem"]):
        yield wrong(
            PERMISSIONS,
            f"{file}: others on this computer may read it",
            Words(f"执行 chmod 600 {file}", f"chmod 600 {file}"),
        )


def _open_to_others(files: Iterable[Path]) -> Iterator[Path]:
    for file in files:
        try:
            mode = file.stat().st_mode
        except OSError:
            continue
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            yield file


def _user() -> str:
    return f"uid {os.geteuid()}" if hasattr(os, "geteuid") else "this user"


class _Timex(ctypes.Structure):
    """struct timex of <sys/timex.h>, as far as it is asked for."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


_TIME_ERROR = 5
"""What adjtimex(2) returns while nobody keeps the clock right."""


def clock(year: int) -> Iterator[Finding]:
    """Whether the kernel says that the clock is kept right, and how far it may be off; `year` is its own."""
    if year < EARLIEST:
        yield wrong(
            CLOCK,
            f"it is the year {year}",
            Words("设置时钟并启用 NTP", "set the clock, and let NTP keep it right"),
        )
        return
    name = ctypes.util.find_library("c")
    if not sys.platform.startswith("linux") or name is None:
        yield notice(
            CLOCK,
            "whether NTP keeps it right cannot be asked for on this system",
            Words("自行检查时间同步", "look at the system's own settings"),
        )
        return
    library, timex = ctypes.CDLL(name, use_errno=True), _Timex()
    state = library.adjtimex(ctypes.byref(timex))
    if state < 0:
        yield notice(
            CLOCK,
            f"the kernel does not say: {errno.errorcode.get(ctypes.get_errno(), 'unknown')}",
            Words("自行检查时间同步", "look at timedatectl"),
        )
    elif state == _TIME_ERROR:
        yield notice(
            CLOCK,
            "nothing keeps it right (not synchronized)",
            Words(
                "启用 NTP：timedatectl set-ntp true；时刻不准则班次与日界不准",
                "timedatectl set-ntp true: days and shifts begin by this clock",
            ),
        )
    elif timex.esterror > LATE_US:
        yield notice(
            CLOCK,
            f"kept right, and may be off by {timex.esterror / 1e6:.1f} s",
            Words("检查 NTP 服务器", "look at the NTP servers"),
        )
    else:
        yield good(CLOCK, f"kept right; estimated error {timex.esterror / 1000:.1f} ms")
