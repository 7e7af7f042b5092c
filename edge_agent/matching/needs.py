"""What equipment without a connection needs to get one: the work list by which 联网率 rises.

What a controller offers is known for some series, from their makers' material; docs/retrofit.md is about the
last of the needs.
"""

import re
from collections.abc import Iterable
from datetime import date
from enum import Enum

from edge_agent.matching.makers import makers
from edge_agent.model.equipment import Equipment


class Need(Enum):
    """What is missing, the least first."""

    FOUND = "found"
    """Nothing: it is on the network, and only which of the found ones it is has to be decided."""
    READY = "ready"
    """The controller has an Ethernet port as built: a cable, an address, a switch in its settings."""
    CARD = "card"
    """A card, an option or a serial line of the controller: its maker or dealer is asked."""
    UNKNOWN_CONTROLLER = "unknown"
    """It has a controller, and the register does not say which."""
    RETROFIT = "retrofit"
    """No controller to connect: current relay and stack light on an I/O module."""


# Sources, beside data sheets of the makers: SIMATIC S7-200 SMART system manual A5E03822230, chapter
# 8.4 (its compact models, CR, have no Ethernet); MELSEC iQ-F FX5 user's manual (Ethernet communication)
# JY997D56201; ControlLogix 5580 user manual 1756-UM543 (5570 and before go by a module of their own).
_BUILT_IN = (
    r"840d ?sl|828d|sinumerik one|s7-?1[25]00|s7-?200 ?smart(?!.*\bcr\d)",
    r"(?<![0-9])3[0125]i|0i-?[tm]?f|robodrill",
    r"m80|m800|iq-?[rf]|fx5",
    r"itnc ?530|tnc ?(320|620|640|7)",
    r"hnc-?8|hnc-?9",
    r"gsk ?988|gsk ?25i",
    r"k[12]000",
    r"(?<![a-z])ur([35]e?|1[056]e?|[23]0)(?![0-9])|irc5|omnicore|kr ?c[45]|dx200|yrc1000|r-30ib",
    r"controllogix ?5580|1756-l8|compactlogix|(?<![a-z])n(x[157]|j[135])",
)
"""Series that have an Ethernet port as built."""
_BY_OPTION = (
    r"840d(?! ?sl)|802[dsc]|810d|808d|s7-?[234]00",
    r"(?<![0-9])1[568]i|2[01]i|0i-?[tm]?[abcd]|0i mate",
    r"m6[0-9]|m7[0-9]|e6[08]|fx[123]",
    r"tnc ?4\d\d|tnc ?151",
    r"hnc-?2[12]|gsk ?9[28]0|gsk ?218",
    r"kr ?c[12]|controllogix|1756-l[67]",
)
"""Series that need a card, an option or a serial line; those of which some models do are among them."""


def need(equipment: Equipment) -> Need:
    """What `equipment`, which nobody found, needs by what the register says of it."""
    texts = (equipment.nc_ground, equipment.name, equipment.kind)
    text = " ".join(texts).lower()
    if any(re.search(pattern, text) for pattern in _BUILT_IN):
        return Need.READY
    if any(re.search(pattern, text) for pattern in _BY_OPTION) or makers(texts):
        return Need.CARD
    if equipment.nc or equipment.robot or equipment.digital:
        return Need.UNKNOWN_CONTROLLER
    return Need.RETROFIT


def by_need(
    equipment: Iterable[Equipment], day: date, undecided: frozenset[str] = frozenset()
) -> list[tuple[Equipment, Need]]:
    """Those that count on `day` and should be connected, the easiest first; among equals key equipment, then
    the dearest. `undecided` are ids of such for which a machine was found, and not which."""
    wanted = [
        (one, Need.FOUND if one.id in undecided else need(one))
        for one in equipment
        if one.in_service(day) and one.should_connect
    ]
    order = list(Need)
    return sorted(
        wanted,
        key=lambda each: (order.index(each[1]), not each[0].key, -(each[0].asset_value or 0), each[0].id),
    )
