"""Checks statements on any computer: `python verifier.py FILE [--key PUBLIC]`.

FILE is an evidence file that `edge-agent statements export` wrote, or one message of the kinds
`fta.statement/1` and `fta.indicator/1` as it came over MQTT.

This file stands alone: it knows nothing of the agent, its database or its code, and may be copied anywhere.
It needs Python 3.11, `cryptography` and `rfc8785`, and `common-expression-language` to evaluate the filters
of definitions.

Exit status: 0 everything was checked and is right, 1 something is wrong, 2 the file cannot be read, or
nothing is wrong and not everything could be checked.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from fractions import Fraction
from functools import cache
from hashlib import sha256
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import rfc8785
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

try:
    import cel
except ImportError:
    cel = None  # type: ignore[assignment]

FILE_SCHEMA = "fta.evidence/1"
RECORD_SCHEMA = "fta.statement/1"
MOMENT_SCHEMA = "fta.indicator/1"

UNSIGNED = {"seq", "after", "signature", "evidence", "equipment", "processes"}
"""Members of a message that its signature does not cover. The roots that it covers cover the evidence."""

EQUIPMENT_DEFAULTS: dict[str, Any] = {
    "asset_value": None,
    "processes": [],
    "connect_reason": "",
    "handle": "",
    "tenant": "",
    "calendar": "",
    "robot": False,
}
"""Columns of the register that a line leaves out where they are not filled."""

NO_FILTER = {"commissioned", "retired", "asset_value"}
"""Columns that filters cannot ask for: dates decide by themselves, and a value weighs."""

KNOWN_OF_DEFINITION = {
    "id", "version", "title", "standing", "source", "effective", "counts", "weight", "unit", "aggregation",
    "denominator", "numerator", "connected",
}  # fmt: skip
KNOWN_OF_CONNECTED = {"level", "window", "good_readings", "planned_share"}
NO_PLAN = ("calendar_missing", "holidays_unknown", "nothing_planned")
LEVELS = ("registered", "reachable", "data_valid", "live")
PER_HEAD = "per_10000_employees"


@dataclass(frozen=True)
class Wrong:
    """A check of `what` failed at `where`."""

    what: str
    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


@dataclass
class Report:
    """What was found; texts have Chinese and English."""

    checked: dict[str, int] = field(default_factory=dict)
    wrong: list[Wrong] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    """What could not be checked, and why."""
    notes: list[str] = field(default_factory=list)

    def check(self, what: str, holds: bool, where: str, failure: str) -> bool:
        """Count a check of `what`; where it fails, say so."""
        self.checked[what] = self.checked.get(what, 0) + 1
        if not holds:
            self.wrong.append(Wrong(what, where, failure))
        return holds

    def leave(self, text: str) -> None:
        if text not in self.left:
            self.left.append(text)

    @property
    def failures(self) -> list[str]:
        return [str(one) for one in self.wrong]

    @property
    def status(self) -> int:
        return 1 if self.wrong else 2 if self.left else 0


CANONICAL = "规范格式 canonical form"
SIGNATURE = "签名 signatures"
CHAIN = "链 chain"
SUPERSESSION = "替代 supersession"
REGISTER = "台账 registers"
DEFINITION = "口径原文 texts of definitions"
ROOT = "证据根 Merkle roots"
COUNT = "分子、分母、比率 numerators, denominators, rates"
JUDGEMENT = "逐台判定 judgements of lines"


class UnreadableError(Exception):
    """The file is nothing that can be checked."""


def verify(data: bytes, keys: Sequence[str] = ()) -> Report:
    """Check a file's content; `keys` are the public keys (hex) that are trusted. Raises UnreadableError."""
    try:
        content = json.loads(data)
        schema = content["schema"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableError(f"不是声明或证据文件 no statement and no evidence file: {error}") from error
    report = Report()
    if schema not in (FILE_SCHEMA, RECORD_SCHEMA, MOMENT_SCHEMA):
        raise UnreadableError(f"未知格式 unknown schema: {schema!r}")
    try:
        if schema == FILE_SCHEMA:
            _File(content, data, report).check()
        else:
            _check_message(content, report)
    except Exception as error:
        # Whoever wrote the file wrote something else than what is said to be in it.
        text = f"内容不全或类型不符 a member is missing or of a wrong type: {error!r}"
        report.wrong.append(Wrong(CANONICAL, "文件 file", text))
    _check_keys(content, keys, report)
    return report


def _check_message(message: Mapping[str, Any], report: Report) -> None:
    where = "声明 statement"
    _check_signature(message, where, report)
    evidence = message["evidence"] if message["schema"] == RECORD_SCHEMA else message
    lines = evidence.get("processes") or evidence.get("equipment", [])
    _check_figures(message, lines, None, where, report)
    if "rule" in evidence:
        _read_rule(message, evidence["rule"], where, report)
    report.leave("单条消息不含台账与链 a single message has neither the register nor the chain")


def _check_keys(content: Mapping[str, Any], keys: Sequence[str], report: Report) -> None:
    members = content.get("statements")
    signed = [content, *(members if isinstance(members, list) else [])]
    named = dict.fromkeys(
        one["key"] for one in signed if isinstance(one, dict) and isinstance(one.get("key"), str)
    )
    for key in named:
        if keys:
            report.check(
                SIGNATURE, key in keys, f"公钥 key {key}", "不是给定的公钥 is not the key that was given"
            )
        else:
            report.notes.append(
                "未核对公钥，请与网关状态中的公钥比对 key not compared, hold it against that in "
                f"the gateway's status: {key}"
            )


class _File:
    """An evidence file."""

    def __init__(self, content: Mapping[str, Any], data: bytes, report: Report) -> None:
        self._content = content
        self._data = data
        self._report = report
        self._statements: list[dict[str, Any]] = content["statements"]
        self._registers: dict[str, Mapping[str, Any]] = {}
        self._filtered: dict[tuple[str, str, str], bool] = {}

    def check(self) -> None:
        report = self._report
        report.check(
            CANONICAL,
            _canonical(self._content) == self._data,
            "文件 file",
            "不是逐字节的规范格式，有改动 is not in canonical form byte for byte: it was changed",
        )
        _check_signature(self._content, "文件 file", report, whole=True)
        for register in self._content["registers"]:
            self._check_register(register)
        for one in self._statements:
            if "signature" in one:
                _check_signature(one, _name(one), report)
        self._check_chain()
        self._check_supersession()
        for one in self._statements:
            if "evidence" in one:
                self._check_evidence(one)

    def _check_register(self, register: Mapping[str, Any]) -> None:
        where = f"台账 register {str(register['version'])[:12]}"
        digest = _digest(register["equipment"])
        version = _digest(
            {
                "digest": digest,
                "headcount": register["headcount"],
                "processes": register["processes"],
            }
        )
        holds = (digest, version) == (register["digest"], register["version"])
        if self._report.check(
            REGISTER, holds, where, "台账内容与其摘要不符 its lines do not give its digest: it was changed"
        ):
            self._registers[version] = register

    def _check_chain(self) -> None:
        report = self._report
        before: dict[str, Any] | None = None
        for one in self._statements:
            if before is not None:
                self._check_link(before, one)
            elif one["number"] == 1 and "signature" in one:
                failure = "第一条不应有前一条 the first has none before it"
                report.check(CHAIN, one["previous"] is None, _name(one), failure)
            if "signature" not in one:
                text = "他类声明，仅有摘要 of another kind, here by its digest alone"
                report.notes.append(f"{_name(one)}: {text}")
            before = one

    def _check_link(self, before: Mapping[str, Any], one: Mapping[str, Any]) -> None:
        missing = _between(before["number"], one["number"])
        follows = self._report.check(
            CHAIN,
            one["number"] == before["number"] + 1,
            _name(one),
            f"编号不连续，缺少 {missing} numbers are not consecutive, missing: {missing}",
        )
        if follows and "signature" in one:
            self._report.check(
                CHAIN,
                one["previous"] == _digest_of(before),
                _name(one),
                f"与前一条的摘要不符，第 {before['number']} 号有改动或被替换 previous is not the digest "
                f"of statement {before['number']}: that one was changed or exchanged",
            )

    def _check_supersession(self) -> None:
        report = self._report
        known = {one["number"]: one for one in self._statements}
        newest: dict[tuple[Any, ...], int] = {}
        first = self._statements[0]["number"] if self._statements else 0
        for one in self._statements:
            if "signature" not in one:
                continue
            where = _name(one)
            period = tuple(one[name] for name in ("schema", "subject", "period", "from", "to"))
            told, expected = one["supersedes"], newest.get(period)
            newest[period] = one["number"]
            if told is None:
                report.check(
                    SUPERSESSION,
                    expected is None,
                    where,
                    f"未说明替代第 {expected} 号 does not say that it supersedes statement {expected}",
                )
            elif told["number"] < first:
                if "evidence" in one:
                    report.leave(
                        f"{where}: 所替代的第 {told['number']} 号不在文件中 supersedes statement "
                        f"{told['number']}, which is not in the file"
                    )
            else:
                other = known.get(told["number"])
                holds = (
                    told["number"] == expected and other is not None and told["digest"] == _digest_of(other)
                )
                report.check(
                    SUPERSESSION,
                    holds,
                    where,
                    f"所替代的第 {told['number']} 号不符 what it supersedes is not statement "
                    f"{told['number']} as it is here",
                )

    def _check_evidence(self, one: Mapping[str, Any]) -> None:
        where, evidence = _name(one), one["evidence"]
        rule = _read_rule(one, evidence["rule"], where, self._report)
        register = self._registers.get(one["register_version"])
        self._report.check(
            REGISTER,
            register is not None and register["digest"] == one["register_digest"],
            where,
            "文件中没有它所依据的台账 the register that it was counted on is not in the file",
        )
        of_processes = one["definition"].get("counts") == "process"
        lines = evidence["processes" if of_processes else "equipment"]
        _check_figures(one, lines, register, where, self._report)
        if rule is not None and register is not None:
            _Judge(one, rule, register, self._report, self._filtered).check(lines)


def _check_signature(message: Mapping[str, Any], where: str, report: Report, *, whole: bool = False) -> None:
    left_out = {"signature"} if whole else UNSIGNED
    signed = _canonical({name: value for name, value in message.items() if name not in left_out})
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(message["key"]))
        key.verify(bytes.fromhex(message["signature"]), signed)
        holds = message["signature"] == message["signature"].lower()
    except (InvalidSignature, ValueError, TypeError):
        holds = False
    report.check(
        SIGNATURE,
        holds,
        where,
        "签名无效：内容有改动，或由另一把私钥签署 the signature is not valid: it was changed, or signed with "
        "another key",
    )


def _check_figures(
    one: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    register: Mapping[str, Any] | None,
    where: str,
    report: Report,
) -> None:
    """Roots, counts and rates of every scope."""
    definition = one["definition"]
    of_processes = definition.get("counts") == "process"
    ids = [str(line["process" if of_processes else "equipment"]) for line in lines]
    report.check(
        JUDGEMENT,
        ids == sorted(set(ids)),
        where,
        "证据行未按编号排列或有重复 lines of evidence are not in the order of their ids, or doubled",
    )
    hashed = [(line, sha256(b"\x00" + _canonical(line)).digest()) for line in lines]
    scopes = []
    for figure in one["figures"]:
        scope = figure["scope"]
        scopes.append((scope["level"], scope.get("workshop", ""), scope["id"]))
        members = [(line, digest) for line, digest in hashed if _within(scope, line)]
        what = f"{where}, {scope['id']}"
        report.check(
            ROOT,
            _root([digest for _, digest in members]) == figure["evidence"],
            what,
            "证据行与证据根不符，有改动、缺失或换位 lines of evidence do not give the root: changed, "
            "missing or out of order",
        )
        _check_counts(figure, [line for line, _ in members], definition, register, what, report)
    if register is not None:
        report.check(
            COUNT,
            sorted(scopes[1:]) == sorted(_scopes(register, of_processes)) and scopes[0][0] == "enterprise",
            where,
            "范围与台账的车间、产线不符 scopes are not those of the register's workshops and lines",
        )


def _check_counts(
    figure: Mapping[str, Any],
    lines: Sequence[Mapping[str, Any]],
    definition: Mapping[str, Any],
    register: Mapping[str, Any] | None,
    where: str,
    report: Report,
) -> None:
    numerator = sum(line.get("weight", 1) for line in lines if line["in_numerator"])
    denominator = sum(line.get("weight", 1) for line in lines if line["in_denominator"])
    whole = figure["scope"]["level"] == "enterprise"
    if definition.get("unit") == PER_HEAD:
        denominator = figure["denominator"]
        if register is not None:
            denominator = (register["headcount"] or 0) if whole else 0
    report.check(
        COUNT,
        (numerator, denominator) == (figure["numerator"], figure["denominator"]),
        where,
        f"由证据得 {numerator}/{denominator}，声明为 {figure['numerator']}/{figure['denominator']} the lines "
        f"give {numerator}/{denominator}, the statement says {figure['numerator']}/{figure['denominator']}",
    )
    reason = figure.get("reason", "")
    rate = figure["rate"]
    fits = rate is None if reason else bool(figure["denominator"]) and not isinstance(rate, bool)
    if fits and not reason:
        fits = rate == figure["numerator"] / figure["denominator"]
    report.check(
        COUNT,
        fits,
        where,
        f"比率 {rate} 不是分子除以分母 the rate {rate} is not numerator by denominator",
    )
    unknown = sum(line["in_denominator"] and line.get("state") == "unknown" for line in lines)
    report.check(
        COUNT,
        unknown == figure["unknown"],
        where,
        f"未知台数应为 {unknown} the lines have {unknown} of unknown state, not {figure['unknown']}",
    )


def _read_rule(one: Mapping[str, Any], text: str, where: str, report: Report) -> dict[str, Any] | None:
    """The definition that the statement was counted by; None if it is not, or not one that is known here."""
    holds = sha256(text.encode()).hexdigest() == one["definition"]["digest"]
    rule: dict[str, Any] = json.loads(text) if holds else {}
    holds = holds and rule.get("id") == one["definition"]["id"]
    if not report.check(
        DEFINITION, holds, where, "口径原文与其摘要不符 the text of the definition does not give its digest"
    ):
        return None
    unknown = set(rule) - KNOWN_OF_DEFINITION | set(rule.get("connected") or {}) - KNOWN_OF_CONNECTED
    if unknown:
        report.leave(
            f"口径 definition {rule['id']}: 本程序不认识 this program does not know "
            f"{', '.join(sorted(unknown))}; judgements not checked"
        )
        return None
    return rule


@cache
def _compiled(expression: str) -> Any:
    return cel.compile(expression)


class _Judge:
    """Judges every line anew: what the register, the dates, the filters and the evidence make of it."""

    def __init__(
        self,
        one: Mapping[str, Any],
        rule: Mapping[str, Any],
        register: Mapping[str, Any],
        report: Report,
        filtered: dict[tuple[str, str, str], bool],
    ) -> None:
        """`filtered` remembers what filters say of a register's line."""
        self._filtered = filtered
        self._one = one
        self._rule = rule
        self._report = report
        self._where = _name(one)
        self._equipment = {line["id"]: {**EQUIPMENT_DEFAULTS, **line} for line in register["equipment"]}
        self._processes = {line["id"]: line for line in register["processes"]}
        self._headcount = register["headcount"]

    def check(self, lines: Sequence[Mapping[str, Any]]) -> None:
        of_processes = self._rule.get("counts") == "process"
        name, members = ("process", self._processes) if of_processes else ("equipment", self._equipment)
        told = [line[name] for line in lines]
        self._report.check(
            JUDGEMENT,
            sorted(told) == sorted(members),
            self._where,
            f"证据行与台账不一一对应 lines and register do not correspond: "
            f"{', '.join(sorted(set(told) ^ set(members))) or 'doubled'}",
        )
        try:
            day = datetime.fromtimestamp((self._one["to"] - 1) // 1000, UTC)
            day = day.astimezone(ZoneInfo(self._one["timezone"]))
        except (ZoneInfoNotFoundError, ValueError):
            zone = self._one["timezone"]
            self._report.leave(f"各行判定：本机没有时区数据 judgements of lines: no data of {zone} here")
            return
        if cel is None:
            self._report.leave(
                "各行判定：未安装 CEL 库 judgements of lines: needs the package common-expression-language"
            )
            return
        judge = self._process if of_processes else self._machine
        for line in lines:
            if line[name] in members:
                expected = judge(members[line[name]], line, day.date())
                wrong = [key for key in {*line, *expected} if line.get(key) != expected.get(key)]
                self._report.check(
                    JUDGEMENT,
                    not wrong,
                    f"{self._where}, {line[name]}",
                    "; ".join(_differs(key, expected.get(key), line.get(key)) for key in sorted(wrong)),
                )
        self._check_reasons(lines, day.date())

    def _machine(self, machine: Mapping[str, Any], line: Mapping[str, Any], day: date) -> dict[str, Any]:
        """The line as it ought to be, by what it says of evidence."""
        rule, connected = self._rule, self._rule.get("connected")
        per_head = rule["denominator"] == "headcount"
        counted = in_numerator = False
        if not _in_service(machine, day):
            reason = "not_in_service"
        elif not (per_head or self._passes(rule["denominator"], machine)):
            reason = "outside_denominator"
        else:
            counted = not per_head
            if not self._passes(rule["numerator"], machine):
                reason = "outside_numerator"
            elif connected and (shortfall := self._shortfall(connected, line)):
                reason = shortfall
            else:
                in_numerator, reason = True, "counted"
        expected = {
            "equipment": machine["id"],
            "workshop": machine["workshop"],
            "in_denominator": counted,
            "in_numerator": in_numerator,
            "reason": reason,
        }
        if machine["line"]:
            expected["line"] = machine["line"]
        if rule.get("weight") == "asset_value":
            value = machine["asset_value"] or 0
            if value != 1:
                expected["weight"] = value
            if counted and machine["asset_value"] is None:
                expected["reason"] = "asset_value_missing"
        return {**expected, **self._evidence(line)}

    def _evidence(self, line: Mapping[str, Any]) -> dict[str, Any]:
        """What the line says was proved, where that does not contradict itself."""
        one, good, last = self._one, line["good_readings"], line["last_good"]
        window = one["evidence_to"] - one["evidence_from"]
        told = {name: line[name] for name in ("state", "link", "good_readings", "last_good")}
        minutes = {name: line[name] for name in ("planned_minutes", "proved_minutes") if name in line}
        possible = (
            type(good) is int
            and good >= 0
            and (last is None or type(last) is int)
            and line["link"] in LEVELS
            and (last is None or last < one["evidence_to"])
            and (good == 0 or (window > 0 and last is not None and last >= one["evidence_from"]))
            and (line["link"] != "live" or last is not None)
            and all(type(one) is int and one > 0 for one in minutes.values())
            and minutes.get("proved_minutes", 0) <= minutes.get("planned_minutes", 0) <= window / 60_000
        )
        self._report.check(
            JUDGEMENT,
            possible,
            f"{self._where}, {line['equipment']}",
            "证据自相矛盾 the evidence contradicts itself",
        )
        return {**told, **minutes}

    def _shortfall(self, connected: Mapping[str, Any], line: Mapping[str, Any]) -> str:
        """Why the machine does not count as connected; empty if it does."""
        if connected.get("window") is None:
            proved = LEVELS.index(line["link"]) >= LEVELS.index(connected["level"])
        else:
            proved = line["good_readings"] >= connected.get("good_readings", 1)
        if not proved:
            return f"link_below_{connected['level']}"
        if connected.get("planned_share") is None:
            return ""
        planned = line.get("planned_minutes", 0)
        if not planned:
            # Which of these it is, the calendar says, which is not in the file.
            return line["reason"] if line["reason"] in NO_PLAN else NO_PLAN[0]
        enough = Fraction(line.get("proved_minutes", 0), planned) >= Fraction(str(connected["planned_share"]))
        return "" if enough else "planned_share_below"

    def _process(self, process: Mapping[str, Any], line: Mapping[str, Any], day: date) -> dict[str, Any]:
        serving = [
            machine
            for _, machine in sorted(self._equipment.items())
            if process["id"] in machine["processes"] and _in_service(machine, day)
        ]
        nc = [machine["id"] for machine in serving if machine["nc"]]
        columns = {**process, "nc_equipment": len(nc), "equipment": len(serving)}
        in_denominator = in_numerator = False
        if not serving:
            reason = "not_in_service"
        elif not self._holds(self._rule["denominator"], columns):
            reason = "outside_denominator"
        else:
            in_denominator = True
            in_numerator = self._holds(self._rule["numerator"], columns)
            reason = "counted" if in_numerator else "outside_numerator"
        return {
            "process": line["process"],
            "workshop": process["workshop"],
            "in_denominator": in_denominator,
            "in_numerator": in_numerator,
            "reason": reason,
            "equipment": [machine["id"] for machine in serving],
            "nc_equipment": nc,
        }

    def _holds(self, expression: str, columns: Mapping[str, Any]) -> bool:
        return bool(_compiled(expression).execute(dict(columns)) is True)

    def _passes(self, expression: str, machine: Mapping[str, Any]) -> bool:
        """The same of an equipment, whose columns never change."""
        known = (self._one["register_version"], expression, machine["id"])
        if known not in self._filtered:
            columns = {name: value for name, value in machine.items() if name not in NO_FILTER}
            self._filtered[known] = self._holds(expression, columns)
        return self._filtered[known]

    def _check_reasons(self, lines: Sequence[Mapping[str, Any]], day: date) -> None:
        """Why there is no rate, where there is none."""
        effective = self._rule.get("effective") or {}
        begin, end = effective.get("from"), effective.get("until")
        holds = (begin is None or date.fromisoformat(begin) <= day) and (
            end is None or day <= date.fromisoformat(end)
        )
        per_head = self._rule.get("unit") == PER_HEAD
        for figure in self._one["figures"]:
            scope = figure["scope"]
            headcount = self._headcount if scope["level"] == "enterprise" else None
            members = (line["reason"] for line in lines if _within(scope, line))
            if per_head and headcount is None:
                reason = "headcount_missing"
            elif "asset_value_missing" in members:
                reason = "asset_value_missing"
            elif not holds:
                reason = "definition_not_in_effect"
            else:
                reason = "" if figure["denominator"] else "denominator_zero"
            self._report.check(
                COUNT,
                reason == figure.get("reason", ""),
                f"{self._where}, {scope['id']}",
                f"无比率的原因应为 the reason why there is no rate ought to be {reason or '-'}",
            )


def _in_service(machine: Mapping[str, Any], day: date) -> bool:
    begin, end = machine["commissioned"], machine["retired"]
    return (begin is None or date.fromisoformat(begin) <= day) and (
        end is None or day < date.fromisoformat(end)
    )


def _within(scope: Mapping[str, Any], line: Mapping[str, Any]) -> bool:
    if scope["level"] == "line":
        return (line["workshop"], line.get("line", "")) == (scope["workshop"], scope["id"])
    return bool(scope["level"] == "enterprise" or line["workshop"] == scope["id"])


def _scopes(register: Mapping[str, Any], of_processes: bool) -> set[tuple[str, str, str]]:
    """All but the enterprise: level, workshop and id."""
    workshops = {("workshop", "", one["workshop"]) for one in register["equipment"]}
    lines = {("line", one["workshop"], one["line"]) for one in register["equipment"] if one["line"]}
    return workshops if of_processes else workshops | lines


def _root(leaves: Sequence[bytes]) -> str:
    """The Merkle tree hash of RFC 6962, 2.1, over hashes of leaves."""
    level = list(leaves)
    if not level:
        return sha256().hexdigest()
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
        level = [*above, level[-1]] if len(level) % 2 else above
    return level[0].hex()


def _canonical(value: Any) -> bytes:
    """RFC 8785; nothing for what cannot be written so."""
    try:
        return rfc8785.dumps(value)
    except ValueError:
        return b""


def _digest(value: Any) -> str:
    return sha256(_canonical(value)).hexdigest()


def _digest_of(one: Mapping[str, Any]) -> str:
    if "signature" not in one:
        return str(one["digest"])
    return _digest({name: value for name, value in one.items() if name not in UNSIGNED})


def name_of(number: int) -> str:
    """What a statement is called where something is wrong with it."""
    return f"第 {number} 号声明 statement {number}"


def _name(one: Mapping[str, Any]) -> str:
    return name_of(one["number"])


def _between(first: Any, last: Any) -> str:
    if not (isinstance(first, int) and isinstance(last, int)) or last <= first + 1:
        return "?"
    return str(first + 1) if last == first + 2 else f"{first + 1}-{last - 1}"


def _differs(name: str, expected: Any, found: Any) -> str:
    ought, told = (json.dumps(value, ensure_ascii=False) for value in (expected, found))
    return f"{name} 应为 {ought}，实为 {told} {name} ought to be {ought} and is {told}"


def show(report: Report, say: Callable[[str], object] = print) -> None:
    """Print what was checked, and what fails."""
    groups: Iterable[tuple[str, Sequence[str]]] = (
        ("错误 wrong", report.failures),
        ("未检查 not checked", report.left),
        ("注意 note", report.notes),
    )
    for what, count in report.checked.items():
        say(f"已检查 checked: {what}: {count}")
    for name, texts in groups:
        for text in texts:
            say(f"{name}: {text}")
    results = {
        0: "结果：全部相符 result: everything is right",
        1: f"结果：{len(report.failures)} 处不符 result: {len(report.failures)} wrong",
        2: "结果：未发现错误，未能全部检查 result: nothing wrong found, not everything could be checked",
    }
    say(results[report.status])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Checks statements 核对指标声明",
        epilog="Exit status: 0 right, 1 wrong, 2 not (all) checked.",
    )
    parser.add_argument("file", type=Path, help="evidence file, or one message 证据文件或一条消息")
    parser.add_argument("--key", action="append", default=[], help="public key that is trusted 可信公钥")
    if sys.platform == "win32":  # where a file or a pipe would get an old code page
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(encoding="utf-8", errors=stream.errors)
    options = parser.parse_args(arguments)
    try:
        report = verify(options.file.read_bytes(), [key.lower() for key in options.key])
    except (OSError, UnreadableError) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    show(report)
    return report.status


if __name__ == "__main__":
    sys.exit(main())
