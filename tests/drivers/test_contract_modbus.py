"""The Modbus driver over the shared contract."""

from tests.drivers.contract import DriverContract
from tests.drivers.harness import Harness
from tests.drivers.modbus.harness import ModbusHarness


class TestModbusContract(DriverContract):
    def harness(self) -> Harness:
        return ModbusHarness()
