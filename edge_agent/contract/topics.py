"""Where each kind of message goes, below one root per gateway."""

from dataclasses import dataclass
from enum import StrEnum


class RecordClass(StrEnum):
    """The classes of data that an uplink may carry; each is one kind of numbered message."""

    READINGS = "readings"
    STATES = "states"
    STATEMENTS = "statements"
    ASSETS = "assets"
    """Statements that are weighted by asset value, and so tell that of each machine."""
    EVENTS = "events"
    REGISTER = "register"
    ACCOUNTS = "accounts"
    CAPACITY = "capacity"
    SETTLEMENTS = "settlements"
    DIGESTS = "digests"
    """By which a receiver proves that it has everything: every MQTT JSON uplink has its own."""


REPLAY_REQUEST = "replay/request"
"""Below the root: where a platform asks, and where the gateway answers."""
REPLAY_RESPONSE = "replay/response"

ENROL_REQUEST = "enrol/request"
"""Below the root: where a gateway asks for its certificate, and where the region answers."""
ENROL_RESPONSE = "enrol/response"

READINGS_TOPIC = "telemetry/"
"""Below the root: that of a batch is this and its equipment."""

BUNDLES_TOPIC = "telemetry"
"""Below the root: telemetry of several batches in one message. `telemetry/#` covers it."""

_SUFFIX = {
    RecordClass.READINGS: f"{READINGS_TOPIC}{{}}",
    RecordClass.STATES: "state/{}",
    RecordClass.STATEMENTS: "{}",  # indicator/... of the moment, statement/... of record
    RecordClass.ASSETS: "{}",
    RecordClass.EVENTS: "event",
    RecordClass.REGISTER: "register",
    RecordClass.ACCOUNTS: "account/{}",
    RecordClass.CAPACITY: "capacity",
    RecordClass.SETTLEMENTS: "settlement/{}",
    RecordClass.DIGESTS: "digest",
}
RETAINED = frozenset(RecordClass) - {RecordClass.READINGS, RecordClass.EVENTS, RecordClass.DIGESTS}
"""Classes whose newest message a subscriber gets at once, because each replaces the one before it."""


def class_of_figures(weight: str) -> RecordClass:
    """Of the figures of a definition, by its `weight`: money goes to who asks for it."""
    return RecordClass.ASSETS if weight == "asset_value" else RecordClass.STATEMENTS


@dataclass(frozen=True, slots=True)
class Topics:
    """`root` has no slash at its end: `fta/v1/330300/91330300MA…/gw-01`."""

    root: str

    @property
    def status(self) -> str:
        """Retained, and the Will's topic."""
        return f"{self.root}/status"

    @property
    def bundles(self) -> str:
        return f"{self.root}/{BUNDLES_TOPIC}"

    def of(self, record_class: RecordClass, subject: str) -> str:
        """Topic of a record; `subject` is what it is about: equipment, tenant, or equipment and kind of
        period with a slash between; with statements also which kind of them; "" where there is none.
        """
        return f"{self.root}/{_SUFFIX[record_class].format(subject)}"
