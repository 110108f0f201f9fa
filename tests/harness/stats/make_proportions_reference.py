#!/usr/bin/env python3
"""Writes proportions_reference.h: intervals and p-values of proportions, of one and of two that are
paired:  make_proportions_reference.py > proportions_reference.h   (needs scipy)

Clopper-Pearson: the tails of scipy's binomial distribution, inverted by Brent's method (its own interval stops
at 1e-12, which is much of a bound near 0). McNemar: scipy. Tango: by its definition, with 50 digits. The likelihood of the
three kinds of items, given the difference, is maximised by halving, and so is the score test inverted;
nothing of the way our code goes (a cubic) is used.
"""

import decimal
import platform
from decimal import Decimal

import scipy
from scipy.optimize import brentq
from scipy.stats import binom, binomtest, norm
from reference_header import print_rows

decimal.getcontext().prec = 50

BINOMIAL = [(0, 1), (1, 1), (0, 59), (59, 59), (1, 29), (15, 148), (81, 263), (3, 10), (7, 14), (1, 100000)]
BINOMIAL += [(99999, 100000), (500000, 1000000)]
# only_a, only_b, n: none, all, one item, one-sided, both sides, large
TANGO = [(0, 0, 1), (1, 0, 1), (0, 1, 1), (0, 0, 2), (0, 0, 200), (5, 0, 5), (0, 5, 5), (3, 2, 5), (1, 0, 44)]
TANGO += [(7, 1, 21), (16, 6, 161), (86, 150, 1600), (10, 0, 100), (0, 60, 100), (19, 0, 20), (25, 25, 50)]
TANGO += [(1, 98, 100), (13, 3, 1319), (2, 5, 500), (0, 1, 1000000), (400000, 400500, 1000000)]
MCNEMAR = [(0, 0), (1, 0), (0, 6), (5, 5), (7, 1), (6, 16), (150, 86), (1000, 1100), (0, 60)]


def binomial_bounds(successes, trials, tail):
    """lower, upper: so many or more, or fewer, have probability `tail`."""
    tight = {"xtol": 1e-300, "rtol": 1e-14, "maxiter": 1000}
    lower, upper = 0.0, 1.0
    if successes > 0:
        lower = brentq(lambda p: binom.sf(successes - 1, trials, p) - tail, 0, 1, **tight)
    if successes < trials:
        upper = brentq(lambda p: binom.cdf(successes, trials, p) - tail, 0, 1, **tight)
    return lower, upper


def halved(low, high, is_above, steps=180):
    """Where `is_above` turns true."""
    for _ in range(steps):
        middle = (low + high) / 2
        if is_above(middle):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def only_a_given(difference, only_a, only_b, n):
    """Most likely probability of an item that only a has, where only b's is that plus `difference`."""
    agreed = n - only_a - only_b

    def slope_is_negative(q):
        slope = -2 * agreed / (1 - 2 * q - difference) if agreed else Decimal(0)
        slope += only_b / (q + difference) if only_b else 0
        slope += only_a / q if only_a else 0
        return slope < 0

    return halved(max(Decimal(0), -difference), (1 - difference) / 2, slope_is_negative)


def score_squared(difference, only_a, only_b, n):
    q = only_a_given(difference, only_a, only_b, n)
    variance = n * (2 * q + difference - difference * difference)
    off = only_b - only_a - n * difference
    return off * off / variance


def tango_upper(only_a, only_b, n, confidence):
    if only_b == n:
        return Decimal(1)
    z = Decimal(float(norm.isf((1 - confidence) / 2)))
    start = Decimal(only_b - only_a) / n
    return halved(start, Decimal(1), lambda d: score_squared(d, only_a, only_b, n) > z * z)


def main():
    print("// Written by make_proportions_reference.py with Python", platform.python_version(), end="")
    print(f" and scipy {scipy.__version__}.")
    print("#pragma once\n\n#include <cstdint>\n#include <vector>\n\nnamespace twinrun::harness {\n")
    rows = []
    for successes, trials in BINOMIAL:
        for confidence in (0.9, 0.95, 0.99):
            low, high = binomial_bounds(successes, trials, (1 - confidence) / 2)
            _, upper = binomial_bounds(successes, trials, 1 - confidence)
            rows.append([successes, trials, confidence] + [float(x) for x in (low, high, upper)])
    print_rows("BinomialCase", "std::int64_t successes, trials;\n  double confidence, low, high, upper", rows)
    rows = []
    for only_a, only_b, n in TANGO:
        for confidence in (0.9, 0.95, 0.99):
            low = -tango_upper(only_b, only_a, n, confidence)
            high = tango_upper(only_a, only_b, n, confidence)
            rows.append([only_a, only_b, n, confidence, float(low), float(high)])
    print_rows("TangoCase", "std::int64_t only_a, only_b, n;\n  double confidence, low, high", rows)
    rows = []
    for only_a, only_b in MCNEMAR:
        p = binomtest(only_a, only_a + only_b, 0.5).pvalue if only_a + only_b else 1.0
        rows.append([only_a, only_b, float(p)])
    print_rows("McnemarCase", "std::int64_t only_a, only_b;\n  double p", rows)
    print("}  // namespace twinrun::harness")


if __name__ == "__main__":
    main()
