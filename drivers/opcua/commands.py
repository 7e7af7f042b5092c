"""`edge-agent opcua …`: commands for the technician who commissions a server."""

import click

from drivers.opcua.commands_finding import browse, read, watch
from drivers.opcua.commands_machines import machines
from drivers.opcua.commands_trust import discover, trust


@click.group()
def opcua() -> None:
    """Find your way on an OPC UA server. 浏览、读取 OPC UA 服务器。

    \b
      edge-agent opcua discover opc.tcp://192.168.0.10    endpoints, logins and the server's certificate
      edge-agent opcua trust                              which certificates are trusted, and accept one
      edge-agent opcua machines opc.tcp://192.168.0.10    which machines are there, and how to configure them
      edge-agent opcua browse opc.tcp://192.168.0.10      the server's nodes as a tree
      edge-agent opcua read URL NODE...                   values now
      edge-agent opcua watch URL NODE...                  values as they change, until Ctrl-C

    A NODE is a NodeId (nsu=http://example.com/machine;s=Axis.Load, or ns=2;i=1001) or a browse path
    (/Objects/Machines/Lathe). Nothing is ever written to a server. 只读，从不写入。
    """


for _command in (discover, trust, machines, browse, read, watch):
    opcua.add_command(_command)
