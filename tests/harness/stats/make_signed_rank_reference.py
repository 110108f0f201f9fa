#!/usr/bin/env python3
"""Writes signed_rank_reference.h: probabilities of the signed-rank statistic and intervals of small
samples, by counting, standard library only:  make_signed_rank_reference.py > signed_rank_reference.h

Nothing of the way our code goes is used. Probabilities: up to 16 ranks every one of the 2^n sign
patterns is looked at; beyond, patterns are counted with whole numbers, which up to 16 has to give the
same. Intervals: by their definition. A centre belongs to the interval unless the test rejects it, and
it is tested by ranking |x - centre| and counting sign patterns; centres tried lie between any two
places where that could change. (scipy has no such interval; its signed-rank p-values are these sums.)
"""

import itertools
import random
from fractions import Fraction

PROBABILITIES = [(5, 0), (6, 0), (6, 1), (8, 3), (8, 4), (10, 8), (12, 13), (16, 29), (16, 68)]
PROBABILITIES += [(20, 52), (25, 89), (40, 264), (60, 690), (60, 915), (100, 1955)]


def counts(n):
    """How many sign patterns of the ranks 1 .. n give each sum."""
    ways = [1]
    for rank in range(1, n + 1):
        longer = ways + [0] * rank
        for total, number in enumerate(ways):
            longer[total + rank] += number
        ways = longer
    return ways


def counts_one_by_one(n):
    ways = [0] * (n * (n + 1) // 2 + 1)
    for pattern in itertools.product((0, 1), repeat=n):
        ways[sum(rank for rank, sign in enumerate(pattern, 1) if sign)] += 1
    return ways


def probability(n, t):
    return Fraction(sum(counts(n)[: t + 1]), 2**n)


def rejected(values, centre, alpha):
    """Two-sided signed-rank test of `centre`, which no |x - centre| ties at."""
    order = sorted(values, key=lambda x: abs(x - centre))
    total = sum(rank for rank, x in enumerate(order, 1) if x > centre)
    n = len(values)
    tail = min(total, n * (n + 1) // 2 - total)
    return 2 * probability(n, tail) <= alpha


def interval(values, alpha):
    """The ends of the centres that are not rejected: places where ranks or signs change."""
    places = sorted({(x + y) / 2 for x in values for y in values})
    between = [(low + high) / 2 for low, high in zip(places, places[1:])]
    kept = [not rejected(values, centre, alpha) for centre in between]
    first, last = kept.index(True), len(kept) - 1 - kept[::-1].index(True)
    return places[first], places[last + 1]


def median(values):
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


def main():
    for n in range(1, 17):
        assert counts(n) == counts_one_by_one(n), n
    source = random.Random(20260301)
    print("// Written by make_signed_rank_reference.py, by counting.")
    print("#pragma once\n\n#include <vector>\n\nnamespace twinrun::harness {\n")
    print("struct SignedRankProbability {\n  int n, t;\n  double probability;\n};\n")
    print("inline const std::vector<SignedRankProbability> kSignedRankProbabilities = {")
    for n, t in PROBABILITIES:
        print(f"    {{{n}, {t}, {float(probability(n, t))!r}}},")
    print("};\n")
    print("struct SignedRankSample {\n  std::vector<double> values;")
    print("  double confidence, estimate, low, high;\n};\n")
    print("inline const std::vector<SignedRankSample> kSignedRankSamples = {")
    for n, alpha in ((6, 0.05), (7, 0.1), (8, 0.05), (9, 0.05), (10, 0.01), (12, 0.05), (15, 0.05)):
        # Different powers and parts of two: every sum of two is another one, and exact.
        values = [Fraction(source.randrange(-(2**30), 2**30), 2**24) for _ in range(n)]
        pairs = [(x + y) / 2 for i, x in enumerate(values) for y in values[i:]]
        assert len(set(pairs)) == len(pairs)
        low, high = interval(values, Fraction(str(alpha)))
        print("    {{" + ", ".join(repr(float(x)) for x in values) + "},")
        print(f"     {1 - alpha!r}, {float(median(pairs))!r}, {float(low)!r}, {float(high)!r}}},")
    print("};\n\n}  // namespace twinrun::harness")


if __name__ == "__main__":
    main()
