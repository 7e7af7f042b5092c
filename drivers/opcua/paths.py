"""Browse paths as users write them, wildcards included.

    /Objects/nsu=http://opcfoundation.org/UA/Machinery/;Machines/Lathe/Monitoring/*/FeedOverride

Steps are browse names between slashes. A step may name its namespace as OPC 10000-6, 5.1.12 writes qualified
names: `nsu=<URI>;<name>`; without one it fits a name of any namespace. `*` in a name stands for any
characters, a step `**` for any number of levels, none included. `&` takes the meaning from the character
after it (`&/`, `&*`, `&&`), as in OPC 10000-4, A.2.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from drivers.opcua.nodes import decoded_uri, encoded_uri

_EXAMPLE = "expected a browse path such as /Objects/Machines/Lathe or Monitoring/*/FeedOverride"
_SPECIAL = re.compile(r"[&/*]")
_STEP = re.compile(r"(?:&.|[^/&])*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Step:
    """One level: a name, perhaps with `*`, still escaped; and the URI of its namespace, None for any."""

    name: str
    namespace: str | None = None

    @property
    def any_depth(self) -> bool:
        return self.name == "**"

    def fits(self, name: str, namespace: str) -> bool:
        """Whether a node with this browse name is meant."""
        if self.namespace is not None and self.namespace != namespace:
            return False
        return _matcher(self.name).fullmatch(name) is not None

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"nsu={encoded_uri(self.namespace)};{self.name}"


def exactly(name: str, namespace: str | None = None) -> Step:
    """The step to a child of just this name."""
    return Step(_SPECIAL.sub(r"&\g<0>", name), namespace)


@dataclass(frozen=True, slots=True)
class BrowsePath:
    """`absolute`: from the server's root; otherwise from a node that is named elsewhere."""

    steps: tuple[Step, ...]
    absolute: bool = False

    @classmethod
    def parse(cls, text: str) -> "BrowsePath":
        """Raises ValueError."""
        rest = text.strip()
        absolute = rest.startswith("/")
        rest = rest.removeprefix("/")
        steps: list[Step] = []
        while rest or not steps:
            step, rest = _step(rest)
            steps.append(step)
        return cls(tuple(steps), absolute)

    def __str__(self) -> str:
        return ("/" if self.absolute else "") + "/".join(map(str, self.steps))


def _step(text: str) -> tuple[Step, str]:
    """The first step of `text`, and what follows its slash."""
    namespace = None
    if text.startswith("nsu="):
        uri, semicolon, text = text.removeprefix("nsu=").partition(";")
        if not uri or not semicolon:
            raise ValueError(f"nsu= needs a namespace URI, a semicolon and a name; {_EXAMPLE}")
        namespace = decoded_uri(uri)
    match = _STEP.match(text)
    name = match[0] if match is not None else ""
    rest = text[len(name) :]
    if rest and not rest.startswith("/"):
        raise ValueError("& is the last character; it takes the meaning from the one after it")
    if not name or rest == "/":
        raise ValueError(f"a step is empty; {_EXAMPLE}")
    if namespace is not None and name == "**":
        raise ValueError("** stands for any number of levels and has no namespace")
    return Step(name, namespace), rest.removeprefix("/")


@lru_cache(maxsize=4096)
def _matcher(name: str) -> re.Pattern[str]:
    pieces: list[str] = []
    for escaped, plain in re.findall(r"&(.)|([^&])", name, re.DOTALL):
        pieces.append(".*" if plain == "*" else re.escape(escaped or plain))
    return re.compile("".join(pieces), re.DOTALL)
