"""How often which latency: buckets that grow with the value, so that a sample costs one addition.

Compiled with the core. 64 buckets to the power of two: a percentile is at most 1.6 % below the sample.
"""

from typing import Final

from mypy_extensions import i64

BUCKETS: Final = 64 * 60
PERCENTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}


class Histogram:
    """Counts of whole microseconds."""

    def __init__(self) -> None:
        self.buckets: list[int] = [0] * BUCKETS
        self.count = 0
        self.highest: i64 = 0

    def clear(self) -> None:
        """Forget everything, as at the end of a warm-up."""
        self.buckets = [0] * BUCKETS
        self.count = 0
        self.highest = 0

    def record(self, microseconds: i64, times: i64) -> None:
        """Count a value `times` times; a clock that went backwards counts as nothing."""
        if microseconds < 0:
            microseconds = 0
        if microseconds > self.highest:
            self.highest = microseconds
        shift: i64 = 0
        while microseconds >> shift >= 128:
            shift += 1
        self.buckets[shift * 64 + (microseconds >> shift)] += times
        self.count += times

    def percentile(self, share: float) -> int:
        """The value that `share` of the samples do not exceed; 0 without samples."""
        wanted = share * self.count
        seen = 0
        for index, count in enumerate(self.buckets):
            seen += count
            if count and seen >= wanted:
                shift = max(0, index // 64 - 1)
                return (index - shift * 64) << shift
        return 0

    def summary(self) -> dict[str, int]:
        """The usual percentiles and the highest, in microseconds."""
        values = {name: self.percentile(share) for name, share in PERCENTILES.items()}
        return {**values, "max": int(self.highest)}
