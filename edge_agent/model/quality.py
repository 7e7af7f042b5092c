"""How far a value can be trusted, as in OPC UA: good, uncertain or bad, with a reason."""

from dataclasses import dataclass
from enum import StrEnum


class QualityLevel(StrEnum):
    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Quality:
    """`reason` is the controller's own where it gave one (`illegal_data_address`, `BadNodeIdUnknown`)."""

    level: QualityLevel
    reason: str


def bad(reason: str) -> Quality:
    return Quality(QualityLevel.BAD, reason)


def uncertain(reason: str) -> Quality:
    return Quality(QualityLevel.UNCERTAIN, reason)
