"""The statements of days and months on their way into the journal: once, whatever happens on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config.site import Site, load_site
from edge_agent.contract.canonical import members_of
from edge_agent.contract.messages import StatementOfRecord, Superseded, decode
from edge_agent.contract.topics import RecordClass
from edge_agent.indicators.periods import PeriodKind
from edge_agent.journal.journal import Journal
from edge_agent.recording import Recorder
from edge_agent.statements.keys import KEY_FILE, signing_key
from edge_agent.statements.store import StatementArchive, StatementStore
from edge_agent.states.history import Changes, History
from tests.statements.plant import ENTERPRISE, MARCH, at, day, write

CONFIGURATION = f"""
gateway: {{id: gw-01, region: "330300", enterprise: {ENTERPRISE}}}
register: register.csv
indicators: {{definitions: [nc-rate/by-count, networked-rate/miit-sme-2024]}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "agent.yaml").write_text(CONFIGURATION, "utf-8")
    (tmp_path / "register.csv").write_text("id,name,workshop\nM1,Lathe,A\n", "utf-8")
    (tmp_path / "data").mkdir()
    site = load_site(tmp_path / "agent.yaml")
    write(site.data_dir)
    return site


def made_up_to(site: Site, moment: str) -> None:
    store = StatementStore(site.data_dir / "history.db", signing_key(site.data_dir))
    store.set_stated(PeriodKind.DAY, at(moment))
    store.set_stated(PeriodKind.MONTH, at("2026-03-01 00:00"))
    store.close()


def run(
    site: Site,
    until: Callable[[StatementArchive, Journal], Awaitable[bool]],
    during: Callable[[Recorder], None] = lambda _: None,
) -> list[tuple[str, StatementOfRecord]]:
    """Run a recorder as the agent does, until it fails or `until` holds; what is in the journal then."""

    async def work() -> list[tuple[str, StatementOfRecord]]:
        journal = Journal(site.data_dir / "journal.db", {"region": frozenset({RecordClass.STATEMENTS})})
        journal.start()
        history = History(site.data_dir / "history.db")  # as the agent has it open
        recorder = Recorder(site, signing_key(site.data_dir), journal)
        archive = StatementArchive(site.data_dir / "history.db")
        during(recorder)
        task = asyncio.create_task(recorder.run())
        try:
            async with asyncio.timeout(30):
                while not (task.done() or await until(archive, journal)):
                    await asyncio.sleep(0.02)
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            recorder.close()
            archive.close()
            history.close()
            entries = await journal.read("region", 0, 1000) if journal.last("region") else []
            await journal.close()
        found = []
        for entry in entries:
            message = decode(entry.record.body)
            assert isinstance(message, StatementOfRecord)
            found.append((entry.record.subject, message))
        return found

    return asyncio.run(work())


async def all_sent(archive: StatementArchive, journal: Journal) -> bool:
    (unsent,) = archive._db.execute("SELECT count(*) FROM unsent_statements").fetchone()
    stated = dict(archive._db.execute("SELECT kind, to_ms FROM stated").fetchall())
    return bool(unsent == 0) and stated.get("day", 0) >= MARCH.to_ms and stated.get("month", 0) >= MARCH.to_ms


def test_missed_periods_are_made_up_for_once(site: Site) -> None:
    made_up_to(site, "2026-03-30 00:00")
    found = run(site, all_sent)
    assert [(subject, message.from_) for subject, message in found] == [
        (f"statement/{name}/{kind}", from_ms)
        for kind, from_ms in [
            ("day", day("2026-03-30").from_ms),
            ("day", day("2026-03-31").from_ms),
            ("month", MARCH.from_ms),
        ]
        for name in ("nc-rate/by-count", "networked-rate/miit-sme-2024")
    ]
    assert [message.number for _, message in found] == list(range(1, 7))
    assert run(site, all_sent) == found, "the next run adds nothing"


def test_a_first_start_looks_only_forward(site: Site) -> None:
    async def looked(archive: StatementArchive, journal: Journal) -> bool:
        (kinds,) = archive._db.execute("SELECT count(*) FROM stated").fetchone()
        return bool(kinds == 2)

    assert run(site, looked) == []
    history = History(site.data_dir / "history.db")
    history.save(Changes(at("2026-04-02 00:00:02")))
    history.close()

    async def next_day(archive: StatementArchive, journal: Journal) -> bool:
        (stated,) = archive._db.execute("SELECT to_ms FROM stated WHERE kind = 'day'").fetchone()
        return await all_sent(archive, journal) and bool(stated == at("2026-04-02 00:00"))

    found = run(site, next_day)
    assert {message.from_ for _, message in found} == {day("2026-04-01").from_ms}


def test_a_kill_between_keeping_and_sending_sends_the_same(site: Site) -> None:
    made_up_to(site, "2026-03-31 00:00")
    killed = RuntimeError("killed before it was noted that the journal has them")

    def fail(*_: Any) -> None:
        raise killed

    def break_it(recorder: Recorder) -> None:
        recorder._store.sent = fail  # type: ignore[assignment,method-assign]

    async def for_ever(archive: StatementArchive, journal: Journal) -> bool:
        return False

    with pytest.raises(RuntimeError, match="killed before"):
        run(site, for_ever, break_it)
    found = run(site, all_sent)
    assert [message.number for _, message in found] == [1, 2, 3, 4, 1, 2, 3, 4]
    for (_, first), (_, again) in zip(found[:4], found[4:], strict=True):
        assert first == again, "the same statement under another number of the uplink"


def test_what_another_process_adds_is_sent(site: Site) -> None:
    made_up_to(site, "2026-03-31 00:00")
    first = run(site, all_sent)
    again = StatementStore(site.data_dir / "history.db", signing_key(site.data_dir))
    kept = again.of_number(1)
    assert kept is not None
    added = ("schema", "subject", "period", "from", "to", "number", "previous", "supersedes", "time")
    content = {name: value for name, value in kept.content.items() if name not in (*added, "agent", "key")}
    content["register_version"] = "another"
    assert kept.evidence is not None
    evidence = members_of(kept.evidence)

    def recompute(_: Recorder) -> None:
        again.add(kept.schema, kept.subject, kept.kind, kept.from_ms, kept.to_ms, content, evidence)
        again.close()

    async def sent(archive: StatementArchive, journal: Journal) -> bool:
        return await all_sent(archive, journal) and journal.last("region") == len(first) + 1

    *before, (subject, message) = run(site, sent, recompute)
    assert before == first
    assert (subject, message.number) == (first[0][0], len(first) + 1)
    assert message.supersedes == Superseded(1, kept.digest)


def test_a_lost_key_is_told(site: Site) -> None:
    made_up_to(site, "2026-03-31 00:00")
    first = run(site, all_sent)
    (site.data_dir / KEY_FILE).unlink()
    keys: list[str | None] = []
    made_up_to(site, "2026-04-01 00:00")
    run(site, all_sent, lambda recorder: keys.append(recorder.key_before))
    run(site, all_sent, lambda recorder: keys.append(recorder.key_before))
    assert keys == [first[0][1].key, None]
