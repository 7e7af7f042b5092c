"""The newest lines of the log, kept for the page: bounded, and without anything that must not be shown."""

import logging
import re
from collections import deque
from collections.abc import Callable, Iterable

from edge_agent.config.secrets import Hidden
from edge_agent.config.site import Site
from edge_agent.console.views import LogLine

KEPT = 2000
LONGEST = 4000
"""Characters of one line; what is longer is cut."""

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_PARTS = {
    "edge_agent.acquisition": "connections",
    "drivers": "connections",
    "edge_agent.uplinks": "uplinks",
    "edge_agent.journal": "journal",
    "edge_agent.console": "page",
    "edge_agent": "agent",
}
"""The part of the agent, by the beginning of the logger's name; the first that fits."""
PARTS = (*dict.fromkeys(_PARTS.values()), "libraries")

_PASSWORD_IN_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,20}://)[^\s@]*@")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class LogLines(logging.Handler):
    """Takes what is logged anywhere in this process."""

    def __init__(self, running: Callable[[], Site]) -> None:
        """`running` is the configuration of the moment: it may be taken over by another."""
        super().__init__()
        self._running = running
        self._known: Site | None = None
        self._before = Hidden()
        """What the configuration before this one would not show: its passwords may still be in use."""
        self._subject: re.Pattern[str] | None = None
        self._lines: deque[LogLine] = deque(maxlen=KEPT)
        self._number = 0

    def _hidden(self) -> tuple[Hidden, Hidden]:
        site = self._running()
        if site is not self._known:
            self._before = self._known.hidden if self._known is not None else self._before
            self._known = site
            self._subject = _any_of(_subjects(site))
        return site.hidden, self._before

    @property
    def kept(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def emit(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock, from any thread."""
        try:
            text = record.getMessage()
            if record.exc_info:
                text += "\n" + logging.Formatter().formatException(record.exc_info)
        except Exception:
            self.handleError(record)
            return
        for hidden in self._hidden():
            text = without_secrets(text, hidden)
        self._number += 1
        self._lines.append(
            LogLine(
                number=self._number,
                time_ms=round(record.created * 1000),
                level=_level(record.levelno),
                part=_part(record.name),
                subjects=tuple(dict.fromkeys(self._subject.findall(text))) if self._subject else (),
                text=text if len(text) <= LONGEST else text[: LONGEST - 1] + "…",
            )
        )

    def newest(
        self, limit: int, level: str = "debug", part: str = "", subject: str = "", text: str = ""
    ) -> list[LogLine]:
        """The newest first, of at least this level; each filter that is empty lets everything pass."""
        self.acquire()
        try:
            lines = list(self._lines)
        finally:
            self.release()
        wanted, folded = LEVELS[level], text.casefold()
        found = []
        for line in reversed(lines):
            if (
                LEVELS[line.level] >= wanted
                and part in ("", line.part)
                and (not subject or subject in line.subjects)
                and folded in line.text.casefold()
            ):
                found.append(line)
                if len(found) == limit:
                    break
        return found


def _subjects(site: Site) -> set[str]:
    """The ids of equipment, connections and uplinks."""
    return {*site.register.by_id, *(one.id for one in site.connections), *(one.id for one in site.uplinks)}


def _any_of(names: Iterable[str]) -> re.Pattern[str] | None:
    """What finds each of them where it stands alone, the longest first."""
    either = "|".join(re.escape(one) for one in sorted(names, key=len, reverse=True))
    return re.compile(rf"(?<![\w.-])(?:{either})(?![\w-])") if either else None


def without_secrets(text: str, hidden: Hidden) -> str:
    """`text` without hidden values, passwords in addresses and control characters."""
    return _CONTROL.sub("�", _PASSWORD_IN_URL.sub(r"\1***@", hidden.clean(text)))


def _level(number: int) -> str:
    return next((name for name, least in reversed(LEVELS.items()) if number >= least), "debug")


def _part(logger: str) -> str:
    return next(
        (part for name, part in _PARTS.items() if logger == name or logger.startswith(f"{name}.")),
        "libraries",
    )
