"""Targets as people write them."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.discovery.addresses import MOST, addresses


def test_targets_in_their_order_each_address_once() -> None:
    targets = ["192.168.0.20-22", "192.168.0.21", "10.0.0.0/30", "10.0.0.9-10.0.0.10", "localhost", "::1"]
    assert addresses(targets) == [
        "192.168.0.20", "192.168.0.21", "192.168.0.22",
        "10.0.0.1", "10.0.0.2", "10.0.0.9", "10.0.0.10", "127.0.0.1", "::1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("192.168.0.300", "no address"),
        ("192.168.0", "no address"),
        ("192.168.0.40-20", "before the first"),
        ("192.168.0.20-300", "192.168.0.300"),
        ("192.168.0.0/33", "192.168.0.0/33"),
        ("10.0.0.0/8", "more than"),
        ("fd00::/64", "more than"),
        ("0.0.0.0", "nobody's own"),  # noqa: S104 - refused
        ("224.0.0.251", "nobody's own"),
        ("255.255.255.255", "nobody's own"),
        ("no-such-host.invalid", "no host of that name"),
        ("", "no host of that name"),
        ("a b", "no host of that name"),
    ],
)
def test_what_is_no_target(target: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        addresses([target])


def test_several_ranges_are_limited_together() -> None:
    with pytest.raises(ValueError, match="more than"):
        addresses([f"10.{number}.0.0/17" for number in range(3)])


@given(st.ip_addresses(v=4, network="10.0.0.0/8"), st.integers(24, 32))
def test_a_network_has_its_hosts_and_no_other(address: ipaddress.IPv4Address, prefix: int) -> None:
    network = ipaddress.ip_network(f"{address}/{prefix}", strict=False)
    found = addresses([f"{address}/{prefix}"])
    assert len(found) <= min(MOST, network.num_addresses)
    assert all(ipaddress.ip_address(one) in network for one in found)
    if prefix < 31:
        assert str(network[0]) not in found
        assert str(network[-1]) not in found
