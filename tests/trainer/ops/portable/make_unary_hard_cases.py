#!/usr/bin/env python3
"""Writes unary_hard_cases.h from what bench/unary_exhaustive prints.

Run:  build/release/bin/unary_exhaustive | make_unary_hard_cases.py > unary_hard_cases.h
"""

import re
import sys

FUNCTIONS = {"exp": "kExp", "log": "kLog", "rsqrt": "kRsqrt", "sin": "kSin", "cos": "kCos"}

print("""\
// Written by make_unary_hard_cases.py from the output of bench/unary_exhaustive.
#pragma once

#include "trainer/ops/portable/unary_loops.h"

namespace twinrun::trainer::portable {

struct HardCase {
  Unary function;
  float x;
  float y;  ///< correctly rounded, by MPFR
};

/// Of all floats those whose exact results lie nearest to the middle between two floats.
constexpr HardCase kHardCases[] = {""")
function = None
for line in sys.stdin:
    if found := re.match(r"(\w+) +\d+ inputs", line):
        function = FUNCTIONS[found[1]]
    elif found := re.match(r" +hard (\S+) (\S+) ", line):
        print(f"    {{Unary::{function}, {found[1]}f, {found[2]}f}},")
print("""\
};

}  // namespace twinrun::trainer::portable""")
