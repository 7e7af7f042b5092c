"""What `sharing` says about the register, about tags of machines, and about other parts of itself."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from edge_agent.config.errors import ConfigProblem, did_you_mean
from edge_agent.config.profiles import all_equipment
from edge_agent.config.tree import Node
from edge_agent.model.equipment import Equipment, Register


def check_sharing(tree: Node, register: Register | None) -> list[ConfigProblem]:
    """Every name under `sharing` that names nothing, or names something twice.

    Without a register that could be read, nothing is looked up in it.
    """
    sharing = tree.child("sharing")
    if sharing is None:
        return []
    tenants, machines = _items(sharing, "tenants"), _items(sharing, "machines")
    ids = list(dict.fromkeys(filter(None, (tenant.text_of("id") for tenant in tenants))))
    named = {*ids, *filter(None, (tenant.text_of("name") for tenant in tenants))}
    rates = sharing.child("rates")
    tables = list(rates.entries()) if rates is not None else []
    tags = {
        one.text_of("id"): [tag.text_of("id") for tag in _items(one, "tags")]
        for _, one in all_equipment(tree)
    }
    publishes = sharing.child("publish_capacity")
    problems = [
        *_each_once(tenants, "id", "tenant", "each tenant with an id of its own"),
        *_each_once(tenants, "name", "tenant", "each tenant with a name of its own"),
        *_each_once(machines, "equipment", "machine", "each machine once"),
    ]
    for machine in machines:
        problems += _names(_tenants(machine), ids, "tenant")
        problems += _names([machine.child("rates")], tables, "rate table")
        problems += _tag(machine, tags)
        if register is not None:
            problems += _registered(machine, register, named)
            if publishes is not None and publishes.value is True:
                problems += _kind(machine, register, named)
    return problems


def _items(node: Node, key: str) -> list[Node]:
    child = node.child(key)
    return list(child.items()) if child is not None else []


def _text(node: Node | None) -> str:
    """The text of a node about which nothing has been said yet; empty if it has none."""
    return node.value if node is not None and not node.broken and isinstance(node.value, str) else ""


def _each_once(nodes: Iterable[Node], key: str, what: str, expected: str) -> Iterator[ConfigProblem]:
    first: dict[str, Node] = {}
    for holder in nodes:
        node = holder.child(key)
        name = _text(node)
        if node is None or not name:
            continue
        if name in first:
            found = f"found {node.written()}, already the {what} at {first[name].place}"
            yield node.place.problem(node.route, found, expected)
        first.setdefault(name, node)


def _tenants(machine: Node) -> list[Node | None]:
    """Where a machine names tenants."""
    mapping = machine.child("tenants")
    return [
        *(window.child("tenant") for window in _items(machine, "windows")),
        *(mapping.entries().values() if mapping is not None else ()),
    ]


def _names(nodes: Iterable[Node | None], known: Collection[str], what: str) -> Iterator[ConfigProblem]:
    for node in nodes:
        name = _text(node)
        if node is not None and name and name not in known:
            expected = f"one of: {', '.join(known)}" if known else f"a {what}; there are none yet"
            found = f"found {node.written()}, which is no {what}"
            yield node.place.problem(node.route, found, expected, did_you_mean(name, known))


def _tag(machine: Node, tags: Mapping[str, list[str]]) -> Iterator[ConfigProblem]:
    node, equipment = machine.child("tag"), machine.text_of("equipment")
    name, known = _text(node), tags.get(equipment, [])
    if node is not None and name and equipment and name not in known:
        found = f"found {node.written()}, which is no tag of {equipment}"
        expected = (
            f"one of: {', '.join(known)}" if known else f"a tag; no connection reads any of {equipment}"
        )
        yield node.place.problem(node.route, found, expected, did_you_mean(name, known))


def _entry(machine: Node, register: Register) -> tuple[Node, Equipment] | None:
    node = machine.child("equipment")
    equipment = register.by_id.get(_text(node))
    return None if node is None or equipment is None else (node, equipment)


def _registered(machine: Node, register: Register, tenants: Collection[str]) -> Iterator[ConfigProblem]:
    node = machine.child("equipment")
    name = _text(node)
    if node is not None and name and name not in register.by_id:
        found = f"found {node.written()}, which is not in the register"
        expected = "the id of an equipment in the register"
        yield node.place.problem(node.route, found, expected, did_you_mean(name, register.by_id))
    entry = _entry(machine, register)
    if entry is None or machine.text_of("sessions") != "register":
        return
    node, equipment = entry
    if equipment.tenant and equipment.tenant not in tenants:
        found = f'the register names the tenant "{equipment.tenant}" of {equipment.id}, which is none'
        expected = f"id or name of a tenant: {', '.join(sorted(tenants))}"
        yield node.place.problem(node.route, found, expected, did_you_mean(equipment.tenant, tenants))


def _kind(machine: Node, register: Register, tenants: Collection[str]) -> Iterator[ConfigProblem]:
    """A class of machines is published: its name must not tell whose they are, or which."""
    entry = _entry(machine, register)
    if entry is None:
        return
    node, equipment = entry
    told = f'the class (kind) "{equipment.kind}" of {equipment.id} in the register'
    expected = "a class of machines, as publish_capacity sends it"
    if not equipment.kind:
        yield node.place.problem(node.route, f"the register has no class (kind) of {equipment.id}", expected)
    for name in sorted({*register.by_id, *tenants}, key=lambda text: (text.casefold(), text)):
        if _is_in(name, equipment.kind):
            yield node.place.problem(node.route, f"{told} has {name} in it", expected)
            return


def _is_in(name: str, kind: str) -> bool:
    """Whether the class tells the name: as a word, or, of a mere number, as all that it says."""
    if name.isdigit():
        return name == kind.strip()
    return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", kind, re.IGNORECASE))
