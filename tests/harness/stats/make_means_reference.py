#!/usr/bin/env python3
"""Writes means_reference.h: means of paired differences, tests of equivalence and what they reach,
Holm's adjustment, rates of conformal alarms, random numbers:
make_means_reference.py > means_reference.h   (needs numpy, scipy, statsmodels)

Student's interval and p: scipy. Of clusters: a regression on a constant with errors by cluster. A series: the formula that the header states, on numpy arrays. TOST
and Holm: statsmodels. Random numbers: the paper's, with whole numbers of Python.
"""

import itertools
import platform
import random

import numpy as np
import scipy
import statsmodels
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW
from reference_header import print_rows

MASK = 2**64 - 1


def samples():
    source = random.Random(20261)
    yield [0.5, 0.25]
    yield [1.0, -1.0, 1.0, -1.0, 1.0, -1.0]
    yield [source.gauss(0.001, 0.01) for _ in range(10)]
    yield [source.gauss(3e5, 1.0) for _ in range(7)]
    yield [0.0] * 19 + [0.125]
    for r in (0.3, 0.6, 0.9):
        x, series = 0.0, []
        for _ in range(40):
            x = r * x + source.gauss(0, 1e-4)
            series.append(x)
        yield series


def series_mean(x):
    """mean, error, freedom, correlation; None if fewer than 2 count."""
    n = len(x)
    if n < 5:
        return None
    # Of pairs of neighbours, by Marriott and Pope; their expectation is solved for the correlation.
    centred = x - x.mean()
    m = n - 1
    seen = np.mean(centred[1:] * centred[:-1]) / np.mean(centred**2)
    r = max((m * seen + 1) / (m - 3), 0.0)
    counted = n * (1 - r) / (1 + r)
    if r >= 1 or counted < 2:
        return None
    # The squares about the mean of the series lack those of that mean about the truth.
    variance = x.var(ddof=0) / (1 - 1 / counted)
    return x.mean(), np.sqrt(variance / counted), counted - 1, r


def splitmix64(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


def print_means():
    paired, series, tost = [], [], []
    for x in samples():
        a = np.array(x)
        test = stats.ttest_1samp(a, 0)
        interval = test.confidence_interval(0.9)
        paired.append([x, a.mean(), stats.sem(a), len(x) - 1.0, interval.low, interval.high, test.pvalue])
        known = series_mean(a)
        if known is not None:
            ends = stats.t.interval(0.9, known[2], known[0], known[1])
            series.append([x, *known[:4], *ends])
        reach = max(abs(interval.low), abs(interval.high))
        for margin in (0.5 * reach, 0.99 * reach, 1.01 * reach, 3 * reach):
            tost.append([x, float(margin), DescrStatsW(a).ttost_mean(-margin, margin)[0]])
    fields = "std::vector<double> differences;\n  double mean, error, freedom, low, high, p"
    print_rows("PairedCase", fields, paired)
    fields = "std::vector<double> differences;\n  double mean, error, freedom, correlation, low, high"
    print_rows("SeriesCase", fields, series)
    print_rows("TostCase", "std::vector<double> differences;\n  double margin, p", tost)


def print_clusters():
    source = random.Random(20263)
    rows = []
    for clusters, sizes in ((2, (1,)), (12, (1,)), (25, (4,)), (40, (1, 2, 7))):
        differences, numbers = [], []
        for g in range(clusters):
            shared = source.gauss(0.01, 0.02)
            for _ in range(source.choice(sizes)):
                differences.append(shared + source.gauss(0, 0.01))
                numbers.append(g)
        order = list(range(len(numbers)))
        source.shuffle(order)  # the rows of one need not stand together
        differences, numbers = [differences[i] for i in order], [numbers[i] for i in order]
        fit = sm.OLS(differences, np.ones(len(numbers))).fit(
            cov_type="cluster", cov_kwds={"groups": np.array(numbers)}, use_t=True
        )
        ends, mean = fit.conf_int(0.1)[0], fit.params[0]
        rows.append([differences, numbers, mean, fit.bse[0], clusters - 1.0, *ends, fit.pvalues[0]])
    fields = "std::vector<double> differences;\n  std::vector<std::int64_t> clusters;\n  "
    print_rows("ClusteredCase", fields + "double mean, error, freedom, low, high, p", rows)


def print_plans():
    rows = []
    for alpha, power in ((0.05, 0.8), (0.05, 0.9), (0.01, 0.95), (0.2, 0.1)):
        for deviation, n in ((1.0, 2), (0.01, 3), (0.3, 10), (2.0, 50), (1e-4, 1000)):
            t = stats.t(n - 1)
            margin = (t.isf(alpha) + t.isf((1 - power) / 2)) * deviation / np.sqrt(n)
            rows.append([alpha, power, deviation, n, margin])
    print_rows("PlanCase", "double alpha, power, deviation;\n  std::int64_t n;\n  double margin", rows)


def print_holm():
    source = random.Random(20262)
    families = [[0.01, 0.04, 0.03, 0.005], [0.5], [0.0, 1.0, 0.0], [0.02, 0.02, 0.02], [0.6, 0.7, 0.8]]
    families += [[source.random() ** 3 for _ in range(12)]]
    print_rows("HolmCase", "std::vector<double> p, adjusted",
               [[p, multipletests(p, method="holm")[1]] for p in families])


def print_conformal():
    rows = []
    for runs in (1, 19, 20, 59, 98, 99, 299, 1000):
        for alpha in (0.01, 0.05, 0.1, 0.3):
            ranks = sum(1 for k in range(1, runs + 2) if k / (runs + 1) <= alpha)
            worst = stats.beta.ppf(0.95, ranks, runs + 1 - ranks) if ranks else 0.0
            rows.append([runs, alpha, ranks / (runs + 1), worst])
    print_rows("AlarmCase", "std::size_t runs;\n  double alpha, mean, worst", rows)


def print_random():
    rows = [[seed, list(itertools.islice(splitmix64(seed), 5))] for seed in (0, 1, 1234567, 2**63)]
    print("struct RandomCase {\n  std::uint64_t seed;\n  std::vector<std::uint64_t> numbers;\n};\n")
    print("inline const std::vector<RandomCase> kRandomCases = {")
    for seed, numbers in rows:
        print(f"    {{{seed}u, {{" + ", ".join(f"{x}u" for x in numbers) + "}},")
    print("};\n")


def main():
    print("// Written by make_means_reference.py with Python", platform.python_version(), end="")
    print(f", numpy {np.__version__},")
    print(f"// scipy {scipy.__version__} and statsmodels {statsmodels.__version__}.")
    print("#pragma once\n\n#include <cstddef>\n#include <cstdint>\n#include <vector>\n")
    print("namespace twinrun::harness {\n")
    print_means()
    print_clusters()
    print_plans()
    print_holm()
    print_conformal()
    print_random()
    print("}  // namespace twinrun::harness")


if __name__ == "__main__":
    main()
