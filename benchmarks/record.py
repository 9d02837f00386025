"""What a comparison has shown, as JSON for machines, Markdown for people, SVG for the README."""

import json
from pathlib import Path
from typing import Any

from chart import draw
from workloads import LATENCY, WORKLOADS, Workload

REFERENCE = "RabbitMQ"


def figure(workload: Workload, result: dict[str, Any]) -> float:
    """The number that counts: messages a second, or the median latency in microseconds."""
    value = result[workload.figure]
    return float(value["p50"] if workload.figure == LATENCY else value)


def ratio(workload: Workload, results: dict[str, dict[str, Any]], broker: str) -> float | None:
    """How many times as good as the reference; None where one of them has no figure."""
    if broker not in results or REFERENCE not in results:
        return None
    ours, theirs = figure(workload, results[broker]), figure(workload, results[REFERENCE])
    if not ours or not theirs:
        return None
    return theirs / ours if workload.figure == LATENCY else ours / theirs


def write(directory: Path, name: str, data: dict[str, Any]) -> None:
    """`data` has machine, brokers and figures; the ratios are added here."""
    brokers = list(data["brokers"])
    others = [broker for broker in brokers if broker != REFERENCE]
    rows = []
    for workload in WORKLOADS:
        results = data["figures"].get(workload.name)
        if results:
            rows.append((workload, results, [ratio(workload, results, broker) for broker in others]))
    data["ratios"] = {workload.name: dict(zip(others, ratios, strict=True)) for workload, _, ratios in rows}
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    (directory / f"{name}.md").write_text(_markdown(data, brokers, others, rows))
    bars = [(workload.name, ratios) for workload, _, ratios in rows]
    title = f"Times {data['brokers'].get(REFERENCE, REFERENCE)} (longer is better)"
    (directory / f"{name}.svg").write_text(draw(title, others, bars))


def _markdown(data: dict[str, Any], brokers: list[str], others: list[str], rows: list[Any]) -> str:
    lines = ["# Comparison", "", *(f"- {key}: {value}" for key, value in data["machine"].items())]
    lines += [f"- {name}: {version}" for name, version in data["brokers"].items()]
    lines += [
        "",
        "Messages consumed a second (published for the growing backlog; latencies: p50 / p99 in µs).",
    ]
    lines += ["In brackets: published a second, and the broker's CPU time for a message.", ""]
    lines.append(
        "| workload | " + " | ".join([*brokers, *(f"{name} ÷ {REFERENCE}" for name in others)]) + " |"
    )
    lines.append("|---|" + "---|" * (len(brokers) + len(others)))
    for workload, results, ratios in rows:
        cells = [_cell(workload, results.get(broker)) for broker in brokers]
        cells += ["–" if value is None else f"{value:.2f}" for value in ratios]
        lines.append(f"| {workload.name} | " + " | ".join(cells) + " |")
    lines += ["", "Commands:", "", "```"]
    lines += [f"{name}: {command}" for name, command in data["commands"].items()]
    return "\n".join([*lines, "```", "", "![ratios](compare.svg)", ""])


def _cell(workload: Workload, result: dict[str, Any] | None) -> str:
    if result is None:
        return "–"
    if workload.figure == LATENCY:
        return f"{result['latency_us']['p50']:,} / {result['latency_us']['p99']:,}"
    published, cpu = result["published_per_s"], result["cpu_us_per_message"]
    return f"{figure(workload, result):,.0f} ({published:,.0f}; {cpu:.1f} µs)"
