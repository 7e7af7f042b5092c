"""What each driver's tests bring so that the shared contract tests can run over a real server."""

from typing import Protocol

from edge_agent.driver import AnyDriver, AnyTagSet
from edge_agent.model.batch import Value


class Harness(Protocol):
    """A real server of one protocol with two equipment, `A` and `B`, of three numeric tags each.

    The tags are called `t0`, `t1`, `t2`. The server is one that can be stopped and started again on the
    same port. Tag sets are built with a period of 0.1 s.
    """

    async def start(self) -> None:
        """Start the server; on the second call, on the same port as before."""

    async def stop(self) -> None:
        """Stop the server at once, as a power cut would; safe twice."""

    def tag_sets(self, *, bad_tag: bool = False, wrong_type: bool = False) -> list[AnyTagSet]:
        """Tag sets of A and B, in this order.

        With `bad_tag`, A's `t1` is one that the server does not have. With `wrong_type`, A's `t1` is
        declared with a type that the server's value cannot be read as.
        """

    def driver(self, tag_sets: list[AnyTagSet]) -> AnyDriver:
        """A driver for this server, not opened, whose time limit of a few seconds a dead equipment costs."""

    async def set(self, equipment: str, tag: str, value: Value) -> None:
        """Change what the server serves."""

    async def silence(self, equipment: str, silent: bool) -> None:
        """Make one equipment dead (it does not answer, or its nodes are gone) or alive again."""

    def sessions(self) -> int:
        """How many client connections or sessions are open at the server now."""
