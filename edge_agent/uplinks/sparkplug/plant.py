"""What there is to report, as far as the configuration says it before anything has been read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from edge_agent.config.site import Site
from edge_agent.indicators.calculate import Calculator
from edge_agent.model.options import total_id
from edge_agent.uplinks.sparkplug.told import indicator


@dataclass(frozen=True, slots=True)
class Plant:
    """What the configuration says there is."""

    properties: Mapping[str, str]
    """Of the node, by name."""
    devices: Mapping[str, Mapping[str, str]]
    """By equipment its tags, each with its unit."""
    indicators: Sequence[str]
    """The folders of the figures."""


def plant_of(site: Site, version: str) -> Plant:
    """What `site` has; `version` of the agent."""
    devices = {}
    for connection in site.connections:
        for equipment in connection.equipment:
            units = devices[equipment.id] = {tag.id: tag.unit for tag in equipment.tags}
            units |= {total_id(tag.id): tag.unit for tag in equipment.tags if tag.counter is not None}
    enterprise, zone = site.gateway.enterprise, ZoneInfo(site.gateway.timezone)
    indicators = [
        indicator(definition.id, scope)
        for definition in site.definitions
        for scope in Calculator(definition, enterprise, site.register, zone).scopes
    ]
    return Plant({"version": version, "configuration": site.digest}, devices, indicators)
