"""Puts the chapters of a report together."""

from edge_agent.report import words
from edge_agent.report.content import Report
from edge_agent.report.figures import figures
from edge_agent.report.gather import Month
from edge_agent.report.machine_time import key_figures, machine_time
from edge_agent.report.machines import claims, machines
from edge_agent.report.progress import progress
from edge_agent.report.proof import proof
from edge_agent.report.summary import summary
from edge_agent.words import Language, Words


def compose(month: Month, language: Language) -> Report:
    """The report on what is on record of the month."""

    def tell(text: Words) -> str:
        return text.of(language)

    gateway = month.site.gateway
    chapters = (summary, figures, progress, machines, claims, machine_time, key_figures, proof)
    return Report(
        title=tell(words.TITLE),
        subtitle=f"{month.first:%Y-%m}",
        header=f"{gateway.enterprise}  {gateway.name or gateway.id}",
        page=tell(words.PAGE),
        timezone=gateway.timezone,
        until_ms=month.period.to_ms,
        sections=[chapter(month, tell) for chapter in chapters],
    )
