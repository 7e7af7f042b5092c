"""Drawings of a report, also to be read in grey: bars of machine time, and figures over months."""

from collections.abc import Mapping, Sequence

from reportlab.lib.colors import Color, HexColor, white
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable

from edge_agent.model.state import MachineState
from edge_agent.report.content import Shares, StateLegend, Trend
from edge_agent.report.fonts import NAME

INK = HexColor("#1F2933")
MUTED = HexColor("#66727F")
ACCENT = HexColor("#1F4E79")
RULE = HexColor("#C9D1D9")
FAINT = HexColor("#E6EAEE")
GOAL = HexColor("#9A3412")

# From the brightness alone: alarm 19 %, running 38 %, setup 59 %, idle 78 %, off 90 %; unknown is hatched.
_STATES: Mapping[MachineState, Color] = {
    MachineState.RUNNING: HexColor("#2E7D4F"),
    MachineState.IDLE: HexColor("#F0C850"),
    MachineState.SETUP: HexColor("#6FA0D0"),
    MachineState.ALARM: HexColor("#7A1020"),
    MachineState.OFF: HexColor("#E6E6E6"),
    MachineState.UNKNOWN: white,
}
_HATCH_EVERY = 2.2

BAR_HEIGHT = 3.4 * mm


def _fill(canvas: Canvas, state: MachineState, x: float, y: float, width: float, height: float) -> None:
    """A part of a bar."""
    canvas.saveState()
    canvas.setFillColor(_STATES[state])
    canvas.rect(x, y, width, height, stroke=0, fill=1)
    if state is MachineState.UNKNOWN:
        clip = canvas.beginPath()
        clip.rect(x, y, width, height)
        canvas.clipPath(clip, stroke=0, fill=0)
        canvas.setStrokeColor(MUTED)
        canvas.setLineWidth(0.4)
        # On one grid, whatever the bar begins with.
        at = (x - height) // _HATCH_EVERY * _HATCH_EVERY
        while at < x + width:
            canvas.line(at, y, at + height, y + height)
            at += _HATCH_EVERY
    canvas.restoreState()


class SharesBar(Flowable):
    """A stacked bar as wide as there is room."""

    def __init__(self, shares: Shares, width: float) -> None:
        super().__init__()
        self.shares, self.width, self.height = shares, width, BAR_HEIGHT

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:  # noqa: ARG002 - reportlab's signature
        return self.width, self.height

    def draw(self) -> None:
        total = sum(ms for _, ms in self.shares.times)
        x = 0.0
        for state, ms in self.shares.times:
            if ms:
                width = self.width * ms / total
                _fill(self.canv, state, x, 0, width, self.height)
                x += width
        self.canv.setStrokeColor(MUTED)
        self.canv.setLineWidth(0.3)
        self.canv.rect(0, 0, self.width, self.height)


class Legend(Flowable):
    """A small bar for each state, and what it is called."""

    def __init__(self, legend: StateLegend, size: float) -> None:
        super().__init__()
        self.legend, self.size = legend, size

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:  # noqa: ARG002 - as above
        self.width, self.height = available_width, BAR_HEIGHT + 2 * mm
        return self.width, self.height

    def draw(self) -> None:
        canvas, x = self.canv, 0.0
        canvas.setFont(NAME, self.size)
        canvas.setStrokeColor(MUTED)
        canvas.setLineWidth(0.3)
        for state, name in self.legend.names:
            _fill(canvas, state, x, 1 * mm, 7 * mm, BAR_HEIGHT)
            canvas.rect(x, 1 * mm, 7 * mm, BAR_HEIGHT)
            canvas.setFillColor(INK)
            canvas.drawString(x + 8.5 * mm, 1 * mm + 0.8, name)
            x += 8.5 * mm + canvas.stringWidth(name, NAME, self.size) + 6 * mm


class TrendCharts(Flowable):
    """Charts beside each other."""

    GAP = 8 * mm
    HEIGHT = 46 * mm

    def __init__(self, charts: Sequence[Trend], beside: int) -> None:
        super().__init__()
        self.charts, self.beside = charts, beside

    def wrap(self, available_width: float, available_height: float) -> tuple[float, float]:  # noqa: ARG002 - as above
        self.width, self.height = available_width, self.HEIGHT
        return self.width, self.height

    def draw(self) -> None:
        width = (self.width - self.GAP * (self.beside - 1)) / self.beside
        for place, chart in enumerate(self.charts):
            self.canv.saveState()
            self.canv.translate(place * (width + self.GAP), 0)
            _trend(self.canv, chart, width, self.HEIGHT - 4 * mm)
            self.canv.restoreState()


def _trend(canvas: Canvas, chart: Trend, width: float, height: float) -> None:
    left, bottom, above = 9 * mm, 6 * mm, 8 * mm
    across, up = width - left, height - bottom - above
    top, step = _scale(chart)

    def y(value: float) -> float:
        return bottom + up * value / top

    def x(place: int) -> float:
        return left + across * (place + 0.5) / len(chart.months)

    canvas.setFillColor(INK)
    canvas.setFont(NAME, _fitting(canvas, chart.title, width, 8))
    canvas.drawString(0, height - 3 * mm, chart.title)
    canvas.setFont(NAME, 6)
    canvas.setLineWidth(0.4)
    value = 0.0
    while value <= top:
        canvas.setStrokeColor(RULE if value == 0 else FAINT)
        canvas.line(left, y(value), width, y(value))
        canvas.setFillColor(MUTED)
        canvas.drawRightString(left - 1.5 * mm, y(value) - 2, _label(value, chart.per, decimals=0))
        value += step
    for place, month in enumerate(chart.months):
        canvas.drawCentredString(x(place), bottom - 3.2 * mm, month)
    for goal in chart.goals:
        _goal(canvas, goal.name, left, width, y(goal.value))
    canvas.setStrokeColor(ACCENT)
    canvas.setFillColor(ACCENT)
    canvas.setLineWidth(1.1)
    before: tuple[float, float] | None = None
    for place, one in enumerate(chart.values):
        here = None if one is None else (x(place), y(one))
        if here is not None and before is not None:
            canvas.line(*before, *here)
        before = here
    for place, one in enumerate(chart.values):
        if one is None:
            continue
        canvas.setFillColor(ACCENT)
        canvas.circle(x(place), y(one), 1.5, stroke=0, fill=1)
        under = y(one) + 6 > height - above + 3
        _value(canvas, _label(one, chart.per), x(place), y(one) + (-7.5 if under else 3.5))


def _value(canvas: Canvas, text: str, x: float, y: float) -> None:
    """A number that no line runs through."""
    width = canvas.stringWidth(text, NAME, 6)
    canvas.setFillColor(white)
    canvas.rect(x - width / 2 - 0.5, y - 1, width + 1, 6, stroke=0, fill=1)
    canvas.setFillColor(INK)
    canvas.drawCentredString(x, y, text)


def _goal(canvas: Canvas, name: str, left: float, right: float, y: float) -> None:
    canvas.saveState()
    canvas.setStrokeColor(GOAL)
    canvas.setFillColor(GOAL)
    canvas.setLineWidth(0.6)
    canvas.setDash(2.5, 1.8)
    canvas.line(left, y, right, y)
    canvas.drawString(left + 1, y + 1.5, name)
    canvas.restoreState()


def _scale(chart: Trend) -> tuple[float, float]:
    """The end of the axis, and how far apart its lines are."""
    if chart.per == 100:
        return 1.0, 0.25
    known = [value for value in chart.values if value is not None]
    greatest = max([*known, *(goal.value for goal in chart.goals)], default=0.0)
    steps = (one * 10**power / 10_000 for power in range(9) for one in (1, 2, 5))
    step = next(step for step in steps if greatest <= 4 * step)
    return 4 * step, step


def _fitting(canvas: Canvas, text: str, width: float, size: float) -> float:
    """`size`, or as much less as the text needs to fit."""
    return min(size, size * width / canvas.stringWidth(text, NAME, size))


def _label(value: float, per: int, decimals: int = 1) -> str:
    return f"{value * per:.{decimals}f}{'%' if per == 100 else ''}"
