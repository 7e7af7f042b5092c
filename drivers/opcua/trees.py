"""What stands below a node, to a depth and a number that somebody can look at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.browsing import Browser, Child
from drivers.opcua.nodes import node_id
from drivers.opcua.places import Way

_SERVER = node_id(ObjectIds.Server)
_DESCRIPTIONS = frozenset(
    {
        "AvailableStates",
        "AvailableTransitions",
        "DefaultInstanceBrowseName",
        "Definition",
        "EURange",
        "EngineeringUnits",
        "EnumStrings",
        "EnumValues",
        "FalseState",
        "InputArguments",
        "InstrumentRange",
        "NodeVersion",
        "OutputArguments",
        "TrueState",
        "ValueAsText",
        "ValuePrecision",
    }
)
"""Properties of namespace 0 that say something about a node and are no data of the machine."""


@dataclass(eq=False, slots=True)
class Branch:
    """A node with what was found below it."""

    way: Way
    """The nodes down to this one, itself included."""
    depth: int = 0
    """Levels below the node from which the tree grows."""
    below: list["Branch"] = field(default_factory=list)
    hidden: int = 0
    """Children that are not shown: too deep, or too many."""

    @property
    def child(self) -> Child:
        """The node itself."""
        return self.way[-1]

    def variables(self) -> Iterator["Branch"]:
        """This node and those below it, as far as they are variables and data."""
        if self.child.is_variable and not self.describes:
            yield self
        for branch in self.below:
            yield from branch.variables()

    @property
    def describes(self) -> bool:
        return self.child.name in _DESCRIPTIONS and self.child.namespace == "http://opcfoundation.org/UA/"


async def grow(browser: Browser, starts: Sequence[Way], depth: int, most: int) -> list[Branch]:
    """Everything below `starts`, at most `depth` levels and `most` nodes; level by level, each node once.

    The server's own diagnostics are left out unless the way begins there.
    """
    roots = [Branch(way) for way in starts]
    seen = {root.child.node for root in roots}
    level, count = roots, len(roots)
    for remaining in range(depth, -1, -1):
        answers = await browser.children(branch.child.node for branch in level)
        following: list[Branch] = []
        for branch, answer in zip(level, answers, strict=True):
            for child in answer.nodes:
                if child.node in seen or child.node == _SERVER:
                    continue
                if not remaining or count >= most:
                    branch.hidden += 1
                    continue
                seen.add(child.node)
                count += 1
                made = Branch((*branch.way, child), branch.depth + 1)
                branch.below.append(made)
                following.append(made)
        level = following
    return roots
