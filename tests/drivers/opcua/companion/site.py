"""A configuration as a technician writes it, loaded as the agent does."""

from pathlib import Path

from drivers.opcua.options import OpcuaConnection
from edge_agent.config import load_site

_GATEWAY = """\
gateway: {id: gw, region: "330300", enterprise: 91330300MA00DEM06A}
register: register.csv
"""


def connection_of(folder: Path, connections: str) -> OpcuaConnection:
    """The only connection of a configuration whose `connections` are written as given."""
    ids = [line.split("id:")[1].split("#")[0].strip() for line in connections.splitlines() if "- id:" in line]
    rows = "".join(f"{name},{name},hall\n" for name in ids)
    (folder / "register.csv").write_text(f"id,name,workshop\n{rows}", encoding="utf-8")
    (folder / "site.yaml").write_text(_GATEWAY + connections, encoding="utf-8")
    (connection,) = load_site(folder / "site.yaml").connections
    assert isinstance(connection, OpcuaConnection)
    return connection
