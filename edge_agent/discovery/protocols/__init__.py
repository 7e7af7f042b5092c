"""Protocols that no driver reads yet: each module recognises one, and knows nothing to read from it."""

from edge_agent.discovery.protocols.ethernet_ip import EthernetIpRecogniser
from edge_agent.discovery.protocols.focas import FocasRecogniser
from edge_agent.discovery.protocols.http import HttpRecogniser
from edge_agent.discovery.protocols.lsv2 import Lsv2Recogniser
from edge_agent.discovery.protocols.mtconnect import MtconnectRecogniser
from edge_agent.discovery.protocols.s7 import S7Recogniser
from edge_agent.discovery.protocols.slmp import SlmpRecogniser
from edge_agent.driver import driver_names, load_driver
from edge_agent.model.found import Recogniser


def recognisers() -> list[Recogniser]:
    """Those of the installed drivers, then those that only recognise."""
    of_drivers = [load_driver(name).recogniser() for name in driver_names()]
    return [
        *(one for one in of_drivers if one is not None),
        MtconnectRecogniser(),
        S7Recogniser(),
        FocasRecogniser(),
        EthernetIpRecogniser(),
        SlmpRecogniser(),
        Lsv2Recogniser(),
        HttpRecogniser(),
    ]
