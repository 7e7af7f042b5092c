"""Which equipment of the register each found machine is, with how sure that is and why."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from functools import cache

import numpy as np

from edge_agent.matching.assignment import assign
from edge_agent.matching.machines import Machine
from edge_agent.matching.makers import makers
from edge_agent.model.equipment import Equipment

NAMED, SERIAL, MODEL, NEAR_MODEL, MAKER, KIND, EXPECTED = 0.95, 0.95, 0.5, 0.3, 0.25, 0.1, 0.02
"""What each reason counts; the last one, that it may be on a network at all, is too little to be told."""
ORDER = 0.01
BY_ORDER = "仅按次序 by order only"
LIKELY = 0.45
"""From here on a proposal is more than a guess, if no other is about as good."""
AHEAD = 0.15
"""By so much the best has to be ahead of the next to be more than a guess."""
_NEAR = 0.8
_SHORTEST_SERIAL, _SHORTEST_MODEL, _SHORTEST_NAME, _SHORTEST_NUMBER = 5, 3, 3, 4
_WORDS = re.compile(r"[^\W_]+(?:[-./][^\W_]+)*")


class Confidence(Enum):
    """The surest first."""

    CONFIGURED = "configured"
    """A connection of the configuration leads there."""
    DECIDED = "decided"
    """Somebody has said so."""
    CERTAIN = "certain"
    LIKELY = "likely"
    GUESS = "guess"

    @property
    def to_be_written(self) -> bool:
        """Whether it may stand in a configuration without being looked at first."""
        return self in (Confidence.DECIDED, Confidence.CERTAIN, Confidence.LIKELY)


@dataclass(frozen=True, slots=True)
class Proposal:
    machine: Machine
    equipment: Equipment
    confidence: Confidence
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matching:
    proposals: tuple[Proposal, ...]
    """In the order of the machines."""
    strangers: tuple[Machine, ...]
    """Found, and no equipment of the register."""
    missing: tuple[Equipment, ...]
    """Of the register, without connection and without machine, in its order."""


def match(
    equipment: Sequence[Equipment],
    found: Sequence[Machine],
    day: date,
    configured: Mapping[int, str],
    decided: Mapping[int, str],
    served: frozenset[str],
) -> Matching:
    """Propose for each machine which equipment it is.

    `configured` and `decided`: ids of equipment by the index of the machine; "" where a connection of several
    leads there, and where somebody has decided that it is none of the register.
    `served`: ids of all equipment that connections of the configuration serve. Equipment that is not in
    service on `day` is proposed for nobody.
    """
    by_id = {one.id: one for one in equipment}
    proposals: dict[int, Proposal] = {}
    for known, confidence in ((decided, Confidence.DECIDED), (configured, Confidence.CONFIGURED)):
        for index, name in known.items():
            if name in by_id:
                proposals[index] = Proposal(found[index], by_id[name], confidence, ())
    settled = {*configured, *decided}
    taken = served | {one.equipment.id for one in proposals.values()}
    open_machines = [index for index in range(len(found)) if index not in settled]
    candidates = [one for one in equipment if one.id not in taken and one.in_service(day)]
    proposals |= _propose(found, open_machines, candidates)
    matched = taken | {one.equipment.id for one in proposals.values()}
    return Matching(
        tuple(proposals[index] for index in sorted(proposals)),
        tuple(one for index, one in enumerate(found) if index not in proposals and index not in configured),
        tuple(one for one in equipment if one.id not in matched),
    )


def _propose(
    found: Sequence[Machine], indexes: Sequence[int], candidates: Sequence[Equipment]
) -> dict[int, Proposal]:
    if not indexes or not candidates:
        return {}
    judged = [[judge(found[index], one) for one in candidates] for index in indexes]
    scores = np.array([[sum(part for part, _ in reasons) for reasons in row] for row in judged])
    # Among equals the order of the register goes along with that of the addresses.
    places = np.linspace(0, 1, len(indexes))[:, None] - np.linspace(0, 1, len(candidates))[None, :]
    proposals: dict[int, Proposal] = {}
    for row, column in assign(scores - ORDER * places**2):
        score = scores[row, column]
        if score <= 0:
            continue
        rivals = [*np.delete(scores[row], column), *np.delete(scores[:, column], row)]
        ahead = score - max(rivals, default=0.0)
        proposals[indexes[row]] = Proposal(
            found[indexes[row]],
            candidates[column],
            _confidence(score, ahead),
            tuple(why for _, why in judged[row][column] if why) or (BY_ORDER,),
        )
    return proposals


def _confidence(score: float, ahead: float) -> Confidence:
    if ahead < AHEAD or score < LIKELY:
        return Confidence.GUESS
    return Confidence.CERTAIN if score >= NAMED else Confidence.LIKELY


def judge(machine: Machine, equipment: Equipment) -> list[tuple[float, str]]:
    """What speaks for `machine` being `equipment`: how strongly, and why. Nothing: it cannot be."""
    found = machine.found
    said = " ".join(machine.texts)
    register = (equipment.id, equipment.name, equipment.nc_ground, equipment.handle, equipment.kind)
    of_machine, of_register = makers(machine.texts), makers(register)
    if of_machine and of_register and not of_machine & of_register:
        return []
    if "robot" in machine.kinds and not equipment.robot:
        return []
    reasons: list[tuple[float, str]] = []
    own_name = _own_name(equipment.id)
    if own_name is not None and own_name.search(f"{found.part} {found.name}"):
        reasons.append((NAMED, f"自称 names itself {equipment.id}"))
    elif len(equipment.name) > 1 and equipment.name in (found.part, found.name):
        reasons.append((NAMED, f"自称 names itself {equipment.name}"))
    if _has_serial(machine, register):
        reasons.append((SERIAL, f"序列号 serial number {found.serial_number}"))
    models = [
        _plain(one.model) for one in (found, *machine.also) if len(_plain(one.model)) >= _SHORTEST_MODEL
    ]
    known = _plain(" ".join(register[1:4]))
    grounds = [
        _plain(word) for word in _WORDS.findall(equipment.nc_ground) if len(_plain(word)) >= _SHORTEST_MODEL
    ]
    grounds = [word for word in grounds if any(map(str.isdigit, word))]
    if any(model in known for model in models) or any(ground in _plain(said) for ground in grounds):
        reasons.append((MODEL, "型号一致 model"))
    elif grounds and models and _nearest(models, grounds) >= _NEAR:
        reasons.append((NEAR_MODEL, "型号相近 model is near"))
    if of_machine & of_register:
        reasons.append((MAKER, f"厂商 maker {', '.join(sorted(of_machine & of_register))}"))
    if "robot" in machine.kinds or ("machine_tool" in machine.kinds and equipment.nc):
        reasons.append((KIND, "类别 kind"))
    if equipment.should_connect:
        reasons.append((EXPECTED, ""))
    if equipment.digital or equipment.nc:
        reasons.append((EXPECTED, ""))
    return reasons


@cache
def _own_name(id: str) -> re.Pattern[str] | None:
    """Finds `id` as a name of its own, whatever divides its parts; None if it is too short to mean anything:
    a 3 may be any number."""
    parts = re.findall(r"[^\W_]+", id)
    if len(_plain(id)) < (_SHORTEST_NUMBER if _plain(id).isdigit() else _SHORTEST_NAME):
        return None
    name = r"[\W_]?".join(map(re.escape, parts))
    return re.compile(rf"(?<![^\W_]){name}(?![^\W_])", re.IGNORECASE)


def _has_serial(machine: Machine, register: Sequence[str]) -> bool:
    texts = [_plain(text) for text in register]
    serials = [_plain(one.serial_number) for one in (machine.found, *machine.also)]
    return any(len(one) >= _SHORTEST_SERIAL and any(one in text for text in texts) for one in serials)


def _nearest(models: Sequence[str], grounds: Sequence[str]) -> float:
    return max(difflib.SequenceMatcher(None, model, ground).ratio() for model in models for ground in grounds)


@cache
def _plain(text: str) -> str:
    """`text` in small letters without blanks and signs: 0i-TF and 0I TF are the same."""
    return re.sub(r"[\W_]+", "", text).casefold()
