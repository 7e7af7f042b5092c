"""OPC UA: subscriptions to the variables of a server; read only."""

from drivers.opcua.driver import OpcuaDriver

__all__ = ["OpcuaDriver"]
