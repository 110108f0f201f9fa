#!/usr/bin/env python3
"""Writes schedule_reference.h: learning rates that transformers' schedules give, step by step.

Run with torch and transformers 5:  make_schedule_reference.py > schedule_reference.h
"""
import torch
import transformers
from transformers import (get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup,
                          get_linear_schedule_with_warmup)

# (name, base rate, warm-up steps, total steps)
CASES = [(name, lr, warmup, total)
         for name in ("constant", "linear", "cosine")
         for lr, warmup, total in ((2e-4, 2, 10), (1e-3, 0, 7), (3e-5, 17, 173), (0.1, 5, 5), (1.0, 9, 4))]


def rates(name, lr, warmup, total):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    if name == "constant":
        schedule = get_constant_schedule_with_warmup(optimizer, warmup)
    elif name == "linear":
        schedule = get_linear_schedule_with_warmup(optimizer, warmup, total)
    else:
        schedule = get_cosine_schedule_with_warmup(optimizer, warmup, total)
    for _ in range(total):
        yield optimizer.param_groups[0]["lr"]
        optimizer.step()
        schedule.step()


def main():
    print(f"// Written by make_schedule_reference.py from transformers {transformers.__version__}.")
    print("#pragma once\n\n#include <cstdint>\n#include <string_view>\n#include <vector>\n")
    print("namespace twinrun::trainer {\n")
    print("/// The learning rates of steps 1 .. total.")
    print("struct ScheduleReference {\n  std::string_view name;\n  double base_lr;")
    print("  std::int64_t warmup_steps, total_steps;\n  std::vector<double> rates;\n};\n")
    print("inline const ScheduleReference kScheduleReferences[] = {")
    for name, lr, warmup, total in CASES:
        print(f'    {{"{name}",\n     {lr!r},\n     {warmup},\n     {total},\n     {{')
        texts = [rate.hex() for rate in rates(name, lr, warmup, total)]
        for start in range(0, total, 3):
            print("         " + ", ".join(texts[start:start + 3]) + ",")
        print("     }},")
    print("};\n\n}  // namespace twinrun::trainer")


if __name__ == "__main__":
    main()
