"""What a run has shown: counts, rates, latencies; as a table, as one line, as a dictionary for JSON."""

from typing import Any, NamedTuple


class Totals(NamedTuple):
    """Counts at one moment."""

    published: int = 0
    confirmed: int = 0
    consumed: int = 0
    nacked: int = 0
    returned: int = 0

    def since(self, earlier: "Totals", seconds: float) -> tuple[float, float, float]:
        """Published, confirmed and consumed a second."""
        return (
            (self.published - earlier.published) / seconds,
            (self.confirmed - earlier.confirmed) / seconds,
            (self.consumed - earlier.consumed) / seconds,
        )


class Outcome(NamedTuple):
    """The figures of a whole run; latencies in microseconds by percentile."""

    totals: Totals
    measured_from: Totals
    seconds: float
    confirm_us: dict[str, int]
    end_to_end_us: dict[str, int]

    @property
    def rates(self) -> tuple[float, float, float]:
        """Published, confirmed and consumed a second, after the warm-up."""
        return self.totals.since(self.measured_from, self.seconds)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        published, confirmed, consumed = self.rates
        return {
            "published_per_s": round(published),
            "confirmed_per_s": round(confirmed),
            "consumed_per_s": round(consumed),
            **self.totals._asdict(),
            "seconds": round(self.seconds, 3),
            "confirm_us": self.confirm_us,
            "latency_us": self.end_to_end_us,
        }

    def table(self) -> str:
        """For people."""
        lines = [f"{'':12}{'total':>12}{'per second':>14}"]
        for name, total, rate in zip(Totals._fields, self.totals, self.rates, strict=False):
            lines.append(f"{name:12}{total:>12,}{rate:>14,.0f}")
        lines += [
            f"{name:12}{count:>12,}"
            for name, count in (("nacked", self.totals.nacked), ("returned", self.totals.returned))
            if count
        ]
        lines += ["", f"{'latency, µs':12}" + "".join(f"{name:>10}" for name in self.end_to_end_us)]
        for name, latency in (("confirm", self.confirm_us), ("end to end", self.end_to_end_us)):
            if any(latency.values()):
                lines.append(f"{name:12}" + "".join(f"{value:>10,}" for value in latency.values()))
        return "\n".join(lines)


def live_line(seconds: float, rates: tuple[float, float, float], latency: dict[str, int]) -> str:
    """How it goes, in one line."""
    published, confirmed, consumed = rates
    return (
        f"{seconds:6.1f} s  published {published:,.0f}/s  confirmed {confirmed:,.0f}/s  "
        f"consumed {consumed:,.0f}/s  p50 {latency['p50']:,} µs  p99 {latency['p99']:,} µs"
    )
