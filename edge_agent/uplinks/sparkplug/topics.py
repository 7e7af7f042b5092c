"""The topics of one edge node."""

from dataclasses import dataclass

NAMESPACE = "spBv1.0"


@dataclass(frozen=True, slots=True)
class SparkplugTopics:
    group: str
    node: str

    def of_node(self, verb: str) -> str:
        """`verb` is NBIRTH, NDATA, NDEATH or NCMD."""
        return f"{NAMESPACE}/{self.group}/{verb}/{self.node}"

    def of_device(self, verb: str, device: str) -> str:
        """`verb` is DBIRTH, DDATA or DDEATH."""
        return f"{NAMESPACE}/{self.group}/{verb}/{self.node}/{device}"


def state_topic(host: str) -> str:
    """Where the host application `host` says whether it is there."""
    return f"{NAMESPACE}/STATE/{host}"
