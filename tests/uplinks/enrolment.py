"""The region of `examples/authority.py`, for tests."""

import importlib.util
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from edge_agent.contract.enrolment import Gateway

EXAMPLE = Path(__file__).parents[2] / "examples" / "authority.py"


@cache
def authority_module() -> Any:
    spec = importlib.util.spec_from_file_location("authority", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def certificate_of(
    authority: Any, gateway: Gateway, key: Any, days: int = 30, begun_days: int = 10, **named: Any
) -> x509.Certificate:
    """A certificate that ends in `days`, whatever would be wrong with it."""
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(named.get("subject", gateway.subject))
        .issuer_name(authority.certificate.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=begun_days))
        .not_valid_after(now + timedelta(days=days))
    )
    for extension in named.get("extensions", ()):
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(authority._key, SHA256())
