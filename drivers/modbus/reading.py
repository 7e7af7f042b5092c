"""How one tag set is read: its requests, what was found out about them, and its codec."""

from collections.abc import Sequence
from dataclasses import dataclass

from drivers.modbus.codec import Codec, Place
from drivers.modbus.frames import Request, read_request
from drivers.modbus.options import BIT_TABLES, MAX_REGISTERS, ModbusEquipment, ModbusTag, Table
from drivers.modbus.planner import Extent, Rules, Run, halves, plan_runs
from edge_agent.driver import TagSet
from edge_agent.model.quality import Quality

ModbusTagSet = TagSet[ModbusEquipment, ModbusTag]


@dataclass(frozen=True, slots=True)
class Block:
    """One request for the run of addresses that serves the tags at `run.members`."""

    table: Table
    run: Run
    request: Request

    @property
    def data_size(self) -> int:
        """Bytes of data in the answer, without function code and byte count."""
        return (self.request.answer_size or 2) - 2

    @property
    def what(self) -> str:
        first, last = self.run.start, self.run.stop - 1
        return f"unit {self.request.unit} {self.table} {first}-{last} (function {self.request.function})"


class Reading:
    """The requests of one tag set. What the unit refuses is learnt, and kept for as long as this lives."""

    def __init__(self, tag_set: ModbusTagSet, most_registers: int = MAX_REGISTERS) -> None:
        """`most_registers` is what the way to the unit allows in a request, whatever the unit would take."""
        self._most_registers = most_registers
        self.tag_set = tag_set
        self.unit = tag_set.equipment.unit
        self.refused: dict[int, Quality] = {}
        """Tags that the unit does not have, by index: they are not asked for."""
        self._extents = [Extent(tag.address, tag.address + tag.extent) for tag in tag_set.tags]
        self._cuts: dict[Table, set[int]] = {}
        self.blocks: tuple[Block, ...] = ()
        self.codec = Codec((), (), {})
        self._plan()

    def block(self, table: Table, run: Run) -> Block:
        return Block(table, run, read_request(self.unit, table, run.start, run.count))

    @property
    def pause(self) -> float:
        """Seconds of silence that the unit needs before a request."""
        return self.tag_set.equipment.limits.pause or 0.0

    def refuse(self, block: Block, quality: Quality) -> None:
        """Ask for the block's tags no more, nor for others at the very same addresses."""
        extents = {self._extents[member] for member in block.run.members}
        for index, tag in enumerate(self.tag_set.tags):
            if tag.table == block.table and self._extents[index] in extents:
                self.refused[index] = quality
        self._plan()

    def cut(self, table: Table, address: int) -> bool:
        """Read the addresses before `address` and from it on in different requests.

        False if that is nothing new.
        """
        cuts = self._cuts.setdefault(table, set())
        if address in cuts:
            return False
        cuts.add(address)
        self._plan()
        return True

    def forget_refusals(self) -> None:
        self.refused.clear()
        self._plan()

    def halves_of(self, block: Block) -> tuple[list[Block], list[Block]]:
        """The requests for the lower and for the upper half of the block's tags."""
        lower, upper = halves(block.run, self._extents)
        return self._blocks(block.table, lower), self._blocks(block.table, upper)

    def block_of(self, index: int) -> Block:
        """The request for one tag alone."""
        return self._blocks(self.tag_set.tags[index].table, [index])[0]

    def _blocks(self, table: Table, members: Sequence[int]) -> list[Block]:
        return [self.block(table, run) for run in plan_runs(self._extents, members, self._rules(table))]

    def _rules(self, table: Table) -> Rules:
        limits = self.tag_set.equipment.limits
        forbidden = [Extent(f.first, f.last + 1) for f in limits.forbidden if f.table == table]
        refused = [self._extents[i] for i in self.refused if self.tag_set.tags[i].table == table]
        most = self._most_registers
        return Rules(
            limit=min(limits.bits, 16 * most) if table in BIT_TABLES else min(limits.registers, most),
            gap=limits.gap,
            forbidden=(*forbidden, *refused),
            cuts=frozenset(self._cuts.get(table, ())),
        )

    def _plan(self) -> None:
        tags = self.tag_set.tags
        blocks: list[Block] = []
        for table in _tables(tags):
            members = [i for i, tag in enumerate(tags) if tag.table == table and i not in self.refused]
            blocks.extend(self._blocks(table, members))
        self.blocks = tuple(blocks)
        places: list[Place | None] = [None] * len(tags)
        base = 0
        for block in blocks:
            for member in block.run.members:
                offset = self._extents[member].start - block.run.start
                in_bits = block.table in BIT_TABLES
                places[member] = (
                    Place(base + offset // 8, offset % 8) if in_bits else Place(base + 2 * offset)
                )
            base += block.data_size
        self.codec = Codec(tags, places, self.refused)


def _tables(tags: Sequence[ModbusTag]) -> list[Table]:
    used = {tag.table for tag in tags}
    return [table for table in ("coil", "discrete", "holding", "input") if table in used]
