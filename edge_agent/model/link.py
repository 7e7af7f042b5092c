"""How connected an equipment provably is."""

from enum import IntEnum


class LinkLevel(IntEnum):
    """A ladder: each level includes those below it, and is earned by evidence."""

    REGISTERED = 0
    """In the asset register; nothing more is proved."""
    REACHABLE = 1
    """Its endpoint accepts the connection."""
    DATA_VALID = 2
    """At least one good reading has come."""
    LIVE = 3
    """Good readings come at the configured period."""

    @property
    def label(self) -> str:
        """The name used in configuration, topics and docs: `data_valid`."""
        return self.name.lower()
