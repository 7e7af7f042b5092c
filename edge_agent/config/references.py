"""What one part of a configuration says about another: names that must exist, ids that must differ."""

from collections.abc import Collection, Iterable, Iterator

from edge_agent.config.errors import ConfigProblem, did_you_mean
from edge_agent.config.profiles import all_equipment, shipped_profile_names
from edge_agent.config.rules import NotCel, names_in
from edge_agent.config.tree import Node
from edge_agent.model.equipment import Register
from edge_agent.model.options import WATT_HOURS, total_id


def check_references(
    tree: Node, register: Register | None, definitions: Collection[str]
) -> list[ConfigProblem]:
    """Everything wrong in what the tree says about other parts of itself, the register and shipped files.

    `definitions` are the ids that there are.
    Without a register that could be read, equipment is not looked up in it.
    """
    problems = [
        *_each_id_once(_list(tree, "connections"), "connection"),
        *_each_id_once(_list(tree, "uplinks"), "uplink"),
        *_equipment(tree, register),
        *_tags_and_rules(tree),
        *_clients(tree),
        *_definitions(tree, definitions),
        *_baselines(tree, definitions),
        *_calendars(tree, register),
    ]
    # What is wrong in a profile is found again in each equipment that uses it.
    return list({(p.file, p.line, p.column, p.found): p for p in reversed(problems)}.values())


def _tags_and_rules(tree: Node) -> Iterator[ConfigProblem]:
    profiles = tree.child("profiles")
    for name, profile in profiles.entries().items() if profiles is not None else ():
        yield from _each_id_once(_list(profile, "tags"), "tag")
        yield from _no_totals(_list(profile, "tags"))
        users = [one for _, one in all_equipment(tree) if one.text_of("profile") == name]
        yield from _rules(
            _list(profile, "states"), [tag for one in [profile, *users] for tag in _list(one, "tags")]
        )
    for _, equipment in all_equipment(tree):
        tags = _list(equipment, "tags")
        if not tags and isinstance(equipment.value, dict) and not _usable(equipment.child("profile")):
            yield equipment.place.problem(equipment.route, "no tags", "tags, or a profile that has some")
        yield from _each_id_once(tags, "tag")
        yield from _no_totals(tags)
        yield from _rules(_list(equipment, "states"), tags)
        yield from _production(equipment, tags)


def _list(node: Node, key: str) -> list[Node]:
    child = node.child(key)
    return list(child.items()) if child is not None else []


def _usable(node: Node | None) -> str:
    """The text of a node about which nothing has been said yet; empty if it has none."""
    return node.value if node is not None and not node.broken and isinstance(node.value, str) else ""


def _each_id_once(nodes: Iterable[Node], what: str) -> Iterator[ConfigProblem]:
    first: dict[str, Node] = {}
    for node in nodes:
        id_node = node.child("id")
        name = _usable(id_node)
        if id_node is None or not name:
            continue
        if name not in first:
            first[name] = id_node
        elif first[name] is not id_node:
            found = f"found {id_node.written()}, already the {what} at {first[name].place}"
            yield id_node.place.problem(id_node.route, found, f"each {what} with an id of its own")


def _counters(tags: Iterable[Node]) -> Iterator[Node]:
    """Those of which a total is derived."""
    for tag in tags:
        counter = tag.child("counter")
        if counter is not None and counter.value is not None and tag.text_of("id"):
            yield tag


def _no_totals(tags: list[Node]) -> Iterator[ConfigProblem]:
    """No tag may be called like the total of a counter."""
    counters = {total_id(counter.text_of("id")): counter for counter in _counters(tags)}
    for tag in tags:
        id_node = tag.child("id")
        counter = counters.get(_usable(id_node))
        if id_node is not None and counter is not None:
            name = counter.text_of("id")
            found = f"found {id_node.written()}, which is the total of the counter {name} at {counter.place}"
            yield id_node.place.problem(id_node.route, found, "another id")


def _equipment(tree: Node, register: Register | None) -> Iterator[ConfigProblem]:
    profiles = tree.child("profiles")
    first: dict[str, tuple[Node, Node]] = {}
    for connection, equipment in all_equipment(tree):
        id_node = equipment.child("id")
        name = _usable(id_node)
        if id_node is not None and name:
            if register is not None and name not in register.by_id:
                yield _not_registered(id_node, register)
            if name in first:
                where = _served(first[name][0], connection, first[name][1])
                found = f"found {id_node.written()}, {where}"
                yield id_node.place.problem(id_node.route, found, "each equipment once, in one connection")
            first.setdefault(name, (connection, id_node))
        yield from _profile(connection, equipment, profiles)


def _served(first: Node, second: Node, place: Node) -> str:
    return f"already listed at {place.place}" + ("" if first is second else ", in another connection")


def _not_registered(node: Node, register: Register) -> ConfigProblem:
    found = f"found {node.written()}, which is not in the register"
    expected = "the id of an equipment in the register"
    return node.place.problem(node.route, found, expected, did_you_mean(str(node.value), register.by_id))


def _profile(connection: Node, equipment: Node, profiles: Node | None) -> Iterator[ConfigProblem]:
    node = equipment.child("profile")
    name = _usable(node)
    if node is None or not name:
        return
    own = profiles.entries() if profiles is not None else {}
    if name not in own:
        prefix = f"{_usable(connection.child('driver'))}/"
        known = [
            *(key for key in own if "/" not in key),
            *(one for one in shipped_profile_names() if one.startswith(prefix)),
        ]
        expected = f"one of: {', '.join(known)}" if known else "a profile; there are none yet"
        found = f"found {node.written()}, which is no profile"
        yield node.place.problem(node.route, found, expected, did_you_mean(name, known))
        return
    theirs, ours = own[name].child("driver"), connection.child("driver")
    if _usable(theirs) and _usable(ours) and _usable(theirs) != _usable(ours):
        found = f"found {node.written()}, a profile for the driver {_usable(theirs)}"
        yield node.place.problem(node.route, found, f"a profile for the driver {_usable(ours)}")


def _rules(rules: Iterable[Node], tags: Iterable[Node]) -> Iterator[ConfigProblem]:
    tags = list(tags)
    totals = [total_id(counter.text_of("id")) for counter in _counters(tags)]
    known = list(dict.fromkeys([*filter(None, (tag.text_of("id") for tag in tags)), *totals]))
    for rule in rules:
        node = rule.child("when")
        expression = _usable(node)
        if node is None or not expression:
            continue
        try:
            names = names_in(expression)
        except NotCel as error:
            yield node.place.problem(
                node.route,
                f"found {node.written()}, which is not CEL: {error}",
                "a CEL expression over tag ids, such as: status == 3 && alarm == 0",
                "and, or, not, equal are written && || ! ==",
            )
            continue
        for name in names:
            if name not in known:
                yield node.place.problem(
                    node.route,
                    f"found {node.written()}, in which {name} is no tag of the equipment",
                    f"tags: {', '.join(known)}" if known else "tags; the equipment has none",
                    did_you_mean(name, known),
                )


def _production(equipment: Node, tags: list[Node]) -> Iterator[ConfigProblem]:
    """What is counted by a tag: the equipment has it, and it is a counter; energy has a unit."""
    production = equipment.child("production")
    by_id = {tag.text_of("id"): tag for tag in tags if tag.text_of("id")}
    counters = [counter.text_of("id") for counter in _counters(tags)]
    for what in ("parts", "good", "rejects", "energy"):
        node = production.child(what) if production is not None else None
        name = _usable(node)
        if node is None or not name:
            continue
        if name not in by_id:
            found = f"found {node.written()}, which is no tag of the equipment"
            expected = (
                f"one of its counters: {', '.join(counters)}" if counters else "a tag that is a counter"
            )
            yield node.place.problem(node.route, found, expected, did_you_mean(name, counters))
        elif name not in counters:
            found = f"found {node.written()}, the tag at {by_id[name].place}, which is no counter"
            yield node.place.problem(node.route, found, "a tag that is a counter", "give the tag counter: {}")
        elif what == "energy" and by_id[name].text_of("unit") not in WATT_HOURS:
            unit = by_id[name].text_of("unit")
            found = f"found {node.written()}, the tag at {by_id[name].place}, whose unit is " + (
                f'"{unit}"' if unit else "not given"
            )
            yield node.place.problem(
                node.route, found, f"a tag with one of the units {', '.join(WATT_HOURS)}"
            )


def _calendars(tree: Node, register: Register | None) -> Iterator[ConfigProblem]:
    """What the register names must be there; told at the register's name, once for each calendar."""
    node, calendars = tree.child("register"), tree.child("calendars")
    if node is None or register is None:
        return
    known = list(calendars.entries()) if calendars is not None else []
    first = {e.calendar: e.id for e in reversed(register.equipment) if e.calendar not in ("", *known)}
    for name, equipment in first.items():
        yield node.place.problem(
            node.route,
            f'the calendar "{name}" of {equipment} is not there',
            f"calendars: {', '.join(known)}" if known else "a calendar of that name under calendars",
            did_you_mean(name, known),
        )


def _clients(tree: Node) -> Iterator[ConfigProblem]:
    """Two sessions of one name at one broker would throw each other out for ever."""
    gateway = tree.child("gateway")
    first: dict[tuple[str, str, str], Node] = {}
    for uplink in _list(tree, "uplinks"):
        host, port_node = _usable(uplink.child("host")), uplink.child("port")
        default = "8883" if uplink.child("tls") is not None else "1883"
        port = port_node.text if port_node is not None else default
        client = _usable(uplink.child("client_id")) or (gateway.text_of("id") if gateway is not None else "")
        key = (host, port, client)
        if not host:
            continue
        if key in first:
            found = f"the same broker and client_id as the uplink at {first[key].place}"
            yield uplink.place.problem(
                uplink.route, found, "a client_id of its own for each uplink to a broker"
            )
        first.setdefault(key, uplink)


def _definitions(tree: Node, known: Collection[str]) -> Iterator[ConfigProblem]:
    indicators = tree.child("indicators")
    first: dict[str, Node] = {}
    for node in _list(indicators, "definitions") if indicators is not None else ():
        name = _usable(node)
        if not name:
            continue
        if name not in known:
            found = f"found {node.written()}, which is no definition"
            yield node.place.problem(
                node.route, found, f"one of: {', '.join(known)}", did_you_mean(name, known)
            )
        if name in first:
            found = f"found {node.written()}, already at {first[name].place}"
            yield node.place.problem(node.route, found, "each definition once")
        first.setdefault(name, node)


def _baselines(tree: Node, known: Collection[str]) -> Iterator[ConfigProblem]:
    """Each is of a definition that there is, and the only one of its day."""
    indicators = tree.child("indicators")
    first: dict[tuple[str, str], Node] = {}
    for baseline in _list(indicators, "baselines") if indicators is not None else ():
        node = baseline.child("definition")
        name = _usable(node)
        if node is None or not name:
            continue
        if name not in known:
            found = f"found {node.written()}, which is no definition"
            yield node.place.problem(
                node.route, found, f"one of: {', '.join(known)}", did_you_mean(name, known)
            )
        key = (name, baseline.text_of("day"))
        if key in first:
            found = f"a second baseline of {name} on {key[1]}, already at {first[key].place}"
            yield baseline.place.problem(baseline.route, found, "one baseline for each definition and day")
        first.setdefault(key, baseline)
