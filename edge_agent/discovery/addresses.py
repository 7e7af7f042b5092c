"""The addresses that somebody named: single ones, ranges and networks, as IP addresses."""

import ipaddress
import re
import socket
from collections.abc import Iterable, Iterator

USUAL_MOST = 256
"""Addresses in all that are looked at without being asked for expressly: a class C network."""
MOST = 65_536

_RANGE = re.compile(r"(?P<first>[0-9.]+)-(?P<last>[0-9.]+)")
_EXPECTED = "an address (192.168.0.20), a range (192.168.0.20-40), a network (192.168.0.0/24) or a host name"


def addresses(targets: Iterable[str]) -> list[str]:
    """Every address of `targets`, each once, in their order. Host names are looked up.

    Raises ValueError for what is no address, for more than `MOST`, and for an address at which nobody in
    particular is.
    """
    found: dict[str, None] = {}
    for target in targets:
        for address in _of(target):
            found[address] = None
            if len(found) > MOST:
                raise ValueError(f"more than {MOST} addresses")
    return list(found)


def _of(target: str) -> Iterator[str]:
    for address in _range(target) or _network(target) or _named(target):
        if (
            address.is_multicast
            or address.is_unspecified
            or address == ipaddress.ip_address("255.255.255.255")
        ):
            raise ValueError(f"{target}: {address} is nobody's own address")
        yield str(address)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _range(target: str) -> Iterable[_Address]:
    match = _RANGE.fullmatch(target)
    if match is None:
        return ()
    last_text = match["last"]
    if "." not in last_text:
        last_text = f"{match['first'].rpartition('.')[0]}.{last_text}"
    try:
        first, last = ipaddress.IPv4Address(match["first"]), ipaddress.IPv4Address(last_text)
    except ValueError as error:
        raise ValueError(f"{target}: {error}; expected {_EXPECTED}") from None
    if last < first:
        raise ValueError(f"{target}: the last address is before the first")
    return map(ipaddress.IPv4Address, range(int(first), int(last) + 1))


def _network(target: str) -> Iterable[_Address]:
    if "/" not in target:
        return ()
    try:
        network = ipaddress.ip_network(target, strict=False)
    except ValueError as error:
        raise ValueError(f"{target}: {error}; expected {_EXPECTED}") from None
    if network.num_addresses > MOST:
        raise ValueError(f"{target}: {network.num_addresses} addresses, more than {MOST}")
    return network.hosts()


def _named(target: str) -> Iterable[_Address]:
    try:
        return [ipaddress.ip_address(target)]
    except ValueError:
        pass
    if re.fullmatch(r"[0-9.]+", target):  # a mistyped address would be looked up, and perhaps found
        raise ValueError(f"{target}: no address; expected {_EXPECTED}")
    unknown = ValueError(f"{target}: no host of that name is known; expected {_EXPECTED}")
    if not target:  # which Windows takes for this computer
        raise unknown
    try:
        answers = socket.getaddrinfo(target, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise unknown from None
    return [ipaddress.ip_address(answers[0][4][0])]
