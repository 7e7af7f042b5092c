"""What came of asking a connection at somebody's wish, as a sentence."""

from edge_agent.words import Words
from edge_agent.words.failures import Failure

_NOTHING = Words("", "")
_SEE_TAGS = Words(
    "设备页上写明了每个坏点位的原因；检查地址、类型和设备的运行方式",
    "the machine's page has the reason of each bad tag: check address, type, and the mode of the machine",
)


def answered(equipment: str, tags: int, usable: int, took_ms: float) -> Failure:
    """One equipment was read."""
    what = Words(
        f"{equipment} 已应答：{tags} 个点位中 {usable} 个可用，用时 {took_ms:.0f} 毫秒",
        f"{equipment} answered: {usable} of {tags} tags can be used, in {took_ms:.0f} ms",
    )
    return Failure(what, _NOTHING if usable == tags else _SEE_TAGS)


def identified(took_ms: float) -> Failure:
    """The other side said who it is."""
    return Failure(
        Words(
            f"连接正常，对方已应答，用时 {took_ms:.0f} 毫秒",
            f"the connection stands, and the other side answered in {took_ms:.0f} ms",
        ),
        _NOTHING,
    )


def silent_equipment(names: str) -> Failure:
    """A trial in which not all equipment was heard of."""
    return Failure(
        Words(f"连接正常，但没有收到全部点位：{names}", f"connected, and not all tags came: {names}"),
        _SEE_TAGS,
    )
