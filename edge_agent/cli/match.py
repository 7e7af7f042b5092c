"""`edge-agent match`: which equipment of the register are the machines that `discover` found?"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click

from edge_agent.cli.match_file import Decisions, decisions, write_proposals
from edge_agent.cli.terminal import SiteReport
from edge_agent.config.errors import ConfigError
from edge_agent.config.site import Site, load_site
from edge_agent.discovery.file import Discovery, read
from edge_agent.discovery.snippets import Line, snippet
from edge_agent.matching.machines import Machine, machines
from edge_agent.matching.needs import Need, by_need
from edge_agent.matching.proposals import Confidence, Matching, Proposal
from edge_agent.matching.proposals import match as propose
from edge_agent.model.equipment import Equipment
from edge_agent.words import Words

EXIT_FAILED, EXIT_CONFIG = 1, 2

CONFIDENCE: Mapping[Confidence, Words] = {
    Confidence.CONFIGURED: Words("已配置", "configured"),
    Confidence.DECIDED: Words("人工确认", "decided"),
    Confidence.CERTAIN: Words("确定", "certain"),
    Confidence.LIKELY: Words("较可能", "likely"),
    Confidence.GUESS: Words("猜测", "guess"),
}
NEEDS: Mapping[Need, tuple[Words, Words]] = {
    Need.FOUND: (
        Words("已在网", "found"),
        Words("确认是哪一台", "decide which of the found ones it is"),
    ),
    Need.READY: (
        Words("可直接联网", "ready"),
        Words(
            "自带以太网口：接网线、设地址、开通接口",
            "Ethernet as built: cable, address, switch its interface on",
        ),
    ),
    Need.CARD: (
        Words("需通信卡", "needs a card"),
        Words("需以太网卡、选件或串口：询问厂家", "card, option or serial line: ask its maker"),
    ),
    Need.UNKNOWN_CONTROLLER: (
        Words("控制器不详", "controller unknown"),
        Words("在台账“数控依据”中写明控制器型号", "write the controller's model into nc_ground"),
    ),
    Need.RETROFIT: (
        Words("需改造", "needs retrofit"),
        Words(
            "无控制器：加装电流继电器与灯塔信号",
            "no controller: current relay and stack light, docs/retrofit.md",
        ),
    ),
}  # fmt: skip


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.argument("found", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write the proposals as a new CSV file, to be looked through and corrected.")  # fmt: skip
@click.option("--decided", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="The same file, corrected (CSV or XLSX): what it says is taken as it stands.")  # fmt: skip
@click.option("--snippet", "snippet_file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write connections as a new YAML file; guesses are commented out.")  # fmt: skip
def match(
    config: Path, found: Path, csv_file: Path | None, decided: Path | None, snippet_file: Path | None
) -> None:
    """Propose which equipment of the register each found machine is. 匹配设备台账。

    CONFIG is the configuration, which names the register; FOUND is what `edge-agent discover --json` wrote.
    Shown are the proposals with how sure they are and why; what was found and is not in the register; and
    what is in the register without a connection, sorted by what it needs: the work list for a higher 联网率.

    \b
      edge-agent match site found.json                                   look
      edge-agent match site found.json --csv matched.csv                 correct 设备编号 and 模板 in it
      edge-agent match site found.json --decided matched.csv --snippet site/20-connections.yaml
      edge-agent check site --connect

    The register and the configuration are never changed, and no file is overwritten.

    Exit status: 0 done, 1 a file cannot be read or written, 2 wrong configuration or wrong decisions.
    """
    try:
        site = load_site(config)
        discovery = read(found)
        those = machines(discovery.found)
        said = decisions(decided, those, site.register) if decided is not None else Decisions({}, {})
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(EXIT_CONFIG)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{found}: {error}") from None
    those = [_with_profile(one, said.profiles.get(index)) for index, one in enumerate(those)]
    day = datetime.now(ZoneInfo(site.gateway.timezone)).date()
    served = frozenset(one.id for connection in site.connections for one in connection.equipment)
    matching = propose(site.register.equipment, those, day, _configured(site, those), said.equipment, served)
    report = _Report(site, discovery, matching)
    report.proposals()
    report.strangers()
    report.work_list()
    if csv_file is None and decided is None and matching.proposals:
        click.echo(
            "\n核对并改正 To look through and correct: --csv FILE; then 然后 --decided FILE --snippet FILE"
        )
    try:
        if csv_file is not None:
            write_proposals(csv_file, matching)
            click.echo(f"written 已写入: {csv_file}")
        if snippet_file is not None:
            _write_snippet(snippet_file, site, matching)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: cannot be written: {error.strerror}") from None


def _with_profile(machine: Machine, profile: str | None) -> Machine:
    """The machine with the profile that somebody has chosen for it, in place of tags that were seen."""
    if not profile or profile == machine.found.profile:
        return machine
    return replace(machine, found=replace(machine.found, profile=profile, tags=()))


def _configured(site: Site, those: Sequence[Machine]) -> dict[int, str]:
    """Which machines a connection leads to already, and what equipment they are."""
    known: dict[int, str] = {}
    for connection in site.connections:
        options = connection.model_dump(mode="json")
        for index, machine in enumerate(those):
            found = machine.found
            if found.driver != connection.driver or not _is_at(options, found.address):
                continue
            same = [
                one["id"]
                for one in options["equipment"]
                if all(one.get(name) == value for name, value in found.unit.items())
            ]
            if not found.unit:
                known[index] = same[0] if len(same) == 1 else ""
            elif same:
                known[index] = same[0]
    return known


def _is_at(options: Mapping[str, Any], address: Mapping[str, Any]) -> bool:
    """Whether a connection's `options` lead to `address`; a URL may have a path behind it."""

    def same(given: Any, found: Any) -> bool:
        if isinstance(found, Mapping):
            return isinstance(given, Mapping) and all(
                same(given.get(name), each) for name, each in found.items()
            )
        return bool(given == found or (isinstance(given, str) and given.startswith(f"{found}/")))

    return all(same(options.get(name), value) for name, value in address.items())


def _write_snippet(file: Path, site: Site, matching: Matching) -> None:
    lines = [
        Line(
            one.machine.found,
            one.equipment.id,
            comment=f"{one.equipment.name}: {CONFIDENCE[one.confidence].both}, {'; '.join(one.why)}".rstrip(
                ", "
            ),
            out=not one.confidence.to_be_written,
        )
        for one in matching.proposals
        if one.confidence is not Confidence.CONFIGURED
    ]
    text = snippet(lines, [connection.id for connection in site.connections])
    if not text:
        click.echo("没有可写入的连接 there is no connection to write", err=True)
        return
    head = (
        "# edge-agent match 的建议，请核对后使用 Proposals: look through them.\n"
        "# 注释掉的是猜测 What is commented out is a guess: decide it, then remove the signs.\n\n"
    )
    with file.open("x", encoding="utf-8") as to:
        to.write(head + text)
    click.echo(f"written 已写入: {file}")


class _Report(SiteReport):
    """Prints what came of it."""

    def __init__(self, site: Site, discovery: Discovery, matching: Matching) -> None:
        super().__init__(site.hidden)
        self._site = site
        self._discovery = discovery
        self._matching = matching

    def proposals(self) -> None:
        if not self._discovery.complete:
            self.line("查找未完成 The search was stopped before its end: not everything is in it", "yellow")
        self.line("建议 Proposals", "bold")
        headings = (
            "设备 equipment",
            "名称 name",
            "地址 where",
            "协议 protocol",
            "把握 confidence",
            "依据 why",
        )
        self.table(headings, map(_proposal, self._matching.proposals))

    def strangers(self) -> None:
        strangers = self._matching.strangers
        self.line("")
        self.line(f"发现但不在台账 Found, not in the register: {len(strangers)}", "bold")
        if strangers:
            headings = ("地址 where", "协议 protocol", "厂商 maker", "型号 model", "自称 name")
            self.table(
                headings,
                ((m.where, m.protocols, m.found.maker, m.found.model, m.found.name) for m in strangers),
            )

    def work_list(self) -> None:
        day = datetime.now(ZoneInfo(self._site.gateway.timezone)).date()
        guessed = [one.equipment for one in self._matching.proposals if one.confidence is Confidence.GUESS]
        undecided = frozenset(one.id for one in guessed)
        wanted = by_need([*self._matching.missing, *guessed], day, undecided)
        self.line("")
        self.line(
            f"应联网而尚无连接 In the register, should be connected, without connection: {len(wanted)}",
            "bold",
        )
        if wanted:
            headings = (
                "设备 equipment",
                "名称 name",
                "车间 workshop",
                "关键 key",
                "需要 needs",
                "下一步 next",
            )
            self.table(headings, (_wanted(*one) for one in wanted))
        excused = [one.id for one in self._matching.missing if one.in_service(day) and not one.should_connect]
        if excused:
            self.line(f"台账注明不联网 Not expected to be connected: {', '.join(excused)}")


def _proposal(one: Proposal) -> Sequence[str]:
    readable = "" if one.machine.found.driver else "尚无驱动 no driver yet"
    return (
        one.equipment.id,
        one.equipment.name,
        one.machine.where,
        one.machine.protocols,
        CONFIDENCE[one.confidence].both,
        "; ".join(filter(None, (*one.why, readable))),
    )


def _wanted(equipment: Equipment, need: Need) -> Sequence[str]:
    word, what = NEEDS[need]
    return (
        equipment.id,
        equipment.name,
        equipment.workshop,
        "是 yes" if equipment.key else "",
        word.both,
        what.both,
    )
