"""Modbus over TCP, TLS and serial lines; read only."""

from drivers.modbus.driver import ModbusDriver

__all__ = ["ModbusDriver"]
