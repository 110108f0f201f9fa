#!/usr/bin/env python3
"""Writes mt19937_reference.h: bits that torch's CPU generator and initialiser give.

Run with torch 2.11 on a machine with FMA:  make_mt19937_reference.py > mt19937_reference.h
"""
import hashlib
import math

import torch

# (fan_out, fan_in, seed); sizes that are no multiple of 16, seeds that share their low 32 bits.
CASES = [(8, 576, 42), (8, 576, 2**32 + 42), (3, 5, 0), (1, 1, 1), (17, 3, 2**53 - 1), (16, 1536, 7),
         (5, 100003, 123456789)]


def hex_of(tensor):
    return ", ".join(f"0x{bits & 0xffffffff:08x}" for bits in tensor.view(torch.int32).tolist())


def digest(tensor):
    return hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()


def kaiming(fan_out, fan_in, seed):
    torch.manual_seed(seed)
    tensor = torch.empty(fan_out, fan_in)
    torch.nn.init.kaiming_uniform_(tensor, a=math.sqrt(5))
    return tensor


def main():
    print("// Written by make_mt19937_reference.py from torch " + torch.__version__.split("+")[0] + ".")
    print("#pragma once\n\n#include <array>\n#include <cstdint>\n#include <string_view>\n")
    print("namespace twinrun::trainer {\n")
    print("/// torch.nn.init.kaiming_uniform_(torch.empty(fan_out, fan_in), a=math.sqrt(5)).")
    print("struct KaimingReference {")
    print("  std::int64_t fan_out, fan_in;\n  std::uint64_t seed;")
    print("  std::array<std::uint32_t, 4> first;  ///< bits of the first elements, 0 beyond the last")
    print("  std::string_view sha256;             ///< of all bytes\n};\n")
    print("inline constexpr KaimingReference kKaimingReferences[] = {")
    for fan_out, fan_in, seed in CASES:
        tensor = kaiming(fan_out, fan_in, seed)
        first = torch.cat([tensor.flatten()[:4], torch.zeros(4)])[:4]
        print(f"    {{{fan_out},\n     {fan_in},\n     {seed}u,\n     {{{hex_of(first)}}},")
        print(f'     "{digest(tensor)}"}},')
    print("};\n")
    torch.manual_seed(42)
    words = torch.empty(1000, dtype=torch.int64).random_(-2**63, None)
    print("/// SHA-256 of 1,000 int64 of two words each (the first is the high one), drawn after")
    print("/// torch.manual_seed(42).")
    print(f'inline constexpr std::string_view kWordsSha256 =\n    "{digest(words)}";\n')
    # What peft draws for a module of rank 8 on 576 inputs and 192 outputs, and what is kept of it.
    torch.manual_seed(42)
    lora_a = torch.nn.Linear(576, 8, bias=False)
    lora_b = torch.nn.Linear(8, 192, bias=False)
    constructed = [digest(lora_a.weight.detach()), digest(lora_b.weight.detach())]
    torch.nn.init.kaiming_uniform_(lora_a.weight, a=math.sqrt(5))
    print("/// After torch.manual_seed(42): Linear(576, 8), Linear(8, 192), then the first once more.")
    print("inline constexpr std::string_view kModuleSha256[] = {")
    for value in constructed + [digest(lora_a.weight.detach())]:
        print(f'    "{value}",')
    print("};\n\n}  // namespace twinrun::trainer")


if __name__ == "__main__":
    main()
