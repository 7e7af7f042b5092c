"""Machines that a server describes by companion specifications: found, told apart, and named.

Objects are recognised by what stands below them, by browse names with the URI of the specification, since
servers give their machines types of their own.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from drivers.opcua.browsing import Browser, Child
from drivers.opcua.nodes import NodeName, node_id
from drivers.opcua.paths import BrowsePath
from drivers.opcua.places import Route, Way, follow
from drivers.opcua.session import Session
from drivers.opcua.tag_lists import TagLine, path_below
from drivers.opcua.values import Conversion, reading

MACHINERY = "http://opcfoundation.org/UA/Machinery/"
MACHINE_TOOL = "http://opcfoundation.org/UA/MachineTool/"
DI = "http://opcfoundation.org/UA/DI/"
CNC = "http://opcfoundation.org/UA/CNC"
ROBOTICS = "http://opcfoundation.org/UA/Robotics/"
PACKML = "http://opcfoundation.org/UA/PackML/"

BY_NAMESPACE = (
    ("SinumerikVarProvider", "opcua/siemens-840d"),
    ("http://www.siemens.com/simatic-s7-opcua", "opcua/siemens-s7-1500"),
)
"""Servers that are known by a namespace, and describe no machine: the profile that reads them."""

DEEPEST = 3
"""Levels below Objects in which machines are looked for."""
MOST_LOOKED_AT = 2_000
_SERVER = node_id(ObjectIds.Server)
_OBJECTS = Child(
    node_id(ObjectIds.ObjectsFolder), "Objects", "http://opcfoundation.org/UA/", False, ua.NodeId()
)
_IDENTITY = (
    "Manufacturer",
    "Model",
    "SerialNumber",
    "ProductInstanceUri",
    "SoftwareRevision",
    "YearOfConstruction",
    "Location",
)


@dataclass(frozen=True, slots=True)
class Specification:
    """A companion specification, by which nodes it is known, and the profile that reads it."""

    number: str
    title: str
    evidence: tuple[str, ...]
    """Paths below the machine; any of them proves it."""
    profile: str = ""
    repeated: tuple[tuple[str, str], ...] = ()
    """Tags of the profile that a machine may have several times: id and path."""


_MT = f"nsu={MACHINE_TOOL};"
_ITEM_STATE = (
    f"nsu={MACHINERY};MachineryItemState/CurrentState",
    f"nsu={MACHINERY};MachineryBuildingBlocks/MachineryItemState/CurrentState",
)
_OPERATION_MODE = (
    f"nsu={MACHINERY};MachineryOperationMode/CurrentState",
    f"nsu={MACHINERY};MachineryBuildingBlocks/MachineryOperationMode/CurrentState",
)
_MT_ITEM_STATE = (f"{_MT}Monitoring/MachineTool/MachineryItemState/CurrentState", *_ITEM_STATE)
_MT_REPEATED = (
    ("channel_state", f"{_MT}Monitoring/*/ChannelState"),
    ("channel_mode", f"{_MT}Monitoring/*/ChannelMode"),
    ("rapid_override", f"{_MT}Monitoring/*/RapidOverride"),
    ("light_color", f"{_MT}Monitoring/Stacklight/*/SignalColor"),
    ("light_mode", f"{_MT}Monitoring/Stacklight/*/SignalMode"),
    ("light_on", f"{_MT}Monitoring/Stacklight/*/SignalOn"),
)
_CHANNELS = (
    ("program_status", "ActProgramStatus"),
    ("operation_mode", "ActOperationMode"),
    ("program", "ActMainProgramName"),
    ("feed_override", "ActOverride"),
    ("feed", "ActFeedrate"),
    ("feed_hold", "FeedHold"),
    ("tool", "ToolId"),
)
_TASK = "Controllers/*/TaskControls/*"

SPECIFICATIONS = (
    Specification(
        "OPC 40501-1",
        "Machine Tools 机床",
        (f"{_MT}Monitoring/nsu={MACHINE_TOOL};MachineTool",),
        "opcua/machine-tool",
        _MT_REPEATED,
    ),
    Specification(
        "OPC 40502",
        "CNC Systems 数控系统",
        (f"nsu={CNC};CncChannelList", f"nsu={CNC}/;CncChannelList"),
        "opcua/cnc",
        (
            *((tag, f"CncChannelList/*/{name}") for tag, name in _CHANNELS),
            ("spindle_speed", "CncSpindleList/*/ActSpeed"),
            ("spindle_load", "CncSpindleList/*/ActLoad"),
        ),
    ),
    Specification(
        "OPC 40010-1",
        "Robotics 机器人",
        (f"nsu={ROBOTICS};MotionDevices",),
        "opcua/robot",
        (
            ("operational_mode", "**/SafetyStates/*/ParameterSet/OperationalMode"),
            ("emergency_stop", "**/SafetyStates/*/ParameterSet/EmergencyStop"),
            ("protective_stop", "**/SafetyStates/*/ParameterSet/ProtectiveStop"),
            ("task_state", f"{_TASK}/TaskControlOperation/TaskControlStateMachine/CurrentState"),
            ("program", f"{_TASK}/ParameterSet/TaskProgramName"),
            ("program_loaded", f"{_TASK}/ParameterSet/TaskProgramLoaded"),
            ("speed_override", "MotionDevices/*/ParameterSet/SpeedOverride"),
            ("on_path", "MotionDevices/*/ParameterSet/OnPath"),
            ("in_control", "MotionDevices/*/ParameterSet/InControl"),
            ("serial_number", "MotionDevices/*/SerialNumber"),
        ),
    ),
    Specification("OPC 30050", "PackML", (f"nsu={PACKML};BaseStateMachine",), "opcua/packml"),
    Specification("OPC 40001-1", "Machinery 机械", (f"nsu={DI};Identification", *_ITEM_STATE)),
)
"""The most telling first: its profile is the one suggested."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as its server describes it."""

    name: str
    base: str
    """What to write as the equipment's `base`."""
    identity: dict[str, str]
    specifications: tuple[Specification, ...]
    profile: str
    """Empty if none fits."""
    tags: tuple[TagLine, ...]
    """Tags of the profile that this machine has several times."""


async def machines(session: Session) -> list[Machine]:
    """All machines below Objects/Machines, and others that are recognised near the top."""
    browser = Browser(session)
    found = [way async for way in _candidates(browser)]
    return [machine for way in found if (machine := await _recognise(browser, session, way)) is not None]


async def _candidates(browser: Browser) -> AsyncIterator[Way]:
    """Ways from Objects to what may be a machine, outer ones first; nothing below one is another."""
    level: list[Way] = [(_OBJECTS,)]
    for _ in range(DEEPEST):
        following: list[Way] = []
        answers = await browser.children(way[-1].node for way in level)
        ways = [
            (*way, child)
            for way, answer in zip(level, answers, strict=True)
            for child in answer.nodes
            if not child.is_variable and child.node != _SERVER
        ]
        if browser.browsed + len(ways) > MOST_LOOKED_AT:
            return
        below = await browser.children(way[-1].node for way in ways)
        for way, answer in zip(ways, below, strict=True):
            known = {(child.name, child.namespace) for child in answer.nodes}
            if known & _SIGNS or (known & _SIGNS_OF_A_MACHINE and _is(way[-2], "Machines", MACHINERY)):
                yield way
            else:
                following.append(way)
        level = following


_SIGNS = {
    ("Monitoring", MACHINE_TOOL),
    ("MachineryItemState", MACHINERY),
    ("MachineryBuildingBlocks", MACHINERY),
    ("CncChannelList", CNC),
    ("CncChannelList", f"{CNC}/"),
    ("MotionDevices", ROBOTICS),
    ("BaseStateMachine", PACKML),
}
"""Children by which a machine is known wherever it stands; see the `evidence` of the specifications."""
_SIGNS_OF_A_MACHINE = {("Identification", DI), ("Identification", MACHINERY)}
"""Below Machines that is enough; elsewhere many devices have it."""


def _is(child: Child, name: str, namespace: str) -> bool:
    return (child.name, child.namespace) == (name, namespace)


async def _recognise(browser: Browser, session: Session, way: Way) -> Machine | None:
    start = NodeName.of(way[-1].node, session.namespaces)

    async def follow_all(paths: Sequence[str]) -> list[list[Way]]:
        routes = [Route(start, (BrowsePath.parse(path).steps,)) for path in paths]
        return [found if isinstance(found, list) else [] for found in await follow(browser, session, routes)]

    async def has(paths: Sequence[str]) -> bool:
        return any(await follow_all(paths))

    shown = tuple([one for one in SPECIFICATIONS if await has(one.evidence)])
    if not shown:
        return None
    profile, repeated = shown[0].profile, shown[0].repeated
    if profile == "opcua/machine-tool" and await has(_MT_ITEM_STATE):
        profile = "opcua/machine-tool-item-state"
    elif not profile and await has(_ITEM_STATE):
        profile = "opcua/machinery" if await has(_OPERATION_MODE) else "opcua/machinery-item-state"
    several = await follow_all([path for _, path in repeated])
    tags = [
        TagLine(id=tag if number == 1 else f"{tag}_{number}", path=path_below(found))
        for (tag, _), ways_found in zip(repeated, several, strict=True)
        if len(ways_found) > 1
        for number, found in enumerate(ways_found, start=1)
    ]
    named = await follow_all([f"Identification/{name}" for name in _IDENTITY])
    return Machine(
        way[-1].name,
        "/" + path_below(way),
        await _identity(session, [found[0][-1] if found else None for found in named]),
        shown,
        profile,
        tuple(tags),
    )


async def _identity(session: Session, nodes: Sequence[Child | None]) -> dict[str, str]:
    """What the variables called as `_IDENTITY` say."""
    known = [(name, child.node) for name, child in zip(_IDENTITY, nodes, strict=True) if child is not None]
    answers = await session.read([node for _, node in known], AttributeIds.Value)
    told = [reading(answer, Conversion(namespaces=session.namespaces)) for answer in answers]
    return {
        name: str(one.value)
        for (name, _), one in zip(known, told, strict=True)
        if one.flaw is None and one.value not in (None, "")
    }
