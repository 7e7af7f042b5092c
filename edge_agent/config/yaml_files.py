"""YAML 1.2 files as a tree in which every value knows where it stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode
from ruamel.yaml.nodes import Node as YamlNode
from ruamel.yaml.reader import ReaderError

from edge_agent.config.errors import ConfigProblem
from edge_agent.config.tree import Node, Place, Route, Scalar, is_text


@dataclass(slots=True)
class Source:
    """What was read. `complete` is False when a file could not be parsed, so keys may be missing."""

    root: Node
    folder: Path
    problems: list[ConfigProblem] = field(default_factory=list)
    complete: bool = True
    files: list[Path] = field(default_factory=list)
    """In the order in which they were read."""


def read_yaml(path: Path) -> Source:
    """Read a file, or all *.yaml and *.yml files of a folder in the order of their names, merged.

    Mappings are merged, lists concatenated; a scalar given twice is a problem.
    """
    source = Source(Node(Place(str(path)), Place(str(path)), {}), path if path.is_dir() else path.parent)
    files = source.files = _files_of(path)
    if not files:
        found = (
            "no *.yaml or *.yml file in this folder" if path.is_dir() else "there is no such file or folder"
        )
        source.problems.append(ConfigProblem(str(path), 0, 0, "", found, "a YAML file or a folder of them"))
        source.complete = False
    merged: dict[str, Node] = {}
    for file in files:
        tree, problems = parse_yaml(file)
        source.problems += problems
        if tree is None or not isinstance(tree.value, dict):
            source.complete = False
        elif len(files) == 1:
            source.root = tree
        else:
            source.problems += _merge(merged, tree.value, ())
            source.root.value = merged
    source.root.set_routes()
    return source


def _files_of(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if path.exists() else []
    return sorted(
        entry
        for entry in path.iterdir()
        if entry.suffix in (".yaml", ".yml") and not entry.name.startswith(".") and entry.is_file()
    )


def parse_yaml(file: Path) -> tuple[Node | None, list[ConfigProblem]]:
    """One file as a tree whose root is a mapping; None if it cannot be parsed."""
    name = str(file)
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        return None, [ConfigProblem(name, 0, 0, "", f"cannot be read: {error.strerror}", "a readable file")]
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return None, [
            ConfigProblem(
                name, line, 1, "", "is not UTF-8", "UTF-8 text", "save the file with the encoding UTF-8"
            )
        ]
    try:
        yaml = YAML(typ="safe", pure=True)
        root = yaml.compose(text)
    except MarkedYAMLError as error:
        return None, [_syntax_problem(name, text, error)]
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        return None, [
            ConfigProblem(name, line, 1, "", f"forbidden character U+{error.character:04X}", "printable text")
        ]
    except (YAMLError, RecursionError) as error:
        return None, [ConfigProblem(name, 0, 0, "", f"is not valid YAML: {error}", "valid YAML")]
    if root is None:
        return Node(Place(name), Place(name), {}), []
    reader = _TreeReader(name, yaml)
    tree = reader.node(root, _place(name, root))
    if not isinstance(tree.value, dict) and not reader.problems:
        reader.problems.append(tree.problem(f"found {tree.written()}", "a mapping (key: value)"))
    return tree, reader.problems


def _place(file: str, node: YamlNode) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


_FULL_WIDTH = re.compile("[：，“”‘’【】｛｝]")
_QUOTED = re.compile("'[^']*'")


def _syntax_problem(file: str, text: str, error: MarkedYAMLError) -> ConfigProblem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = text.splitlines()
    what = " ".join(part for part in (error.context, error.problem) if part)
    if "alias" in what or "tag" in what:
        # Its name may be the beginning of a password that was not put in quotes.
        what = _QUOTED.sub("", what).rstrip()
    # The parser notices a missing colon one line late, so the line before is looked at too.
    hints = [_syntax_hint(number, lines[number]) for number in (line, line - 1) if 0 <= number < len(lines)]
    hint = next(filter(None, hints), "check the indentation, the quotes and the colons here and above")
    return ConfigProblem(file, line + 1, column + 1, "", f"is not valid YAML: {what}", "valid YAML", hint)


def _syntax_hint(number: int, line: str) -> str:
    wide = _FULL_WIDTH.search(line)
    if wide:
        return f"line {number + 1} has the full-width character {wide[0]}; YAML needs the ASCII one"
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"line {number + 1} is indented with a tab; YAML needs blanks"
    if "{" in line.replace("${", "", 1) and "${" in line:
        return "inside { }, ${...} needs quotes"
    if re.search(r":\s+[@*&!%`]", line):
        return "a value that begins with one of @ * & ! % ` needs quotes"
    return ""


_NULL = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {
    word: value
    for value, words in ((True, "true True TRUE"), (False, "false False FALSE"))
    for word in words.split()
}
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def core_scalar(text: str) -> Scalar:
    """A plain scalar by the core schema of YAML 1.2: no `yes`, no dates, no base 60, no infinities."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


class _TreeReader:
    """Turns the parser's nodes of one file into ours."""

    def __init__(self, file: str, yaml: YAML) -> None:
        self.file = file
        self.problems: list[ConfigProblem] = []
        self._resolver = yaml.resolver
        self._open: set[int] = set()

    def node(self, source: YamlNode, key: Place, route: Route = ()) -> Node:
        node = Node(_place(self.file, source), key, None, route=route)
        if isinstance(source, ScalarNode):
            node.text = source.value
            node.value = self._scalar(source, node)
        elif id(source) in self._open:
            self.problems.append(
                node.problem("found an alias that stands inside itself", "a value of its own")
            )
        else:
            self._open.add(id(source))
            if isinstance(source, MappingNode):
                node.value = dict(self._entries(source, route))
            else:
                node.value = list(self._items(source, route))
            self._open.discard(id(source))
        return node

    def _items(self, source: YamlNode, route: Route) -> Iterator[Node]:
        for index, item in enumerate(source.value):
            yield self.node(item, _place(self.file, item), (*route, index))

    def _entries(self, source: MappingNode, route: Route) -> Iterator[tuple[str, Node]]:
        seen: dict[str, Place] = {}
        for key_node, value_node in source.value:
            place = _place(self.file, key_node)
            if not isinstance(key_node, ScalarNode):
                self.problems.append(place.problem(route, "found a list or mapping as key", "a name"))
                continue
            key = key_node.value
            if not is_text(key):
                self.problems.append(place.problem(route, "found half a character in a key", "a name"))
                continue
            if key in seen:
                found = f"given twice, first in line {seen[key].line}"
                self.problems.append(place.problem((*route, key), found, "each key once"))
                continue
            seen[key] = place
            yield key, self.node(value_node, place, (*route, key))

    def _scalar(self, source: ScalarNode, node: Node) -> Scalar:
        text: str = source.value
        plain = source.style is None
        implied = self._resolver.resolve(ScalarNode, text, (plain, not plain))
        if not is_text(text):
            self.problems.append(node.problem("found half a character, \\uD800 to \\uDFFF", "text"))
            return None
        if str(source.tag) == str(implied):
            return core_scalar(text) if plain else text
        if str(source.tag) == "tag:yaml.org,2002:str":
            return text
        self.problems.append(
            node.problem("found a YAML tag", "a value without one", "text that begins with ! needs quotes")
        )
        return None


def _merge(into: dict[str, Node], other: dict[str, Node], route: Route) -> list[ConfigProblem]:
    """Merge `other` into `into`; returns what stands against it."""
    problems: list[ConfigProblem] = []
    for key, theirs in other.items():
        ours = into.get(key)
        if ours is None:
            into[key] = theirs
        elif isinstance(ours.value, list) and isinstance(theirs.value, list):
            into[key] = Node(ours.place, ours.key, [*ours.value, *theirs.value])
        elif isinstance(ours.value, dict) and isinstance(theirs.value, dict):
            merged = dict(ours.value)
            problems += _merge(merged, theirs.value, (*route, key))
            into[key] = Node(ours.place, ours.key, merged)
        else:
            found = f"given twice, first at {ours.key}"
            expected = "each key once in all files of the folder"
            problems.append(theirs.key.problem((*route, key), found, expected))
    return problems
