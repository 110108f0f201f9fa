#!/usr/bin/env python3
"""Tokenizer of SmolLM2: ids equal to those of the `tokenizers` package, on random strings and on the case's data.

Exits 0 when all ids are equal, 1 after the first ten strings whose ids are not, 2 when it could not compare.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import unicodedata

import tokenizers


def code_points(*ranges):
    """Assigned code points that every Unicode since 14 classes alike, as far as unicodedata knows."""
    return [chr(c) for first, last in ranges for c in range(first, last + 1)
            if unicodedata.category(chr(c)) not in ("Cn", "Cs")]


ALPHABETS = {
    "ascii": [chr(c) for c in range(0x20, 0x7F)],
    "letters": list("abcdefghijklmnopqrstuvwxyz     ETAOIN"),
    "control": [chr(c) for c in range(0x00, 0x20)] + ["\x7f"],
    "latin": code_points((0xA0, 0x24F), (0x300, 0x36F)),
    "greek_cyrillic_arabic": code_points((0x370, 0x52F), (0x5D0, 0x6FF)),
    "indic_thai": code_points((0x900, 0xDFF), (0xE00, 0xE5B)),
    "cjk": code_points((0x3000, 0x30FF), (0x4E00, 0x5FFF), (0xAC00, 0xB0FF)),
    "emoji": code_points((0x1F300, 0x1F64F), (0x1F900, 0x1F9FF)) + ["\u200d", "\ufe0f"],
    "digits": list("0123456789") + code_points((0x660, 0x669), (0xB2, 0xB3), (0x2150, 0x218B),
                                               (0x2460, 0x249B), (0x1D7CE, 0x1D7FF)),
    "space": list(" \t\n\r\v\f\x85\xa0\u1680\u180e\u2000\u2007\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"),
    "astral": code_points((0x10000, 0x100FA), (0x10330, 0x1034A), (0x1D400, 0x1D7FF), (0x20000, 0x20FFF)),
    "private": [chr(c) for c in (0xE000, 0xF8FF, 0xF0000, 0x10FFFD, 0xFFFE, 0xFFFF)],
    "contractions": ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'LL", "\u2019s", "'", " '"],
}


def random_string(rng, special):
    parts = []
    for _ in range(rng.randint(1, 6)):
        kind = rng.choice(list(ALPHABETS) + ["special", "run"])
        if kind == "special":
            token = rng.choice(special) if special else ""
            # Whole, or cut: what looks like a special token and is none.
            parts.append(token if rng.random() < 0.7 else token[:rng.randint(0, len(token))])
        elif kind == "run":
            parts.append(rng.choice(rng.choice(list(ALPHABETS.values()))) * rng.randint(2, 40))
        else:
            parts.append("".join(rng.choices(ALPHABETS[kind], k=rng.randint(1, 24))))
    return "".join(parts)


def texts_of(data):
    """The texts of a JSONL file and the conversations as the chatml template renders them."""
    with open(data, encoding="utf-8") as lines:
        for line in lines:
            sample = json.loads(line)
            turns = sample.get("messages") or [
                {"role": "user", "content": sample["prompt"]},
                {"role": "assistant", "content": sample["response"]}]
            yield from (turn["content"] for turn in turns)
            yield "".join(f"<|im_start|>{t['role']}\n{t['content']}<|im_end|>\n" for t in turns)


def ids_of(tool, tokenizer_file, strings):
    lines = "".join(json.dumps(text) + "\n" for text in strings)
    done = subprocess.run([tool, tokenizer_file], input=lines.encode(), stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(2)
    return [json.loads(line) for line in done.stdout.splitlines()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build folder")
    parser.add_argument("--source", type=pathlib.Path, required=True, help="source tree")
    parser.add_argument("--strings", type=int, default=30000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tokenizer_file = options.source / ".cache/models/smollm2-135m-instruct/tokenizer.json"
    data = options.source / ".cache/data/chat.jsonl"
    if not tokenizer_file.is_file() or not data.is_file():
        print(f"no {tokenizer_file} or {data}: run baselines/smollm2-chat/fetch.py first", file=sys.stderr)
        sys.exit(2)

    reference = tokenizers.Tokenizer.from_file(str(tokenizer_file))
    special = [token.content for token in reference.get_added_tokens_decoder().values()]
    rng = random.Random(options.seed)
    strings = ["", " ", "a" * 20000, " " * 20000, "\u4e2d" * 5000]
    strings += [random_string(rng, special) for _ in range(options.strings)]
    strings += texts_of(data)

    ours = ids_of(options.build / "tests/trainer_encode_tool", tokenizer_file, strings)
    if len(ours) != len(strings):
        print(f"asked for {len(strings)} strings, got {len(ours)}", file=sys.stderr)
        sys.exit(2)
    theirs = [encoding.ids for encoding in reference.encode_batch(strings, add_special_tokens=False)]
    wrong = [i for i in range(len(strings)) if ours[i] != theirs[i]]
    for i in wrong[:10]:
        print(f"{strings[i][:200]!r}\n  twinrun    {ours[i][:40]}\n  tokenizers {theirs[i][:40]}")
    print(f"tokenizers {tokenizers.__version__}: {len(wrong)} of {len(strings)} strings differ"
          f" ({sum(map(len, theirs))} tokens, seed {options.seed})")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
