"""The edge agent: from shop-floor machines to figures that can be checked."""

from importlib.metadata import version

__version__ = version("edge-agent")
