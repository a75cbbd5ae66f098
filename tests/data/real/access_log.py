"""Summaries of a web server's access log."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

LINE = re.compile(
    r'(?P<host>\S+) \S+ \S+ \[(?P<time>[^\]]+)\] '
    r'"(?P<method>[A-Z]+) (?P<path>\S+) [^"]*" (?P<status>\d{3}) (?P<size>\d+|-)'
)
TIME_FORMAT = "%d/%b/%Y:%H:%M:%S %z"


@dataclass(frozen=True)
class Hit:
    """One request that the server answered."""

    host: str
    time: datetime
    method: str
    path: str
    status: int
    size: int

    @property
    def failed(self) -> bool:
        return self.status >= 500

    @property
    def section(self) -> str:
        """The first part of the path, which tells the parts of the site apart."""
        parts = self.path.split("?", 1)[0].strip("/").split("/")
        return parts[0] or "home"


def parse_line(line: str) -> Hit | None:
    """The hit that a line describes, or None where it is no such line."""
    match = LINE.match(line)
    if match is None:
        return None
    size = match["size"]
    return Hit(
        host=match["host"],
        time=datetime.strptime(match["time"], TIME_FORMAT),
        method=match["method"],
        path=match["path"],
        status=int(match["status"]),
        size=0 if size == "-" else int(size),
    )


def parse(lines: Iterable[str]) -> Iterator[Hit]:
    for line in lines:
        hit = parse_line(line)
        if hit is not None:
            yield hit


class Summary:
    """Counts that grow hit by hit, so that a log need not fit into memory."""

    def __init__(self) -> None:
        self.hits = 0
        self.bytes_sent = 0
        self.failures: list[Hit] = []
        self.by_section: Counter[str] = Counter()
        self.hosts_by_hour: dict[int, set[str]] = defaultdict(set)

    def add(self, hit: Hit) -> None:
        self.hits += 1
        self.bytes_sent += hit.size
        self.by_section[hit.section] += 1
        self.hosts_by_hour[hit.time.hour].add(hit.host)
        if hit.failed:
            self.failures.append(hit)

    def error_rate(self) -> float:
        if self.hits == 0:
            return 0.0
        return len(self.failures) / self.hits

    def busiest_hour(self) -> int | None:
        # The hour with the most different visitors, not with the most requests.
        if not self.hosts_by_hour:
            return None
        return max(self.hosts_by_hour, key=lambda hour: len(self.hosts_by_hour[hour]))

    def lines(self, top: int = 5) -> list[str]:
        """The summary as text, the most visited sections first."""
        lines = [f"{self.hits} hits, {self.bytes_sent / 1024:.1f} KiB"]
        for section, count in self.by_section.most_common(top):
            lines.append(f"  {section:<20} {count:>8}")
        lines.append(f"error rate {self.error_rate():.2%}")
        return lines


def summarise(lines: Iterable[str]) -> Summary:
    summary = Summary()
    for hit in parse(lines):
        summary.add(hit)
    return summary
