"""One Sparkplug session: the births at its beginning, and what is told on the strength of them."""

from collections.abc import Callable, Iterable

from edge_agent.model.batch import Value
from edge_agent.model.clock import CLOCK
from edge_agent.model.quality import Quality
from edge_agent.uplinks.sparkplug import payloads
from edge_agent.uplinks.sparkplug.node import Device, Metrics, Node, Taken
from edge_agent.uplinks.sparkplug.numbers import SequenceNumber
from edge_agent.uplinks.sparkplug.told import Told
from edge_agent.uplinks.sparkplug.topics import SparkplugTopics


class _Said:
    """What was told last of each metric, so that only what has changed is told."""

    def __init__(self) -> None:
        self._by_alias: dict[int, tuple[Value, Quality | None]] = {}

    def note(self, metrics: Metrics) -> None:
        for metric in metrics.by_name.values():
            self._by_alias[metric.alias] = metric.value, metric.quality

    def changed(self, taken: Iterable[Taken]) -> list[tuple[Taken, bool]]:
        """Those that say something new, each with whether its quality does."""
        found = []
        for one in taken:
            now = one.reading.value, one.reading.flaw
            before = self._by_alias.get(one.metric.alias)
            if one.late:
                found.append((one, False))
            elif before != now:
                self._by_alias[one.metric.alias] = now
                found.append((one, before is not None and before[1] != now[1]))
        return found


class Session:
    """From the first birth on one connection to the end of it. Publishing raises what `publish` raises."""

    def __init__(
        self, node: Node, topics: SparkplugTopics, birth_number: int, publish: Callable[[str, bytes], None]
    ) -> None:
        """`publish` takes topic and payload. `begin` has to follow."""
        self._node = node
        self._topics = topics
        self._birth_number = birth_number
        self._publish = publish
        self._seq = SequenceNumber()
        self._born: set[str] = set()
        """Devices with a birth and no death since."""
        self._visitors: set[str] = set()
        """Devices that cannot be heard, and were born only for what they had to tell."""
        self._said, self._said_of_history = _Said(), _Said()

    def begin(self) -> None:
        """All births, at the beginning and when somebody asks for them: each device that is alive, or that
        something is being told of."""
        born = [d for d in self._node.devices.values() if d.alive or d.id in self._born]
        self._seq.restart()
        now, node = CLOCK.now_ms(), self._node
        metrics = node.metrics.by_name.values()
        payload = payloads.node_birth(metrics, self._birth_number, node.birth_alias, self._seq.take(), now)
        self._publish(self._topics.of_node("NBIRTH"), payload)
        self._said.note(node.metrics)
        for device in born:
            self._birth(device)

    def news(self, told: Told) -> None:
        """Something that happens now."""
        if told.device is None:
            grown = self._node.metrics.admit(told.readings)
            taken = self._node.metrics.take(told)
            if grown:
                self.begin()
            else:
                self._node_data(self._said.changed(taken), historical=False)
            return
        device = self._node.device(told.device)
        grown = device.metrics.admit(told.readings)
        taken = device.metrics.take(told)
        device.alive = device.alive if told.alive is None else told.alive
        if device.alive and (grown or device.id not in self._born or device.id in self._visitors):
            self._birth(device)
            newest = {one.metric.alias: one for one in taken if not one.late}
            before = [one for one in taken if newest.get(one.metric.alias) is not one]
            self._device_data(device, [(one, False) for one in before], historical=True)
        elif device.id in self._born:
            self._device_data(device, self._said.changed(taken), historical=False)
        if not device.alive:
            self._death(device)

    def history(self, told: Told) -> None:
        """Something that happened before the births: it is told, and changes nothing of what is now."""
        if told.device is None:
            if self._node.metrics.admit(told.readings):
                self.begin()
            taken = _as_they_were(self._node.metrics, told)
            self._node_data(self._said_of_history.changed(taken), historical=True)
            return
        device = self._node.device(told.device)
        grown = device.metrics.admit(told.readings)
        if not device.has_tags:
            return  # it is in the register alone, and never born
        if not device.alive:
            self._visitors.add(device.id)
        if grown or device.id not in self._born:
            self._birth(device)
        taken = _as_they_were(device.metrics, told)
        self._device_data(device, self._said_of_history.changed(taken), historical=True)

    def history_over(self) -> None:
        """Devices that were born only for what they had to tell die again."""
        for name in self._visitors:
            if not self._node.devices[name].alive:
                self._death(self._node.devices[name])
        self._visitors.clear()

    def _birth(self, device: Device) -> None:
        metrics = device.metrics.by_name.values()
        payload = payloads.device_birth(metrics, self._seq.take(), CLOCK.now_ms(), stale=not device.alive)
        self._publish(self._topics.of_device("DBIRTH", device.id), payload)
        self._born.add(device.id)
        if device.alive:
            self._visitors.discard(device.id)
        self._said.note(device.metrics)

    def _death(self, device: Device) -> None:
        if device.id in self._born:
            payload = payloads.device_death(self._seq.take(), CLOCK.now_ms())
            self._publish(self._topics.of_device("DDEATH", device.id), payload)
            self._born.remove(device.id)

    def _node_data(self, taken: list[tuple[Taken, bool]], *, historical: bool) -> None:
        self._data(self._topics.of_node("NDATA"), taken, historical=historical)

    def _device_data(self, device: Device, taken: list[tuple[Taken, bool]], *, historical: bool) -> None:
        self._data(self._topics.of_device("DDATA", device.id), taken, historical=historical)

    def _data(self, topic: str, taken: list[tuple[Taken, bool]], *, historical: bool) -> None:
        if taken:
            payload = payloads.data(taken, self._seq.take(), CLOCK.now_ms(), historical=historical)
            self._publish(topic, payload)


def _as_they_were(metrics: Metrics, told: Told) -> list[Taken]:
    """The readings with their metrics, which keep what they have."""
    return [Taken(metrics.by_name[one.name], one, late=False) for one in told.readings]
