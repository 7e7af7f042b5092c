"""`edge-agent opcua machines`: which machines a server describes, and what to write for them."""

import re

import click

from drivers.opcua.commands_access import opened, run, server_access
from drivers.opcua.companion import BY_NAMESPACE, Machine
from drivers.opcua.companion import machines as find_machines
from drivers.opcua.options import ServerAccess
from drivers.opcua.tag_lists import quoted


@click.command()
@server_access
def machines(access: ServerAccess) -> None:
    """Recognise machines and print what to write for them. 识别设备并生成配置。

    Finds machines below Objects/Machines (OPC 40001-1), machine tools (OPC 40501-1), CNC systems (OPC 40502),
    robots (OPC 40010) and PackML machines; shows who they are, and a piece of configuration to paste. Only
    the ids remain to be set to those of the asset register.
    """
    run(_machines(access))


async def _machines(access: ServerAccess) -> None:
    async with opened(access) as session:
        found = await find_machines(session)
        namespaces = set(session.namespaces)
    for machine in found:
        _describe(machine)
    vendors = [profile for namespace, profile in BY_NAMESPACE if namespace in namespaces]
    if not found:
        click.echo("no machine is described by a companion specification here. 未发现配套规范描述的设备。")
        for profile in vendors:
            click.echo(f"the server has a namespace that goes with the profile {profile} 建议模板")
        if not vendors:
            click.echo("look around with: edge-agent opcua browse URL")
        return
    click.echo("# 配置片段 configuration to paste:")
    click.echo("connections:")
    click.echo("  - id: opcua")
    click.echo("    driver: opcua")
    click.echo(f"    endpoint: {quoted(access.endpoint)}")
    for name in sorted(access.model_fields_set - {"endpoint", "timeout", "password"}):
        value = getattr(access, name)
        click.echo(f"    {name}: {quoted(str(value)) if not isinstance(value, bool) else str(value).lower()}")
    if access.password is not None:
        click.echo("    password: ${OPCUA_PASSWORD}")
    click.echo("    equipment:")
    for machine, made in zip(found, _ids(found), strict=True):
        click.echo(f"      - id: {made}    # as in the asset register 与设备台账一致")
        click.echo(f"        base: {quoted(machine.base)}")
        if machine.profile:
            click.echo(f"        profile: {machine.profile}")
        if machine.tags:
            click.echo("        tags:    # what this machine has more than once")
            for tag in machine.tags:
                click.echo(f"          {tag}")


def _describe(machine: Machine) -> None:
    click.echo(f"设备 machine: {machine.name}")
    for name, text in machine.identity.items():
        click.echo(f"  {name}: {text}")
    specifications = ", ".join(f"{one.number} {one.title}" for one in machine.specifications)
    click.echo(f"  配套规范 specifications: {specifications}")
    click.echo(f"  设备模板 profile: {machine.profile or 'none fits: it shows no state 无合适模板'}")
    click.echo("")


def _ids(machines: list[Machine]) -> list[str]:
    """Ids in the form that equipment has, all different."""
    ids: list[str] = []
    for machine in machines:
        made = re.sub(r"[^A-Za-z0-9_.-]+", "-", machine.name).strip("-._")[:60] or "machine"
        ids.append(made if made not in ids else f"{made}-{len(ids) + 1}")
    return ids
