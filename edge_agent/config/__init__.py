"""What a user writes: read from YAML, checked as a whole, and handed on as a `Site`."""

from edge_agent.config.errors import ConfigError, ConfigProblem
from edge_agent.config.models import GatewayOptions, IndicatorOptions, MqttUplinkOptions, StateOptions
from edge_agent.config.site import Site, load_site, tag_sets

__all__ = [
    "ConfigError",
    "ConfigProblem",
    "GatewayOptions",
    "IndicatorOptions",
    "MqttUplinkOptions",
    "Site",
    "StateOptions",
    "load_site",
    "tag_sets",
]
