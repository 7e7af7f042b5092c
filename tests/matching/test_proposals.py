"""Which equipment a found machine is said to be, how surely, and why."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pytest

from edge_agent.matching.machines import Machine, machines
from edge_agent.matching.needs import Need, by_need, need
from edge_agent.matching.proposals import BY_ORDER, Confidence, Matching, judge
from edge_agent.matching.proposals import match as propose
from edge_agent.model.equipment import Equipment
from edge_agent.model.found import Found

DAY = date(2026, 11, 2)


def equipment(id: str, name: str = "机床", **more: object) -> Equipment:
    return replace(Equipment(id, name, "一车间"), **more)  # type: ignore[arg-type]  # what a test wants


def found(number: int = 1, **more: object) -> Found:
    host = f"10.0.0.{number}"
    one = Found(protocol="modbus", host=host, where=f"{host}:502", part="unit 1", driver="modbus")
    return replace(one, **more)  # type: ignore[arg-type]  # what a test wants


def match(register: Sequence[Equipment], those: Sequence[Found], **more: object) -> Matching:
    given = {"configured": {}, "decided": {}, "served": frozenset[str](), **more}
    return propose(register, machines(those), DAY, **given)  # type: ignore[arg-type]  # what a test wants


def pairs(matching: Matching) -> dict[str, tuple[str, Confidence]]:
    return {one.machine.found.host: (one.equipment.id, one.confidence) for one in matching.proposals}


LATHES = [
    equipment("CNC-01", "数控车床1号", nc=True, digital=True, nc_ground="FANUC 0i-TF"),
    equipment("CNC-02", "数控车床2号", nc=True, digital=True, nc_ground="FANUC 0i-TF"),
    equipment("MIL-01", "加工中心", nc=True, digital=True, nc_ground="西门子 SINUMERIK 828D, SN 7654321"),
    equipment("ROB-01", "焊接机器人", robot=True, digital=True, nc_ground="KUKA KR C4"),
    equipment("SAW-01", "带锯床", should_connect=False),
]


def test_a_machine_that_names_itself_is_certain_whatever_the_order() -> None:
    those = [found(1, part="Machine ROB-01"), found(2, name="cnc_02"), found(3, part="数控车床1号")]
    assert pairs(match(LATHES, those)) == {
        "10.0.0.1": ("ROB-01", Confidence.CERTAIN),
        "10.0.0.2": ("CNC-02", Confidence.CERTAIN),
        "10.0.0.3": ("CNC-01", Confidence.CERTAIN),
    }


def test_a_number_is_no_name() -> None:
    register = [equipment("1", digital=True), equipment("CNC-1", digital=True)]
    (one,) = match(register, [found(part="unit 1", name="CNC-12 XCNC-1")]).proposals
    assert one.why == (BY_ORDER,)
    (one,) = match(register, [found(part="Line3.cnc_1.Axis")]).proposals
    assert (one.equipment.id, one.confidence) == ("CNC-1", Confidence.CERTAIN)


def test_a_serial_number_is_certain_and_one_that_is_short_is_nothing() -> None:
    (one,) = match(LATHES, [found(serial_number="765-4321")]).proposals
    assert (one.equipment.id, one.confidence) == ("MIL-01", Confidence.CERTAIN)
    assert "765-4321" in one.why[0]
    (one,) = match(LATHES, [found(serial_number="43")]).proposals
    assert one.why == (BY_ORDER,)


def test_model_and_maker_are_likely_if_nobody_else_has_them() -> None:
    those = [found(maker="Siemens AG", model="SINUMERIK 828D")]
    (one,) = match(LATHES, those).proposals
    assert (one.equipment.id, one.confidence) == ("MIL-01", Confidence.LIKELY)
    twin = equipment("MIL-02", nc=True, digital=True, nc_ground="Siemens 828D")
    (one,) = match([*LATHES, twin], those).proposals
    assert one.confidence is Confidence.GUESS


def test_two_of_a_kind_are_guessed_in_the_order_of_the_register() -> None:
    those = [found(1, maker="FANUC", model="0I TF"), found(2, maker="发那科", model="0i-TF")]
    matching = match(LATHES, those)
    assert pairs(matching) == {
        "10.0.0.1": ("CNC-01", Confidence.GUESS),
        "10.0.0.2": ("CNC-02", Confidence.GUESS),
    }
    assert [one.id for one in matching.missing] == ["MIL-01", "ROB-01", "SAW-01"]


def test_another_maker_speaks_against() -> None:
    assert judge(Machine(found(maker="Heidenhain")), LATHES[0]) == []
    assert judge(Machine(found(kind="robot")), LATHES[0]) == []
    assert match(LATHES[:1], [found(maker="Heidenhain")]).strangers != ()


def test_order_alone_is_a_guess_and_prefers_what_has_a_controller() -> None:
    register = [equipment("SAW-01"), equipment("PRS-01", digital=True), equipment("PRS-02", digital=True)]
    matching = match(register, [found(1), found(2)])
    assert [(one.equipment.id, one.confidence, one.why) for one in matching.proposals] == [
        ("PRS-01", Confidence.GUESS, (BY_ORDER,)),
        ("PRS-02", Confidence.GUESS, (BY_ORDER,)),
    ]


def test_what_is_decided_configured_or_out_of_service_is_left_alone() -> None:
    register = [*LATHES[:3], equipment("OLD-01", retired=DAY)]
    those = [found(1), found(2), found(3), found(4, name="OLD-01")]
    matching = match(
        register, those, decided={0: "MIL-01", 1: ""}, configured={2: "CNC-02"}, served=frozenset({"CNC-02"})
    )
    assert pairs(matching) == {
        "10.0.0.1": ("MIL-01", Confidence.DECIDED),
        "10.0.0.3": ("CNC-02", Confidence.CONFIGURED),
        "10.0.0.4": ("CNC-01", Confidence.GUESS),
    }
    assert [one.found.host for one in matching.strangers] == ["10.0.0.2"]


def test_several_behind_one_connection_of_the_configuration_are_no_strangers() -> None:
    assert match(LATHES, [found(1)], configured={0: ""}).strangers == ()


def test_nothing_found_and_nothing_registered() -> None:
    assert match(LATHES, []).missing == tuple(LATHES)
    assert len(match([], [found(1), found(2)]).strangers) == 2


def test_a_hundred_and_fifty_machines_are_soon_matched() -> None:
    register = [
        equipment(f"M-{n:03}", digital=True, nc=True, nc_ground=f"FANUC {n % 7}i-TF") for n in range(150)
    ]
    those = [found(1, host=f"h{n}", name=f"M-{149 - n:03}") for n in range(150)]
    matching = match(register, those)
    assert all(one.machine.found.name == one.equipment.id for one in matching.proposals)


def test_protocols_of_one_host_are_one_machine_where_that_is_sure() -> None:
    opcua = found(1, protocol="opcua", part="")
    s7 = found(1, protocol="s7", driver="", maker="Siemens", part="")
    http = found(1, protocol="http", driver="", model="nginx", part="")
    (one,) = machines([s7, opcua, http])
    assert (one.found, one.protocols) == (opcua, "opcua, s7, http")
    assert [each.found.part for each in machines([found(1), found(1, part="unit 2"), s7])] == [
        "unit 1",
        "unit 2",
    ]
    (alone,) = machines([s7, http])
    assert (alone.found, alone.also) == (s7, (http,))
    devices = [found(1, protocol="mtconnect", driver="", part=name) for name in ("a", "b")]
    assert [each.found.part for each in machines([*devices, http])] == ["a", "b"]


@pytest.mark.parametrize(
    ("ground", "wanted"),
    [
        ("FANUC 0i-TF Plus", Need.READY),
        ("SINUMERIK 828D", Need.READY),
        ("SINUMERIK 840D sl", Need.READY),
        ("海德汉 TNC 640", Need.READY),
        ("三菱 FX5U", Need.READY),
        ("SIMATIC S7-200 SMART SR40", Need.READY),
        ("库卡 KR C4", Need.READY),
        ("KUKA KRC5", Need.READY),
        ("机器人UR10e", Need.READY),
        ("优傲 UR20", Need.READY),
        ("ControlLogix 5580 1756-L83E", Need.READY),
        ("OMRON NX701", Need.READY),
        ("FANUC 0i-MC", Need.CARD),
        ("三菱 FX3U", Need.CARD),
        ("西门子 S7-200", Need.CARD),
        ("S7-200 SMART CR40", Need.CARD),
        ("KUKA KR 5 arc, KR C2", Need.CARD),
        ("KUKA KR 5 arc", Need.CARD),
        ("ControlLogix 5570", Need.CARD),
        ("SINUMERIK 840D", Need.CARD),
        ("西门子 802D", Need.CARD),
        ("三菱 M64", Need.CARD),
        ("KND 系统", Need.CARD),
        ("数控系统（两轴）", Need.UNKNOWN_CONTROLLER),
    ],
)
def test_what_a_controller_needs(ground: str, wanted: Need) -> None:
    assert need(equipment("X", nc=True, nc_ground=ground)) is wanted


def test_the_work_list_begins_with_what_is_easy_key_and_dear() -> None:
    register = [
        equipment("DRL-01"),
        equipment("CNC-09", nc=True),
        equipment("CNC-07", nc=True, nc_ground="FANUC 31i-B", asset_value=100),
        equipment("CNC-08", nc=True, nc_ground="FANUC 31i-B", asset_value=900),
        equipment("KEY-01", nc=True, nc_ground="FANUC 31i-B", key=True),
        equipment("CNC-06", nc=True, nc_ground="FANUC 18i-MB"),
        equipment("FND-01"),
        equipment("OFF-01", should_connect=False),
        equipment("OLD-01", retired=date(2020, 1, 1)),
    ]
    listed = [(one.id, what) for one, what in by_need(register, DAY, frozenset({"FND-01"}))]
    assert listed == [
        ("FND-01", Need.FOUND),
        ("KEY-01", Need.READY),
        ("CNC-08", Need.READY),
        ("CNC-07", Need.READY),
        ("CNC-06", Need.CARD),
        ("CNC-09", Need.UNKNOWN_CONTROLLER),
        ("DRL-01", Need.RETROFIT),
    ]
