"""The files of a running agent's configuration, read again: what is wrong or different in them."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.config.difference import Difference
from edge_agent.config.errors import ConfigError, ConfigProblem
from edge_agent.config.site import Site, load_site
from edge_agent.config.written import Entry, unpack


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` is None if it is new, `after` if it is gone. Of a `secret` both are what is
    shown in its place, which may be the same."""

    field: str
    before: str | None
    after: str | None
    file: str
    line: int
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Anew:
    """`site` is None if there are `problems`; it is that of the files, and nobody runs on it yet."""

    site: Site | None
    problems: tuple[ConfigProblem, ...]
    changes: tuple[Change, ...]
    needs_restart: tuple[str, ...] = ()
    """Fields among the changes that are not taken over while the agent runs."""


def read_anew(running: Site) -> Anew:
    """Read the files that `running` was read from. Changes nothing. May take seconds: no work for a loop."""
    try:
        site = load_site(running.path)
    except ConfigError as error:
        return Anew(None, error.problems, ())
    needs_restart = Difference.between(running, site).needs_restart
    return Anew(site, (), tuple(_changes(running, site)), needs_restart)


def stands_as_read(site: Site) -> bool:
    """Whether the files are still those that `site` was read from."""
    try:
        return all(
            hashlib.sha256(file.read_bytes()).hexdigest() == known for file, known in site.files.items()
        )
    except OSError:
        return False


def _changes(before: Site, after: Site) -> Iterator[Change]:
    yield from _of_entries(unpack(before.written), unpack(after.written))
    file = str(after.register_file)
    for name in ("equipment", "processes"):
        yield from _of_lines(
            f"register.{name}",
            {one.id: asdict(one) for one in getattr(before.register, name)},
            {one.id: asdict(one) for one in getattr(after.register, name)},
            file,
        )
    old, new = ({one.id: one.digest for one in site.definitions} for site in (before, after))
    for name in {**old, **new}:
        if old.get(name) != new.get(name):
            yield Change(f"definitions[{name}]", old.get(name), new.get(name), "", 0)


def _of_entries(before: Iterable[Entry], after: Iterable[Entry]) -> Iterator[Change]:
    old, new = ({one.field: one for one in found} for found in (before, after))
    for field, entry in new.items():
        known = old.get(field)
        if known is None:
            if not entry.above or entry.above in old:  # what stands in something new is new anyway
                yield Change(field, None, entry.value, entry.file, entry.line, bool(entry.mark))
        elif (known.value, known.mark) != (entry.value, entry.mark):
            secret = bool(known.mark or entry.mark)
            yield Change(field, known.value, entry.value, entry.file, entry.line, secret)
    for field, entry in old.items():
        if field not in new and (not entry.above or entry.above in new):
            yield Change(field, entry.value, None, entry.file, entry.line, bool(entry.mark))


def _of_lines(
    of: str, before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]], file: str
) -> Iterator[Change]:
    for name in {**before, **after}:
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            yield Change(f"{of}[{name}]", _name(old), _name(new), file, 0)
            continue
        for column, value in new.items():
            if old[column] != value:
                yield Change(f"{of}[{name}].{column}", _text(old[column]), _text(value), file, 0)


def _name(line: Mapping[str, Any] | None) -> str | None:
    return None if line is None else _text(line["name"])


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
