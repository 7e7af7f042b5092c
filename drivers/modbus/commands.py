"""`edge-agent modbus …`: commands for the technician who commissions a device."""

import click

from drivers.modbus.commands_read import read
from drivers.modbus.commands_scan import addresses, units


@click.group()
def modbus() -> None:
    """Find your way on a Modbus device. 读取、扫描 Modbus 设备。

    \b
      edge-agent modbus scan units --serial /dev/ttyUSB0          which units are on the line
      edge-agent modbus scan addresses 192.168.0.20 --unit 1      which registers a unit has, as a tag list
      edge-agent modbus read 192.168.0.20 --address 0             a value by hand, of any type

    HOST is a device or a gateway, with its port if that is not 502 (802 with TLS); --serial DEVICE is a port
    of this computer. While the agent runs it keeps its serial ports to itself: stop it first.
    Nothing is ever written to a device. 只读，从不写入。
    """


@modbus.group()
def scan() -> None:
    """Find units, and the addresses of one unit. 扫描站号和地址。

    Slow by default, as scanning takes time from whoever else uses the line. Ctrl-C shows what was found
    until then.
    """


modbus.add_command(read)
scan.add_command(units)
scan.add_command(addresses)
