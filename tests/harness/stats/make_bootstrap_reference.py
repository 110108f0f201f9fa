#!/usr/bin/env python3
"""Writes bootstrap_reference.h: studentised bootstrap intervals of small samples:
make_bootstrap_reference.py > bootstrap_reference.h   (needs numpy, scikit-learn)

Every draw is made into a list of items, the standard error of which is computed anew; our code counts
how often a cluster was drawn. The random numbers are the paper's, with whole numbers of Python. Macro
F1 is that of scikit-learn on the drawn items, its influences from leaving items out for real.
"""

import math
import platform
import random

import numpy as np
import sklearn
from sklearn.metrics import f1_score
from reference_header import print_rows

MASK = 2**64 - 1


def draws(seed, bound, resamples):
    """Steele, Lea, Flood 2014, with the bounded draw of Lemire 2019."""
    state = seed

    def number():
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def below():
        while True:
            product = (number() >> 32) * bound
            if product % 2**32 >= 2**32 % bound:
                return product >> 32

    return [[below() for _ in range(bound)] for _ in range(resamples)]


def ratio(groups):
    """Mean of all items of `groups`, and its standard error over groups."""
    size = sum(len(g) for g in groups)
    mean = math.fsum(x for g in groups for x in g) / size
    squares = math.fsum((math.fsum(g) - mean * len(g)) ** 2 for g in groups)
    error = math.sqrt(len(groups) / (len(groups) - 1) * squares) / size
    return mean, error if error > 1e-13 else 0.0


def ends(estimate, error, values, confidence):
    """low, high from the draws' (value, error)."""
    t = []
    for value, its_error in values:
        off = value - estimate
        off = 0.0 if abs(off) < 1e-13 else off
        t.append(off / its_error if its_error else math.copysign(math.inf, off) if off else 0.0)
    t.sort()
    ranks = math.floor((len(t) + 1) * (1 - confidence) / 2 + 1e-9)
    return estimate - t[-ranks] * error, estimate - t[ranks - 1] * error


def mean_case(differences, clusters, confidence, resamples, seed):
    names = list(dict.fromkeys(clusters)) if clusters else list(range(len(differences)))
    of = clusters or names
    groups = [[d for d, c in zip(differences, of) if c == name] for name in names]
    estimate, error = ratio(groups)
    values = [ratio([groups[g] for g in drawn]) for drawn in draws(seed, len(groups), resamples)]
    return [differences, clusters, confidence, resamples, seed, estimate, *ends(estimate, error, values, confidence)]


def macro_difference(items, references, a, b):
    labels = sorted({references[i] for i in items})
    y = [references[i] for i in items]
    score = [f1_score(y, [x[i] for i in items], labels=labels, average="macro", zero_division=0) for x in (a, b)]
    return float(score[1] - score[0])


def macro_case(references, a, b, confidence, resamples, seed):
    n = len(references)
    estimate = macro_difference(range(n), references, a, b)
    without = [macro_difference([i for i in range(n) if i != left], references, a, b) for left in range(n)]
    influence = [(n - 1) * (sum(without) / n - x) for x in without]
    error = math.sqrt((n - 1) / n * sum((x - sum(without) / n) ** 2 for x in without))
    values = []
    for drawn in draws(seed, n, resamples):
        own = [influence[i] for i in drawn]
        deviation = float(np.std(own, ddof=1)) / math.sqrt(n)
        values.append((macro_difference(drawn, references, a, b), deviation if deviation > 1e-12 else 0.0))
    return [references, a, b, confidence, resamples, seed, estimate, *ends(estimate, error, values, confidence)]


def main():
    source = random.Random(20263)
    smooth = [source.gauss(0.1, 1) for _ in range(15)]
    skewed = [0.0] * 20 + [source.random() for _ in range(10)]
    bag = [source.choice([0.0, 0.0, 0.5, -0.25, 1.0]) for _ in range(40)]
    names = sorted(source.randrange(12) * 7 - 30 for _ in range(40))
    source.shuffle(names)
    rare = [0.0] * 300 + [1.0, 0.5]  # of which 2 differ: no interval of 0.9, one of 0.5
    means = [mean_case(smooth, [], 0.95, 999, 1), mean_case(skewed, [], 0.9, 1999, 2),
             mean_case(bag, names, 0.9, 1999, 3), mean_case(bag, [], 0.9, 3000, 8), mean_case(rare, [], 0.5, 999, 9)]
    right = [source.choice("xxxxyyz") for _ in range(60)]
    a = [x if source.random() < 0.8 else source.choice("xyzw") for x in right]
    b = [x if source.random() < 0.9 else source.choice("xyzw") for x in a]
    print("// Written by make_bootstrap_reference.py with Python", platform.python_version(), end="")
    print(f", numpy {np.__version__}\n// and scikit-learn {sklearn.__version__}.")
    print("#pragma once\n\n#include <cstdint>\n#include <string>\n#include <vector>\n")
    print("namespace twinrun::harness {\n")
    rest = "  double confidence;\n  std::int64_t resamples;\n  std::uint64_t seed;\n  double estimate, low, high"
    print_rows("BootstrapCase", "std::vector<double> differences;\n  std::vector<std::int64_t> clusters;\n" + rest, means)
    print_rows("MacroCase", "std::vector<std::string> references, a, b;\n" + rest,
               [macro_case(right, a, b, 0.9, 999, 4)])
    print("}  // namespace twinrun::harness")


if __name__ == "__main__":
    main()
