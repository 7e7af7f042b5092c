"""The verifier finds whatever was changed in an evidence file, and says what."""

import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge_agent import verifier
from edge_agent.contract.canonical import UNSIGNED, canonical, signed_part
from edge_agent.contract.merkle import leaf, root
from edge_agent.contract.messages import encode, number
from edge_agent.indicators.calculate import Calculator
from edge_agent.indicators.registers import RegisterVersions
from edge_agent.model import equipment
from edge_agent.statements.export import evidence_file
from edge_agent.statements.keys import SigningKey, signed, signing_key
from edge_agent.statements.record import SCHEMA, keep
from edge_agent.statements.store import StatementStore
from edge_agent.verifier import UnreadableError, verify
from tests.indicators import plant as moment
from tests.statements.plant import DEFINITIONS, MARCH, REGISTER, day, maker, write

Json = dict[str, Any]
LIVE, SME = "networked-rate/live", "networked-rate/miit-sme-2024"
NAMES = {one.id: one for one in DEFINITIONS}


@dataclass(frozen=True)
class Exported:
    content: bytes
    small: bytes
    """One statement alone."""
    key: str


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Two days and a month of every definition; then the register is corrected, and the month stated again.

    Between them a statement of another kind, without evidence in the file.
    """
    folder = tmp_path_factory.mktemp("plant")
    path = write(folder)
    key = signing_key(folder)
    store = StatementStore(path, key)
    records = maker(path)
    for period in (day("2026-03-30"), day("2026-03-31"), MARCH):
        for draft in records.drafts(period):
            keep(store, draft)
    store.add("fta.settlement/1", "tenant", "month", MARCH.from_ms, MARCH.to_ms, {"hours": 7.5})
    members = (*REGISTER.equipment[:5], replace(REGISTER.equipment[5], retired=date(2026, 3, 1)))
    registers = RegisterVersions(path)
    registers.correct(replace(REGISTER, equipment=members), MARCH.from_ms, MARCH.to_ms, "r.csv", 1)
    registers.close()
    for draft in records.drafts(MARCH):
        keep(store, draft)
    chosen = {one.number for one in store.all_of(SCHEMA) if one.number != 4}
    content = evidence_file(path, key, chosen, 1)
    small = evidence_file(path, key, {store.last_number()}, 1)
    records.close()
    store.close()
    return Exported(content, small, key.public)


def failures(content: bytes, *keys: str) -> list[str]:
    return verify(content, keys).failures


def test_what_the_agent_exports_is_right(exported: Exported) -> None:
    report = verify(exported.content, [exported.key])
    assert report.failures == report.left == []
    assert report.status == 0
    assert report.notes == [
        "第 40 号声明 statement 40: 他类声明，仅有摘要 of another kind, here by its digest alone"
    ]
    content = json.loads(exported.content)
    assert report.checked[verifier.ROOT] == sum(
        len(one["figures"]) for one in content["statements"] if "evidence" in one
    )
    superseding = [one["supersedes"]["number"] for one in content["statements"] if one.get("supersedes")]
    assert len(superseding) == 11, "those that count equipment; M6 serves no process"
    assert len(content["registers"]) == 2


def test_what_a_chosen_statement_supersedes_comes_with_it(exported: Exported) -> None:
    """One statement chosen, the newest; the chain begins with the one in whose place it stands."""
    report = verify(exported.small, [exported.key])
    assert (report.failures, report.left) == ([], [])
    content = json.loads(exported.small)
    (chosen,) = [one for one in content["statements"] if "evidence" in one]
    assert content["statements"][0]["number"] == chosen["supersedes"]["number"]
    assert content["statements"][-1]["number"] == chosen["number"]


def test_without_a_key_to_compare_it_says_so(exported: Exported) -> None:
    report = verify(exported.content)
    assert report.status == 0
    assert any("key not compared" in note and exported.key in note for note in report.notes)


def test_any_changed_byte_is_found(tmp_path: Path) -> None:
    """Every byte of a file with one statement in turn, with some bit of it the other way round."""
    path, key = write(tmp_path), signing_key(tmp_path)
    store, records = StatementStore(path, key), maker(path, NAMES[SME])
    for draft in records.drafts(MARCH):
        keep(store, draft)
    content = evidence_file(path, key, {1}, 1)
    records.close()
    store.close()
    assert verify(content, [key.public]).status == 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        try:
            status = verify(bytes(changed), [key.public]).status
        except UnreadableError:
            continue
        assert status == 1, (place, changed[max(0, place - 20) : place + 20])


@pytest.mark.parametrize("change", [b" ", b"\n"])
def test_blanks_that_mean_nothing_are_found(exported: Exported, change: bytes) -> None:
    assert any("byte for byte" in text for text in failures(exported.content + change))


# Somebody takes a file and writes another one, with a key of his own for what only the file has.


class Forger:
    """Somebody with a key: his own, or that of the gateway."""

    def __init__(self) -> None:
        self.key = SigningKey(Ed25519PrivateKey.from_private_bytes(b"\7" * 32))

    def file(self, content: Json) -> bytes:
        """The file signed anew; what is in it stays as it is."""
        content = {name: value for name, value in content.items() if name != "signature"}
        content["key"] = self.key.public
        return canonical({**content, "signature": self.key.sign(canonical(content))})

    def everything(self, content: Json) -> bytes:
        """Roots, counts, chain and signatures made to fit the evidence, as a gateway that lies would."""
        digests: dict[int, str] = {}
        for one in content["statements"]:
            one["previous"] = digests.get(one["number"] - 1)
            if "signature" not in one:
                digests[one["number"]] = one["digest"]
                continue
            if one["supersedes"] is not None:
                one["supersedes"]["digest"] = digests[one["supersedes"]["number"]]
            if "evidence" in one:
                self._figures(one)
            one["key"] = self.key.public
            bare = {name: value for name, value in one.items() if name not in UNSIGNED}
            one["signature"] = self.key.sign(canonical(bare))
            digests[one["number"]] = sha256(canonical(bare)).hexdigest()
        return self.file(content)

    def _figures(self, one: Json) -> None:
        lines = one["evidence"].get("equipment") or one["evidence"]["processes"]
        for figure in one["figures"]:
            members = [line for line in lines if verifier._within(figure["scope"], line)]
            figure["evidence"] = root([leaf(canonical(line)) for line in members])
            figure["numerator"] = sum(line.get("weight", 1) for line in members if line["in_numerator"])
            if one["definition"].get("unit", "share") == "share":
                figure["denominator"] = sum(
                    line.get("weight", 1) for line in members if line["in_denominator"]
                )
            figure["unknown"] = sum(
                line["in_denominator"] and line.get("state") == "unknown" for line in members
            )
            if not figure["denominator"]:
                figure.update(rate=None, reason=figure.get("reason", "denominator_zero"))
            elif not figure.get("reason"):
                figure["rate"] = figure["numerator"] / figure["denominator"]


def statement(content: Json, definition: str, newest: bool = True) -> Json:
    """That of March; the newest, or the one before."""
    found = [
        one
        for one in content["statements"]
        if one.get("subject") == definition and one["period"] == "month" and "evidence" in one
    ]
    one: Json = found[-1 if newest else 0]
    return one


def lines(content: Json, definition: str = SME) -> list[Json]:
    found: list[Json] = statement(content, definition)["evidence"]["equipment"]
    return found


def drop_statement(content: Json) -> None:
    del content["statements"][6]


def drop_line(content: Json) -> None:
    del lines(content)[1]


def swap_lines(content: Json) -> None:
    found = lines(content)
    found[1], found[2] = found[2], found[1]


def change_evidence(content: Json) -> None:
    lines(content)[2]["good_readings"] += 1


def change_count(content: Json) -> None:
    statement(content, SME)["figures"][0]["numerator"] += 1


def change_register(content: Json) -> None:
    content["registers"][0]["equipment"][0]["nc"] = False


def drop_register(content: Json) -> None:
    content["registers"].clear()


def change_rule(content: Json) -> None:
    evidence = statement(content, SME)["evidence"]
    evidence["rule"] = evidence["rule"].replace('"good_readings": 1', '"good_readings": 0')


def sign_with_another_key(content: Json) -> None:
    one, forger = content["statements"][2], Forger()
    one["key"] = forger.key.public
    one["signature"] = forger.key.sign(signed_part(one))


def claim_another_key(content: Json) -> None:
    content["statements"][2]["key"] = Forger().key.public


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop_statement, "numbers are not consecutive, missing: 7"),
        (drop_line, "lines of evidence do not give the root"),
        (drop_line, "lines and register do not correspond: M2"),
        (drop_line, "the statement says 2/4"),
        (swap_lines, "lines of evidence are not in the order of their ids"),
        (swap_lines, "lines of evidence do not give the root"),
        (change_evidence, "lines of evidence do not give the root"),
        (change_count, "the signature is not valid"),
        (change_count, "the lines give 2/4, the statement says 3/4"),
        (change_register, "its lines do not give its digest"),
        (drop_register, "the register that it was counted on is not in the file"),
        (change_rule, "the text of the definition does not give its digest"),
        (sign_with_another_key, "previous is not the digest of statement 3"),
        (claim_another_key, "statement 3: 签名无效"),
    ],
)
def test_each_change_has_its_own_message(
    exported: Exported, change: Callable[[Json], None], message: str
) -> None:
    content = json.loads(exported.content)
    change(content)
    found = failures(Forger().file(content))
    assert any(message in text for text in found), found


def test_a_whole_new_chain_is_found_by_its_key_alone(exported: Exported) -> None:
    forged = Forger().everything(json.loads(exported.content))
    assert failures(forged) == []
    found = failures(forged, exported.key)
    assert len(found) == 1
    assert "is not the key that was given" in found[0]


# A gateway that lies: all digests and signatures fit. What it made of the evidence does not.


def count_a_machine_too_many(content: Json) -> None:
    lines(content)[2].update(in_numerator=True, reason="counted")


def leave_a_machine_out(content: Json) -> None:
    lines(content)[3].update(in_denominator=False, reason="outside_denominator")


def call_it_retired(content: Json) -> None:
    lines(content)[3].update(in_denominator=False, reason="not_in_service")


def readings_of_nothing(content: Json) -> None:
    lines(content)[3].update(good_readings=5, in_numerator=True, reason="counted")


def readings_of_afterwards(content: Json) -> None:
    later = statement(content, SME)["to"] + 1
    lines(content)[3].update(good_readings=5, in_numerator=True, reason="counted", last_good=later)


def live_by_word(content: Json) -> None:
    lines(content, LIVE)[3].update(link="live", in_numerator=True, reason="counted")


def move_to_another_workshop(content: Json) -> None:
    lines(content)[3]["workshop"] = "A"


def make_it_nc(content: Json) -> None:
    lines(content, "nc-rate/by-count")[1].update(in_numerator=True, reason="counted")


def process_of_nothing(content: Json) -> None:
    of_processes = statement(content, "key-process-nc-rate/discrete")["evidence"]["processes"]
    of_processes[0]["nc_equipment"] = ["M1", "M2"]


def more_people(content: Json) -> None:
    statement(content, "robot-density/ifr")["figures"][0].update(denominator=40, rate=1 / 40)


def no_rate_for_no_reason(content: Json) -> None:
    statement(content, SME)["figures"][0].update(rate=None, reason="denominator_zero")


def forget_a_scope(content: Json) -> None:
    del statement(content, SME)["figures"][3]


def hide_what_it_supersedes(content: Json) -> None:
    statement(content, SME)["supersedes"] = None


def supersede_another(content: Json) -> None:
    statement(content, SME)["supersedes"]["number"] -= 1


@pytest.mark.parametrize(
    ("lie", "message"),
    [
        (count_a_machine_too_many, "in_numerator ought to be false and is true"),
        (leave_a_machine_out, "in_denominator ought to be true and is false"),
        (call_it_retired, 'reason ought to be "link_below_data_valid" and is "not_in_service"'),
        (readings_of_nothing, "M4: 证据自相矛盾 the evidence contradicts itself"),
        (readings_of_afterwards, "M4: 证据自相矛盾 the evidence contradicts itself"),
        (live_by_word, "M4: 证据自相矛盾 the evidence contradicts itself"),
        (move_to_another_workshop, 'workshop ought to be "B" and is "A"'),
        (make_it_nc, 'reason ought to be "outside_numerator" and is "counted"'),
        (process_of_nothing, 'nc_equipment ought to be ["M1"] and is ["M1", "M2"]'),
        (more_people, "the lines give 1/50, the statement says 1/40"),
        (no_rate_for_no_reason, "the reason why there is no rate ought to be -"),
        (forget_a_scope, "scopes are not those of the register's workshops and lines"),
        (hide_what_it_supersedes, "does not say that it supersedes statement"),
        (supersede_another, "what it supersedes is not statement"),
    ],
)
def test_a_gateway_that_lies_is_found_out(
    exported: Exported, lie: Callable[[Json], None], message: str
) -> None:
    content = json.loads(exported.content)
    lie(content)
    found = failures(Forger().everything(content))
    assert any(message in text for text in found), found
    assert not any("signature" in text or "root" in text for text in found), "all digests fit"


def test_what_it_does_not_know_is_not_taken_for_right(exported: Exported) -> None:
    content = json.loads(exported.content)
    for one in content["statements"]:
        if one.get("subject") == SME and "evidence" in one:
            rule = json.loads(one["evidence"]["rule"])
            rule["connected"]["weighed_share"] = 0.5
            text = json.dumps(rule)
            one["evidence"]["rule"] = text
            one["definition"]["digest"] = sha256(text.encode()).hexdigest()
    report = verify(Forger().everything(content))
    assert report.failures == []
    assert report.status == 2
    assert any("does not know weighed_share" in text for text in report.left)


def test_without_the_filters_library_the_rest_is_checked(
    exported: Exported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifier, "cel", None)
    report = verify(exported.content)
    assert (report.failures, report.status) == ([], 2)
    assert any("common-expression-language" in text for text in report.left)
    content = json.loads(exported.content)
    change_count(content)
    assert verify(Forger().file(content)).status == 1


@pytest.mark.parametrize(
    "text", [b"", b"{}", b"[]", b"null", b"\xff", b'{"schema":"fta.state/1"}', b"[" * 99999]
)
def test_what_is_no_such_file_is_refused(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "file.json").write_bytes(text)
    assert verifier.main([str(tmp_path / "file.json")]) == 2


def test_a_file_of_wrong_types_is_wrong(exported: Exported) -> None:
    content = json.loads(exported.content)
    content["statements"][0]["figures"] = 7
    assert verify(Forger().file(content)).status == 1


def test_a_message_alone(exported: Exported) -> None:
    """As a subscriber gets it, with the number of the uplink in front."""
    content = json.loads(exported.small)
    message = next(one for one in content["statements"] if "evidence" in one)
    report = verify(json.dumps({"seq": 7, **message}, ensure_ascii=False).encode())
    assert (report.failures, report.status) == ([], 2), "without register and chain not all can be checked"
    changed = copy.deepcopy(message)
    changed["evidence"]["equipment" if "equipment" in changed["evidence"] else "processes"].pop()
    assert verify(json.dumps(changed).encode()).status == 1


@pytest.mark.parametrize("name", ["networked-rate/live", "key-process-nc-rate/discrete", "robot-density/ifr"])
def test_a_figure_of_the_moment(name: str) -> None:
    calculator = Calculator(NAMES[name], moment.ENTERPRISE, moment.REGISTER)
    figures = calculator.statements(moment.TableEvidence(), moment.STATES, moment.NOW)
    body = number(encode(signed(figures, Forger().key)), 12)
    report = verify(body, [Forger().key.public])
    assert (report.failures, report.status) == ([], 2)
    assert any(
        "signature is not valid" in text
        for text in failures(body.replace(b'"numerator":1', b'"numerator":2'))
    )


def test_it_runs_alone_on_another_computer(exported: Exported, tmp_path: Path) -> None:
    """A copy of the one file, where there is no agent."""
    shutil.copy(verifier.__file__, tmp_path / "verifier.py")
    (tmp_path / "march.json").write_bytes(exported.content)
    program = (
        "import runpy, sys; sys.modules['edge_agent'] = None; sys.argv = sys.argv[1:];"
        "runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-I", "-c", program, "verifier.py", "march.json", "--key", exported.key]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "结果：全部相符 result: everything is right"
    (tmp_path / "march.json").write_bytes(exported.content.replace(b'"numerator":2', b'"numerator":3', 1))
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60).returncode == 1


def test_it_knows_the_columns_of_the_register() -> None:
    defaults: Json = {**equipment._ADDED, "processes": []}
    assert defaults == verifier.EQUIPMENT_DEFAULTS
    assert set(verifier.UNSIGNED) == UNSIGNED
