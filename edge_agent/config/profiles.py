"""Profiles: found, and merged into the equipment that names them."""

from collections.abc import Iterator

from edge_agent.config.errors import ConfigProblem
from edge_agent.config.shipped import shipped
from edge_agent.config.tree import Node
from edge_agent.config.yaml_files import parse_yaml


def add_shipped_profiles(tree: Node) -> Iterator[ConfigProblem]:
    """Put the shipped profiles that equipment names under `profiles` of the tree.

    Their names have a slash, `modbus/some-controller`, which those of the configuration may not have.
    """
    profiles = tree.child("profiles")
    if profiles is None:
        profiles = Node(tree.place, tree.place, {}, route=("profiles",))
    if not isinstance(profiles.value, dict):
        return
    for name, profile in profiles.value.items():
        if "/" in name:
            hint = "only shipped profiles have a slash in their names"
            yield profile.key.problem(profile.route, f'the name "{name}"', "a name without a slash", hint)
    names = [equipment.text_of("profile") for _, equipment in all_equipment(tree)]
    for name in dict.fromkeys(names):
        driver, slash, short = name.partition("/")
        file = shipped("profiles", driver, f"{short}.yaml")
        if not slash or name in profiles.value or not file.is_file():
            continue
        profile_tree, problems = parse_yaml(file)
        yield from problems
        if profile_tree is not None:
            profile_tree.set_routes(("profiles", name))
            profiles.value[name] = profile_tree
    if profiles.value and isinstance(tree.value, dict):
        tree.value["profiles"] = profiles


def shipped_profile_names() -> list[str]:
    """Names of all shipped profiles, sorted."""
    folder = shipped("profiles")
    return sorted(f"{file.parent.name}/{file.stem}" for file in folder.glob("*/*.yaml"))


def merge_profiles(tree: Node) -> None:
    """Give each equipment the tags and state rules of its profile.

    Its own tags come after the profile's, or in place of those with the same id; its own state rules
    replace the profile's. The nodes stay the profile's, so a mistake shows where it was written.
    """
    profiles = tree.child("profiles")
    for connection, equipment in all_equipment(tree):
        profile = profiles.child(equipment.text_of("profile")) if profiles is not None else None
        if profile is None or not isinstance(equipment.value, dict):
            continue
        if profile.text_of("driver") != connection.text_of("driver"):
            continue  # its tags would mean nothing there
        own, common = equipment.child("tags"), profile.child("tags")
        if common is not None and isinstance(common.value, list) and (own is None or not own.broken):
            replaced = {tag.text_of("id"): tag for tag in (own.items() if own is not None else ())}
            common_ids = {tag.text_of("id") for tag in common.value}
            tags = [replaced.get(tag.text_of("id"), tag) for tag in common.value]
            if own is None:
                equipment.value["tags"] = Node(equipment.place, equipment.key, tags, route=common.route)
            elif isinstance(own.value, list):
                tags += [tag for tag in own.value if tag.text_of("id") not in common_ids]
                equipment.value["tags"] = Node(own.place, own.key, tags, route=own.route)
        states = profile.child("states")
        if states is not None and "states" not in equipment.value:
            equipment.value["states"] = states


def all_equipment(tree: Node) -> Iterator[tuple[Node, Node]]:
    """Every equipment of every connection, after its connection."""
    connections = tree.child("connections")
    for connection in connections.items() if connections is not None else ():
        equipment = connection.child("equipment")
        for one in equipment.items() if equipment is not None else ():
            yield connection, one
