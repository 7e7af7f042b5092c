"""MTConnect agents: the devices that `/probe` lists.

Source: MTConnect part 1, the probe request and the MTConnectDevices document.
"""

from collections.abc import AsyncGenerator, Iterator
from typing import ClassVar, cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from edge_agent.discovery.http import get
from edge_agent.model.found import Found, Place, Recogniser

_MOST = 2_000_000
_AT_ONCE = 16 * 1024
_MOST_DEVICES = 64


class MtconnectRecogniser(Recogniser):
    protocol: ClassVar[str] = "mtconnect"
    ports: ClassVar[tuple[int, ...]] = (5000,)
    asks: ClassVar[str] = "读取 /probe（设备清单） gets /probe, the list of its devices"

    async def recognise(self, place: Place, limit: float) -> AsyncGenerator[Found, None]:
        answer = await get(place, "/probe", limit, _MOST)
        if answer is None:
            return
        for name, serial, said in _devices(answer.body.decode("utf-8", "replace")):
            yield Found(
                protocol="mtconnect",
                host=place.host,
                where=f"http://{place}/probe",
                part=name,
                maker=said.get("manufacturer", ""),
                model=said.get("model", ""),
                serial_number=said.get("serialNumber", "") or serial,
                kind="machine_tool",
            )


def _devices(document: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Name, serial number and description of each device, as far as the document can be read.

    A document with definitions of its own is none: that is how a small one unfolds to a huge one.
    """
    if "<!DOCTYPE" in document or "<!ENTITY" in document:
        return
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    device: Element | None = None
    count, is_probe = 0, False
    try:
        for at in range(0, len(document), _AT_ONCE):
            parser.feed(document[at : at + _AT_ONCE])
            for event, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
                local = element.tag.rpartition("}")[2]
                if event == "start":
                    is_probe = is_probe or local == "MTConnectDevices"
                    if local == "Device":
                        device = element
                elif local == "Device" and is_probe:
                    yield _told(element)
                    device, count = None, count + 1
                    if count == _MOST_DEVICES:
                        return
                elif device is None or local != "Description":
                    element.clear()
    except ParseError:
        return


def _told(device: Element) -> tuple[str, str, dict[str, str]]:
    said: dict[str, str] = {}
    for child in device:
        if child.tag.rpartition("}")[2] == "Description":
            said = {name: text for name, text in child.attrib.items() if text.strip()}
    return device.get("name", ""), device.get("serialNumber", ""), said
