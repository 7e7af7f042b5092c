"""References to what must not stand in a file: `${ENV}` in any text, `file:PATH` in secret fields."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_agent.config.errors import ConfigProblem
from edge_agent.config.json_schema import ConfigurationSchema, is_path
from edge_agent.config.tree import Node, Route, is_text

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WITH_USER = re.compile(r"[a-z.]+://[^/]*@")
_FILE = "file:"
_NEVER_SHOWN = "***"
_SHORTEST = 4
"""Shorter values are hidden only in what is said about their own field: `1` stands everywhere."""
_PART_OF_WORDS = 8
"""Characters from which on a value is hidden within other words, too. `pass` is not: `***word` would show
what is hidden, and `password` does not."""
_BEGINS = (
    r"(?:(?<![A-Za-z0-9_])|(?<=\\[abfnrtv])|(?<=\\x[0-9a-f]{2})|(?<=\\u[0-9a-f]{4})|(?<=%[0-9A-Fa-f]{2}))"
)
"""Before a word, be it behind a character that is written as an escape."""
_ENDS = r"(?![A-Za-z0-9_])"
_IN_WORDS = re.compile("[A-Za-z0-9_]")


@dataclass(slots=True)
class Hidden:
    """The values that are never shown, each with what is shown instead."""

    _shown: dict[str, str] = field(default_factory=dict, repr=False)
    _routes: list[tuple[Route, str, str]] = field(default_factory=list, repr=False)
    _pattern: re.Pattern[str] | None = field(default=None, repr=False)
    """What finds those of `_shown`; made when it is asked for."""

    def add(self, node: Node, shown: str) -> None:
        """Hide the value of `node`, a scalar, and show `shown` in its place."""
        value = node.value if isinstance(node.value, str) else node.text
        if not value:
            return
        for form in {value, repr(value)[1:-1]}:
            self._routes.append((node.route, form, shown))
            if len(form) >= _SHORTEST:
                self._shown[form] = shown
        self._pattern = None

    def in_place(self) -> dict[Route, str]:
        """What is shown in place of each hidden value, by where it stands."""
        return {route: shown for route, _, shown in self._routes}

    def clean(self, text: str, route: Route | None = None) -> str:
        """`text` without hidden values; with `route`, without short ones of that field too."""
        own = {} if route is None else self._of(route)
        hidden = self._shown | own
        if not hidden:
            return text
        if own:
            pattern = _any_of(hidden)
        else:
            pattern = self._pattern = self._pattern or _any_of(hidden)
        return pattern.sub(lambda found: hidden[found[0]], text)

    def _of(self, route: Route) -> dict[str, str]:
        return {value: shown for at, value, shown in self._routes if at[: len(route)] == route}

    def clean_problem(self, problem: ConfigProblem, route: Route | None = None) -> ConfigProblem:
        """`problem` without hidden values in what it says."""
        return replace(
            problem,
            found=self.clean(problem.found, route),
            expected=self.clean(problem.expected, route),
            hint=self.clean(problem.hint, route),
        )


def _any_of(values: Iterable[str]) -> re.Pattern[str]:
    """What finds each value where it is to be hidden, the longest first."""
    return re.compile("|".join(map(_where, sorted(values, key=len, reverse=True))))


def _where(value: str) -> str:
    if len(value) >= _PART_OF_WORDS:
        return re.escape(value)
    begins = _BEGINS if _IN_WORDS.match(value[0]) else ""
    ends = _ENDS if _IN_WORDS.match(value[-1]) else ""
    return begins + re.escape(value) + ends


def insert_environment(tree: Node, hidden: Hidden) -> Iterator[ConfigProblem]:
    """Put the values of environment variables in place of `${NAME}`; `$${` stands for `${` itself."""
    for node in tree.walk():
        if not isinstance(node.value, str) or "${" not in node.value:
            continue
        names = [match[1] for match in _REFERENCE.finditer(node.value) if match[1] is not None]
        for name in names:
            if not _NAME.fullmatch(name):
                # What stands there is not shown: it may be part of a password.
                yield node.problem("${ without a name and }", "${NAME}", "for the characters ${ write $${")
            elif not is_text(os.environ.get(name, "")):
                yield node.problem(f"the environment variable {name} is not UTF-8", "text in UTF-8")
            elif name not in os.environ:
                yield node.problem(
                    f"the environment variable {name} is not set",
                    "a variable that is set where the agent is started",
                )
        if not node.broken:
            node.value = _REFERENCE.sub(
                lambda match: "${" if match[1] is None else os.environ[match[1]], node.value
            )
            if names:
                hidden.add(node, node.text)


def insert_files(
    tree: Node, schema: ConfigurationSchema, folder: Path, hidden: Hidden
) -> Iterator[ConfigProblem]:
    """Put file contents in place of `file:PATH` in secret fields, and make paths absolute.

    Paths are relative to `folder`. A newline at the end of a file is not part of the secret.
    """
    for node, part in schema.walk(tree):
        if node.value is None or isinstance(node.value, list | dict):
            continue
        if schema.is_secret(part):
            if isinstance(node.value, str) and node.text.startswith(_FILE):
                yield from _insert_file(node, folder / node.value.removeprefix(_FILE), hidden)
            elif "${" not in node.text:
                hidden.add(node, _NEVER_SHOWN)
        elif isinstance(node.value, str) and _WITH_USER.match(node.value):
            hidden.add(node, _NEVER_SHOWN)  # an address with a password in it
        elif is_path(part) and isinstance(node.value, str) and node.value:
            node.value = str(folder / node.value)


def _insert_file(node: Node, path: Path, hidden: Hidden) -> Iterator[ConfigProblem]:
    expected = "a UTF-8 file with the secret; paths are relative to the configuration's folder"
    try:
        content = path.read_bytes().decode()
    except OSError as error:
        yield node.problem(f"{node.text}: {error.strerror}", expected)
    except ValueError:  # a NUL in the path, or bytes that are no UTF-8
        yield node.problem(f"{node.text}: not readable as UTF-8", expected)
    else:
        node.value = content.removesuffix("\n").removesuffix("\r")
        hidden.add(node, node.text)
        if not node.value:
            yield node.problem(f"{node.text}: the file is empty", expected)
