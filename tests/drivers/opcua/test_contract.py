"""The shared contract, over asyncua's server."""

from tests.drivers.contract import DriverContract
from tests.drivers.harness import Harness
from tests.drivers.opcua.harness import OpcuaHarness


class TestOpcuaContract(DriverContract):
    def harness(self) -> Harness:
        return OpcuaHarness()
