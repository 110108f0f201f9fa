#!/usr/bin/env python3
"""Writes randomisation_reference.h: p-values of paired randomisation tests of small samples:
make_randomisation_reference.py > randomisation_reference.h   (needs scikit-learn)

Sums of differences are fractions, so that ties are ties. `p` comes from the draws that our code has to
make, the random numbers being the paper's with whole numbers of Python; `exact` from all arrangements.
Macro F1 is that of scikit-learn on answers that were exchanged for real, rounded to 12 digits, where
two that are not the same would differ.
"""

import itertools
import platform
import random
from fractions import Fraction

import sklearn
from sklearn.metrics import f1_score
from reference_header import print_rows

MASK = 2**64 - 1
MOST = 16  # clusters whose arrangements are all gone through


def arrangements(seed, clusters, draws):
    """Steele, Lea, Flood 2014: 64 clusters a number, from its lowest bit on."""
    state = seed

    def number():
        nonlocal state
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    for _ in range(draws):
        words = [number() for _ in range(0, clusters, 64)]
        yield [words[g // 64] >> (g % 64) & 1 for g in range(clusters)]


def p_values(clusters, statistic, draws, seed):
    """p, exact (0 if there are too many arrangements)."""
    seen = abs(statistic([0] * clusters))
    further = sum(abs(statistic(a)) >= seen for a in arrangements(seed, clusters, draws))
    exact = 0.0
    if clusters <= MOST:
        every = [abs(statistic(a)) >= seen for a in itertools.product((0, 1), repeat=clusters)]
        exact = sum(every) / len(every)
    return (1 + further) / (1 + draws), exact


def mean_case(differences, clusters, draws, seed):
    names = list(dict.fromkeys(clusters)) if clusters else list(range(len(differences)))
    of = clusters or names
    sums = [sum(d for d, c in zip(differences, of) if c == name) for name in names]
    sums = [x for x in sums if x != 0]

    def total(swapped):
        return sum(-x if s else x for x, s in zip(sums, swapped))

    return [[float(d) for d in differences], clusters, draws, seed, *p_values(len(sums), total, draws, seed)]


def macro_case(references, a, b, draws, seed):
    differ = [i for i in range(len(a)) if a[i] != b[i]]
    labels = sorted(set(references))

    def score(answers):
        return f1_score(references, answers, labels=labels, average="macro", zero_division=0)

    def difference(swapped):
        first, second = list(a), list(b)
        for i, s in zip(differ, swapped):
            if s:
                first[i], second[i] = b[i], a[i]
        return round(float(score(second) - score(first)), 12)

    return [references, a, b, draws, seed, *p_values(len(differ), difference, draws, seed)]


def main():
    source = random.Random(20264)
    # Parts as F1 has them: sums that are equal, of which doubles make two or three. Without allowing for
    # it `exact` would come out as 0.568.
    parts = ((1, 3), (2, 5), (1, 2), (1, 7), (1, 10), (-1, 3), (-1, 3), (5, 14), (1, 6), (-2, 3))
    parts = [Fraction(n, d) for n, d in parts]
    few = [Fraction(0)] * 40 + [Fraction(1), Fraction(1), Fraction(1), Fraction(1, 3), Fraction(2, 3)]
    smooth = [Fraction(source.gauss(0.4, 1)) for _ in range(14)]
    many = [Fraction(source.choice((-1, 1)), source.choice((1, 2, 3, 5, 7))) for _ in range(150)]
    bag = [Fraction(source.choice((0, 0, 1, -1, 2)), source.choice((1, 3, 6))) for _ in range(40)]
    names = [source.randrange(12) * 7 - 30 for _ in range(40)]
    means = [mean_case(parts, [], 1999, 1), mean_case(few, [], 1999, 2), mean_case(smooth, [], 1999, 3),
             mean_case(many, [], 999, 4), mean_case(bag, names, 1999, 5)]
    right = [source.choice("xxxxyyz") for _ in range(60)]
    a = [x if source.random() < 0.8 else source.choice("xyzw") for x in right]
    b = [x if source.random() < 0.5 else y for x, y in zip(right, a)]
    differ = [i for i in range(60) if a[i] != b[i]][8:]
    for i in differ:  # eight are left
        b[i] = a[i]
    print("// Written by make_randomisation_reference.py with Python", platform.python_version())
    print(f"// and scikit-learn {sklearn.__version__}.")
    print("#pragma once\n\n#include <cstdint>\n#include <string>\n#include <vector>\n")
    print("namespace twinrun::harness {\n")
    rest = "  std::int64_t draws;\n  std::uint64_t seed;\n  double p, exact"
    print_rows("SignFlipCase", "std::vector<double> differences;\n  std::vector<std::int64_t> clusters;\n" + rest, means)
    print_rows("SwapCase", "std::vector<std::string> references, a, b;\n" + rest, [macro_case(right, a, b, 999, 6)])
    print("}  // namespace twinrun::harness")


if __name__ == "__main__":
    main()
