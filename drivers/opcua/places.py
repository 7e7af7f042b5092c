"""Where a tag is found: at a node that is named, or along a path; and finding it on a server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.browsing import Browser, Child
from drivers.opcua.nodes import NodeName
from drivers.opcua.options import OpcuaEquipment, OpcuaTag
from drivers.opcua.paths import BrowsePath, Step
from drivers.opcua.session import Session

MOST_BROWSED = 20_000
"""Nodes that are looked at for the paths of one subscription; a `**` at the wrong place asks for them all."""

NAMESPACE_UNKNOWN = "namespace_unknown"
"""Reason of a tag whose namespace URI the server does not have."""
NO_MATCH = "no_match"
"""Reason of a tag whose path leads to no variable."""
TOO_WIDE = "path_too_wide"
"""Reason of a tag whose path asks for more nodes than `MOST_BROWSED`."""

ROOT = NodeName(0, ObjectIds.RootFolder)
OBJECTS = NodeName(0, ObjectIds.ObjectsFolder)


@dataclass(frozen=True, slots=True)
class Route:
    """A way from a named node. The first of `ways` that leads anywhere counts."""

    start: NodeName
    ways: tuple[tuple[Step, ...], ...]

    def __str__(self) -> str:
        return " or ".join(str(BrowsePath(way)) for way in self.ways) + f" below {self.start}"


Place = NodeName | Route


def anchor(base: str | None) -> Route:
    """Where an equipment's relative paths begin. Raises ValueError."""
    if base is None:
        return Route(OBJECTS, ((),))
    if base.startswith("/"):
        return Route(ROOT, (BrowsePath.parse(base).steps,))
    return Route(NodeName.parse(base), ((),))


def place_of(equipment: OpcuaEquipment, tag: OpcuaTag) -> Place:
    """Where the options say that a tag is found."""
    if tag.node is not None:
        return NodeName.parse(tag.node)
    return route(anchor(equipment.base), [BrowsePath.parse(path) for path in tag.path])


def route(base: Route, paths: Sequence[BrowsePath]) -> Route:
    """The way of `paths`, each from the server's root or from `base`; all of one kind."""
    if all(path.absolute for path in paths):
        return Route(ROOT, tuple(path.steps for path in paths))
    return Route(base.start, tuple(way + path.steps for path in paths for way in base.ways))


Way = tuple[Child, ...]
"""The nodes from the first step of a route to the one that it leads to."""


class _Walk:
    """One way being followed, all of its branches at once."""

    def __init__(self, start: ua.NodeId, steps: tuple[Step, ...]) -> None:
        self.start = start
        self.found: dict[ua.NodeId, Way] = {}
        self.refusal = ""
        self._steps = steps
        self._open: list[tuple[ua.NodeId, int, Way]] = [(start, 0, ())]
        """Nodes reached, and how many steps are behind them; still to be looked into."""
        self._seen: set[tuple[ua.NodeId, int]] = set()

    def next(self) -> list[tuple[ua.NodeId, int, Way]]:
        """What to look into now, each once."""
        now: list[tuple[ua.NodeId, int, Way]] = []
        for node, done, way in self._open:  # which grows meanwhile
            if (node, done) in self._seen or done == len(self._steps):
                continue
            self._seen.add((node, done))
            now.append((node, done, way))
            if self._steps[done].any_depth:
                self._open.append((node, done + 1, way))
        self._open = []
        return now

    def take(self, done: int, way: Way, child: Child) -> None:
        """Note a child of a node that `next` gave."""
        step = self._steps[done]
        if step.any_depth:
            self._open.append((child.node, done, (*way, child)))
            arrived = done + 1 == len(self._steps)
        elif step.fits(child.name, child.namespace):
            self._open.append((child.node, done + 1, (*way, child)))
            arrived = all(rest.any_depth for rest in self._steps[done + 1 :])
        else:
            return
        if arrived:
            self.found.setdefault(child.node, (*way, child))


async def follow(browser: Browser, session: Session, routes: Sequence[Route]) -> list[list[Way] | str]:
    """The ways to all nodes that each route leads to, or the reason why it leads to none."""
    results: list[list[Way] | str] = [NO_MATCH] * len(routes)
    left = dict(enumerate(routes))
    for attempt in range(max((len(one.ways) for one in routes), default=0)):
        walks: dict[int, _Walk] = {}
        for number, one in left.items():
            start = one.start.resolve(session.namespaces)
            if start is None:
                results[number] = NAMESPACE_UNKNOWN
            elif attempt < len(one.ways):
                walks[number] = _Walk(start, one.ways[attempt])
        await _walk(browser, list(walks.values()))
        for number, walk in walks.items():
            if walk.found:
                results[number] = list(walk.found.values())
                del left[number]
            else:
                results[number] = walk.refusal or NO_MATCH
    return results


async def _walk(browser: Browser, walks: Sequence[_Walk]) -> None:
    """Follow all walks level by level, so that each level costs as few requests as can be."""
    while level := [(walk, *at) for walk in walks for at in walk.next()]:
        if browser.browsed > MOST_BROWSED:
            for walk, *_ in level:
                walk.found, walk.refusal = {}, TOO_WIDE
            return
        answers = await browser.children(node for _, node, _, _ in level)
        for (walk, node, done, way), answer in zip(level, answers, strict=True):
            if answer.refusal and node == walk.start:
                walk.refusal = answer.refusal
            for child in answer.nodes:
                walk.take(done, way, child)


async def locate(session: Session, places: Sequence[Place]) -> list[ua.NodeId | str]:
    """The one variable at each place, or the reason why there is none."""
    by_path = [place for place in places if isinstance(place, Route)]
    followed: Iterator[list[Way] | str] = iter(
        await follow(Browser(session), session, by_path) if by_path else ()
    )
    located: list[ua.NodeId | str] = []
    for place in places:
        if isinstance(place, NodeName):
            located.append(place.resolve(session.namespaces) or NAMESPACE_UNKNOWN)
            continue
        found = next(followed)
        if isinstance(found, str):
            located.append(found)
            continue
        variables = [way[-1].node for way in found if way[-1].is_variable]
        if len(variables) == 1:
            located.append(variables[0])
        else:
            located.append(f"path_matches_{len(variables)}_nodes" if variables else NO_MATCH)
    return located
