"""The durable queue between acquisition and everything northbound; each uplink has its own cursor."""
