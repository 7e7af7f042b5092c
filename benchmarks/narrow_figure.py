"""The figure of `benchmarks.narrow_line`: a backlog, and how late live data is while it drains."""

from collections.abc import Sequence

WIDTH, LEFT, RIGHT = 720, 64, 16
TOP, BACKLOG, GAP, DELAY = 40, 150, 44, 150
STEP_S = 5.0
LATE_MOST_S = 2.5
PROMISE_S = 2.0
_INK, _GRID = "#444", "#ddd"


def figure(
    backlog: int,
    drained: Sequence[float],
    readings: Sequence[tuple[float, float]],
    urgent: Sequence[tuple[float, float]],
    length: float,
) -> str:
    """SVG. `drained`: when each message of the backlog came; the others: when live data came, and how late.

    All in seconds.
    """
    steps = [STEP_S * n for n in range(round(length / STEP_S) + 1)]
    below = TOP + BACKLOG + GAP
    came = sorted(drained)
    left = [backlog - sum(at <= step for at in came) for step in steps]
    height = below + DELAY + 44
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
        f' font-size="12" fill="{_INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        *_axes(TOP, BACKLOG, length, [(n, f"{n:,}") for n in range(0, backlog + 1, 12_000)], backlog),
        _text(LEFT, TOP - 14, "Backlog, messages of telemetry"),
        _line(
            "#1f6fb2", [(at, n / backlog) for at, n in zip(steps, left, strict=True)], TOP, BACKLOG, length
        ),
        *_axes(below, DELAY, length, [(n / 2, f"{n / 2:g}") for n in range(6)], LATE_MOST_S),
        _text(LEFT, below - 14, f"Live data late, s: the latest and the median of each {STEP_S:g} s"),
    ]
    promise = below + DELAY * (1 - PROMISE_S / LATE_MOST_S)
    parts.append(
        f'<path d="M{LEFT} {promise:.0f}H{WIDTH - RIGHT}" stroke="#b00" stroke-dasharray="4 4" fill="none"/>'
    )
    shown = (("#1f6fb2", "readings", readings), ("#d07000", "states and events", urgent))
    for index, (colour, name, delays) in enumerate(shown):
        for how, dash in ((max, ""), (_median, "2 3")):
            points = []
            for step in steps:
                chosen = [delay for at, delay in delays if step <= at < step + STEP_S]
                if chosen:
                    points.append((step + STEP_S / 2, how(chosen) / LATE_MOST_S))
            parts.append(_line(colour, points, below, DELAY, length, dash))
        parts.append(_text(WIDTH - 270 + 90 * index, below - 14, name, colour))
    parts.append(_text(WIDTH - RIGHT, height - 8, "seconds since the line is back", anchor="end"))
    return "\n".join([*parts, "</svg>", ""])


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _x(at: float, length: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, at / length)


def _line(
    colour: str, points: Sequence[tuple[float, float]], top: int, height: int, length: float, dash: str = ""
) -> str:
    """`points`: seconds, and a share of the height."""
    path = " ".join(
        f"{_x(at, length):.1f},{top + height * (1 - min(1.0, share)):.1f}" for at, share in points
    )
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"'
        f' stroke-dasharray="{dash or "none"}"/>'
    )


def _text(x: float, y: float, text: str, colour: str = _INK, anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" fill="{colour}" text-anchor="{anchor}">{text}</text>'


def _axes(top: int, height: int, length: float, marks: Sequence[tuple[float, str]], most: float) -> list[str]:
    parts = []
    for value, name in marks:
        y = top + height * (1 - value / most)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="{_GRID}"/>')
        parts.append(_text(LEFT - 8, y + 4, name, anchor="end"))
    for second in range(0, round(length) + 1, 60):
        x = _x(second, length)
        parts.append(_text(x, top + height + 16, f"{second}", anchor="middle"))
    return parts
