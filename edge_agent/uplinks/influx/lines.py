"""Line protocol: how a point is written, whatever it means.

One point is one line. Times are epoch milliseconds. What line protocol cannot carry in every version of the
database is replaced: line breaks by blanks, and backslashes in tags by slashes.
"""

import re
from collections.abc import Mapping
from math import isfinite

FieldValue = float | int | str | None
"""A float stays a float if it is whole; an int is written as an integer. None and NaN are not written."""

LONGEST_TEXT = 8192
"""Characters of a text field; a database takes 64 KiB at most, and a character has up to 4 bytes."""
LONGEST_TAG = 256

_BREAKS = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_KEY = str.maketrans({",": r"\,", "=": r"\=", " ": r"\ "})
_NAME = str.maketrans({",": r"\,", " ": r"\ "})
_TEXT = str.maketrans({"\\": r"\\", '"': r"\""})


def series(measurement: str, tags: Mapping[str, str]) -> str:
    """The part of a line that names its series, up to the fields. Tags without a value are left out."""
    named = ((key, one_line(value).replace("\\", "/").strip()[:LONGEST_TAG]) for key, value in tags.items())
    # Sorted keys spare the database the sorting.
    written = (f",{key.translate(_KEY)}={value.translate(_KEY)}" for key, value in sorted(named) if value)
    return measurement.translate(_NAME) + "".join(written) + " "


def line(head: str, fields: Mapping[str, FieldValue], time_ms: int) -> str | None:
    """The line of a point in the series of `head`; None if there is no field to write."""
    written = ",".join(
        f"{key.translate(_KEY)}={_field(value)}"
        for key, value in fields.items()
        if value is not None and not (isinstance(value, float) and not isfinite(value))
    )
    return f"{head}{written} {time_ms}" if written else None


def _field(value: float | int | str) -> str:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, float):
        return repr(value)
    return f"{int(value)}i"


def text(value: str) -> str:
    """A text field's value with its quotes."""
    return f'"{one_line(value)[:LONGEST_TEXT].translate(_TEXT)}"'


def one_line(value: str) -> str:
    """`value` without line breaks and other control characters."""
    return value if value.isprintable() else _BREAKS.sub(" ", value)
