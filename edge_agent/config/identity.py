"""Codes that Chinese authorities give out, and how a mistyped one shows."""

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Characters of a unified social credit code in the order of their values (GB 32100-2015, table 2)."""

_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))

_PROVINCES = frozenset(
    str(code)
    for first, last in ((11, 15), (21, 23), (31, 37), (41, 46), (50, 54), (61, 65), (71, 71), (81, 82))
    for code in range(first, last + 1)
)
"""First two digits of an administrative division code (GB/T 2260)."""


def credit_code_check_digit(first_17: str) -> str:
    """The 18th character of a unified social credit code (GB 32100-2015).

    Raises ValueError unless `first_17` are 17 characters of the code's alphabet.
    """
    if len(first_17) != len(_WEIGHTS):
        raise ValueError("17 characters come before the check digit")
    total = sum(_ALPHABET.index(char) * weight for char, weight in zip(first_17, _WEIGHTS, strict=True))
    return _ALPHABET[-total % 31]


def credit_code(value: str) -> str:
    """`value` if it is a unified social credit code with the right check digit; else ValueError."""
    if len(value) != 18:
        raise ValueError(f"expected 18 characters (GB 32100-2015), not {len(value)}")
    strange = sorted({char for char in value if char not in _ALPHABET})
    if strange:
        raise ValueError(
            "expected digits and capital letters without I, O, S, V, Z (GB 32100-2015), not "
            + " ".join(strange)
        )
    if credit_code_check_digit(value[:17]) != value[17]:
        raise ValueError(
            "expected a code whose last character is its check digit (GB 32100-2015); a character is mistyped"
        )
    return value


def region_code(value: str) -> str:
    """`value` if it is a 6-digit administrative division code (GB/T 2260); else ValueError."""
    if len(value) != 6 or not (value.isascii() and value.isdigit()):
        raise ValueError("expected the 6 digits of an administrative division code, such as 330300")
    if value[:2] not in _PROVINCES:
        raise ValueError(f"expected an administrative division code; no province has the code {value[:2]}")
    return value
