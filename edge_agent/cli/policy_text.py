"""How policy targets are put to people, in Chinese and English, and to programs."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from edge_agent.cli.words import reason_text
from edge_agent.indicators.definitions import Definition
from edge_agent.indicators.policies import Baseline, Policy, Reading, Target
from edge_agent.indicators.targets import Judgement, Point, Verdict
from edge_agent.words import BY_FIGURE, NONE_OF_DEADLINE, POINTS, VERDICTS, asked_for, why_not, yuan


def target_id(policy: Policy, target: Target) -> str:
    return f"{policy.id}/{target.id}"


def asked_text(reading: Reading) -> str:
    """`≥ 67%`"""
    value, unit = asked_for(reading)
    return f"{value} {unit.both}".rstrip()


def target_lines(policy: Policy, target: Target) -> Iterator[str]:
    """What is asked for, by whom and of whom."""
    yield f"{target.title['zh']}  {target.title['en']}  [{target_id(policy, target)}]"
    yield f"  文件 document: {policy.document} {target.clause}".rstrip()
    if target.quote:
        yield f"  原文 quote: {target.quote}"
    if target.without_quote:
        yield f"  无原文 no quote: {target.without_quote}"
    yield f"  期限 until: {target.deadline}"
    yield f"  范围 scope: {target.scope}"
    if target.not_computed is not None:
        yield f"  不计算 not computed: {target.not_computed['zh']} {target.not_computed['en']}"
    elif target.applies_to == "region":
        yield "  仅为对比：目标针对上述范围整体，不代表本企业完成情况"
        yield "  a comparison: the target is for that scope as a whole; one enterprise does not fulfil it"


def judgement_lines(one: Judgement) -> Iterator[str]:
    """One line of judgement: what was judged, the figures, and the verdict."""
    definition = one.definition
    if definition is None:
        yield f"{asked_text(one.reading)}: {_verdict(one)}"
        return
    reading = f"（{one.reading.means['zh']} {one.reading.means['en']}）" if one.reading.means else ""
    yield f"{definition.id}: {asked_text(one.reading)}{reading}"
    figures = {
        "现值 now": _point(definition, one.now),
        "判定值 judged": _point(definition, one.judged) if one.judged != one.now else None,
        "基期 baseline": one.baseline and _baseline(definition, one.baseline),
        "目标 goal": _value(definition, one.goal),
        "差距 distance": _difference(definition, one.distance),
        "进度 progress": None if one.progress is None else f"{float(one.progress):.1%}",
        "每月需 needed a month": _difference(definition, one.needed),
        "近期每月 pace a month": one.pace
        and f"{_difference(definition, one.pace.per_month)} ({one.pace.since} … {one.pace.to})",
    }
    yield "  " + "; ".join(f"{name} {text}" for name, text in figures.items() if text)
    yield f"  {_verdict(one)}"


def _point(definition: Definition, at: Point | None) -> str | None:
    """`66.67% (12/18, 2026-10-31)`; amounts of money in yuan."""
    if at is None:
        return None
    counts = [at.numerator, at.denominator]
    text = "/".join(map(yuan if definition.weight == "asset_value" else str, counts))
    return f"{_value(definition, at.rate) or reason_text(at.reason)} ({text}, {at.day})"


def _baseline(definition: Definition, baseline: Baseline) -> str:
    return f"{_value(definition, baseline.rate(definition))} ({baseline.day}, {baseline.source})"


def _value(definition: Definition, rate: Fraction | None) -> str | None:
    """`66.67%`, or how many per 10,000."""
    if rate is None:
        return None
    return f"{_said(definition, rate):.2f}{'%' if definition.unit == 'share' else ''}"


def _difference(definition: Definition, rate: Fraction | None) -> str | None:
    """In percentage points, or per 10,000 employees."""
    return None if rate is None else f"{_said(definition, rate):+.2f}"


def _verdict(one: Judgement) -> str:
    text = VERDICTS[one.verdict].both
    if one.verdict is Verdict.CANNOT_BE_JUDGED:
        return f"{text}: {why_not(one.reason).both}"
    if one.definition is not None and one.distance is not None:
        by, unit = f"{_said(one.definition, -one.distance):.2f}", POINTS[one.definition.unit]
        text = text.format(zh=f"{by} {unit.zh}", en=f"{by} {unit.en}")
    if one.verdict in (Verdict.PASSED_MET, Verdict.PASSED_MISSED) and one.judged is not None:
        kept = "" if one.of_deadline else f"，{NONE_OF_DEADLINE.both}"
        text += f"（{BY_FIGURE.both} {one.judged.day}{kept}）"
    return text


def _said(definition: Definition, rate: Fraction) -> float:
    """A rate, or a difference of two, as people say it: percent (points), or per 10,000 employees."""
    return float(rate * definition.scale)


def target_json(policy: Policy, target: Target) -> dict[str, Any]:
    """What the policy's file says of a target."""
    content = target.model_dump(mode="json", exclude_unset=True, exclude={"id", "readings"})
    readings = [
        {**one.model_dump(mode="json", exclude_unset=True), "value": float(one.value)}
        for one in target.readings
    ]
    head = {"id": target_id(policy, target), "document": policy.document}
    return head | content | {"applies_to": target.applies_to, "readings": readings}


def judgement_json(one: Judgement) -> dict[str, Any]:
    """Values and differences are in `unit`: percent (points), or per 10,000. Progress is a quotient."""
    definition = one.definition
    found: dict[str, Any] = {"reading": one.reading.id, "verdict": one.verdict.value, "reason": one.reason}
    if definition is None:
        return {"definition": None, **found}

    def said(rate: Fraction | None) -> float | None:
        return None if rate is None else _said(definition, rate)

    def of_point(at: Point | None) -> dict[str, Any] | None:
        if at is None:
            return None
        counts = {"numerator": at.numerator, "denominator": at.denominator}
        return {"day": at.day.isoformat(), **counts, "value": said(at.rate), "reason": at.reason}

    baseline, pace = one.baseline, one.pace
    return {
        "definition": {"id": definition.id, "version": definition.version},
        "unit": "percent" if definition.unit == "share" else definition.unit,
        **found,
        "now": of_point(one.now),
        "judged": of_point(one.judged),
        "of_deadline": one.of_deadline,
        "baseline": None
        if baseline is None
        else {
            "day": baseline.day.isoformat(),
            "value": said(baseline.rate(definition)),
            "source": baseline.source,
        },
        "goal": said(one.goal),
        "distance": said(one.distance),
        "progress": None if one.progress is None else float(one.progress),
        "needed_per_month": said(one.needed),
        "pace": None
        if pace is None
        else {
            "since": pace.since.isoformat(),
            "to": pace.to.isoformat(),
            "per_month": said(pace.per_month),
        },
    }
