"""Rounds and what is told of them. A sample is a dict of numbers; a table keeps every sample of every row, so that nothing is
decided before the end: medians and spreads are made when they are shown."""
import statistics
import sys
from typing import NamedTuple

GIB = 1 << 30
MIB = 1 << 20


class Spread(NamedTuple):
    """Median, least and greatest of a few samples."""
    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values):
        values = list(values)
        return cls(statistics.median(values), min(values), max(values))


class Table:
    """`rows`: {name: function that takes one sample}. Each round takes one of each, in order, so that what else the machine
    does meets all rows alike. `size` is the bytes that one sample moves, 0 where that says nothing."""

    def __init__(self, key, title, size=0):
        self.key, self.title, self.size, self.samples = key, title, size, {}

    def measure(self, rounds, rows):
        self.samples.update({name: [] for name in rows})
        for n in range(rounds):
            for name, sample in rows.items():
                say(f"{self.title}: round {n + 1} of {rounds}, {name}")
                self.samples[name].append(sample())
        say("")
        return self

    def add(self, name, sample):
        self.samples[name] = [sample]

    def spread(self, name, field):
        return Spread.of(sample[field] for sample in self.samples[name])

    def per_gib(self, name, field):
        return Spread.of(sample[field] * GIB / self.size for sample in self.samples[name])

    def times_faster(self, name, other):
        """How many times as fast as `other`: the ratio inside each round, then its median over the rounds."""
        return Spread.of(theirs["seconds"] / ours["seconds"] for ours, theirs in zip(self.samples[name], self.samples[other]))

    def ratio(self, name, other, field):
        return Spread.of(ours[field] / theirs[field] for ours, theirs in zip(self.samples[name], self.samples[other]))


def say(text):
    """Progress, on a terminal only."""
    if sys.stderr.isatty():
        print(f"\r{text[:100]:100}\r", end="", file=sys.stderr, flush=True)
