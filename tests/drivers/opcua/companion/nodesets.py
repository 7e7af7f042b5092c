"""The OPC Foundation's published node sets, from the registry package that carries them (MIT licence)."""

from pathlib import Path

from tests.npm import npm_package

PACKAGE, VERSION = "node-opcua-nodesets", "2.182.0"

FILES = (
    "Opc.Ua.Di.NodeSet2.xml",
    "Opc.Ua.IA.NodeSet2.xml",
    "Opc.Ua.Machinery.NodeSet2.xml",
    "opc.ua.isa95-jobcontrol.nodeset2.xml",
    "Opc.Ua.Machinery.Jobs.Nodeset2.xml",
    "Opc.Ua.MachineTool.NodeSet2.xml",
    "Opc.Ua.CNC.NodeSet.xml",
    "Opc.Ua.Robotics.NodeSet2.xml",
    "Opc.Ua.PackML.NodeSet2.xml",
)
"""In the order in which they need each other."""


def nodesets() -> Path:
    """The folder with the node sets; installed on first use, and kept."""
    return npm_package(PACKAGE, VERSION) / "node_modules" / PACKAGE / "nodesets"
