#!/usr/bin/env python3
"""Tokenizers: pieces, ids and offsets equal to those of the `tokenizers` package and of SentencePiece.

Small vocabularies for each pre-tokenizer, with and without ignore_merges and NFC; SmolLM2's own tokenizer and the
case's data; two SentencePiece models. Exits 0 when all are equal, 1 after the first ten strings whose ids are not, 2
when it could not compare.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

import sentencepiece_reference
from tokenizer_strings import ALPHABETS, every_code_point, random_string

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")


def byte_level(use_regex):
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=use_regex)


PRE_TOKENIZERS = {
    "gpt2": lambda: byte_level(True),
    "digits": lambda: pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level(True)]),
    "llama3": lambda: pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), byte_level(False)]),
}


def corpus(rng, source):
    """Text of the repository, and of every alphabet, so that merges there exist."""
    for file in [source / "README.md", *sorted((source / "docs").glob("*.md"))]:
        yield from file.read_text(encoding="utf-8").splitlines(keepends=True)
    for alphabet in ALPHABETS.values():
        some = rng.sample(alphabet, min(len(alphabet), 60))
        yield from ("".join(rng.choices(some, k=40)) for _ in range(60))


def build(folder, pre_tokenizer, ignore_merges, nfc, lines):
    """Writes a tokenizer.json; with ignore_merges some words are tokens that no merges lead to."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = PRE_TOKENIZERS[pre_tokenizer]()
    tokenizer.decoder = decoders.ByteLevel()
    if nfc:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.train_from_iterator(lines, trainers.BpeTrainer(
        vocab_size=2500, show_progress=False, special_tokens=["<|begin|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    file = json.loads(tokenizer.to_str())
    if ignore_merges:
        file["model"]["ignore_merges"] = True
        tokens = [token for token in file["model"]["vocab"] if not token.startswith("<|")]
        rng = random.Random(len(tokens))
        for _ in range(2000):
            piece = rng.choice(tokens) + rng.choice(tokens)
            file["model"]["vocab"].setdefault(piece, len(file["model"]["vocab"]))
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.add_tokens([
        AddedToken("<left>", normalized=False, lstrip=True), AddedToken("<right>", normalized=False, rstrip=True),
        AddedToken("<both>", normalized=True, lstrip=True, rstrip=True), AddedToken("<x>", normalized=True),
        AddedToken("<x><y>", normalized=True), AddedToken("e\u0301te\u0301", normalized=True),
        AddedToken("\u1112\u1161", normalized=False)])
    tokenizer.save(str(folder / "tokenizer.json"))


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


class Parity:
    def __init__(self, tool):
        self.tool = tool
        self.wrong = 0

    def ours(self, what, strings, folder=None):
        """An answer of the tool for each string."""
        command = [self.tool, what] + ([folder] if folder else [])
        lines = "".join(json.dumps(text) + "\n" for text in strings)
        done = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=False)
        answers = done.stdout.splitlines()
        if done.returncode != 0 or len(answers) != len(strings):
            print(f"{command} gave {len(answers)} answers to {len(strings)} strings", file=sys.stderr)
            sys.exit(2)
        return [json.loads(line) for line in answers]

    def compare(self, name, strings, ours, theirs):
        wrong = [i for i, text in enumerate(strings) if ours[i] != theirs[i]]
        for i in wrong[:10]:
            print(f"{strings[i][:200]!r}\n  twinrun    {str(ours[i])[:400]}\n  reference  {str(theirs[i])[:400]}")
        print(f"{name}: {len(wrong)} of {len(strings)} strings differ")
        self.wrong += len(wrong)

    def pieces(self, name, folder, strings):
        reference = Tokenizer.from_file(str(folder / "tokenizer.json")).pre_tokenizer
        theirs = []
        for text in strings:
            theirs.append([text[begin:end] for _, (begin, end) in reference.pre_tokenize_str(text)])
        self.compare(f"{name}, pieces", strings, self.ours("pieces", strings, folder), theirs)

    def ids(self, name, folder, strings):
        """Ids, and offsets as characters: the same, or with NFC at least what the package has."""
        reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
        encodings = reference.encode_batch(strings, add_special_tokens=False)
        theirs = [encoding.ids for encoding in encodings]
        answers = self.ours("ids", strings, folder)
        self.compare(f"{name}, ids", strings, [ids for ids, _ in answers], theirs)
        off, lacking = 0, bytes_lacking(reference)
        for text, (ids, offsets), encoding in zip(strings, answers, encodings):
            # After a byte that the vocabulary lacks the package is out of step.
            if ids != encoding.ids or not lacking.isdisjoint(text.encode()):
                continue
            mine, other = characters(text, offsets), encoding.offsets
            if reference.normalizer is None or unicodedata.is_normalized("NFC", text):
                same = mine == other
            else:
                same = all(a <= c and d <= b for (a, b), (c, d) in zip(mine, other))
            if not same and not off:
                print(f"{text[:200]!r}\n  twinrun    {mine[:40]}\n  tokenizers {other[:40]}")
            off += not same
        print(f"{name}, offsets: {off} of {len(strings)} strings differ ({sum(map(len, theirs))} tokens)")
        self.wrong += off


def bytes_lacking(tokenizer):
    """The bytes that the vocabulary has no token for; the 68 that are not printable are written U+0100 and on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    other = [byte for byte in range(256) if byte not in printable]
    written = {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + i) for i, byte in enumerate(other)}
    return {byte for byte, character in written.items() if tokenizer.token_to_id(character) is None}


def characters(text, offsets):
    """Byte offsets [begin, end, ...] as the characters that they touch."""
    begins = [0] * (len(text.encode()) + 1)
    position = 0
    for i, character in enumerate(text):
        for _ in character.encode():
            begins[position] = i
            position += 1
    return [(begins[b], begins[e - 1] + 1) for b, e in zip(offsets[::2], offsets[1::2])]


def check_nfc(parity, rng, count):
    marks = ALPHABETS["marks"]
    every = [f"{c} a{c}\u0301 {c}\u0327\u0301" for c in ALPHABETS["any"]]
    strings = [" ".join(every[start:start + 48]) for start in range(0, len(every), 48)]
    strings += ["".join(rng.choices(marks + rng.choices(ALPHABETS["basic"], k=20), k=12)) for _ in range(count)]
    nfc = normalizers.NFC().normalize_str
    parity.compare("NFC of every code point", strings, parity.ours("nfc", strings), [nfc(text) for text in strings])


def check_byte_level(parity, options, rng):
    lines = list(corpus(rng, options.source))
    every = list(every_code_point())
    for pre_tokenizer in PRE_TOKENIZERS:
        for ignore_merges in (False, True):
            for nfc in (False, True):
                with tempfile.TemporaryDirectory() as name:
                    folder = pathlib.Path(name)
                    build(folder, pre_tokenizer, ignore_merges, nfc, lines)
                    special = [t.content for t in Tokenizer.from_file(
                        str(folder / "tokenizer.json")).get_added_tokens_decoder().values()]
                    strings = [random_string(rng, special) for _ in range(options.strings // 4)]
                    label = pre_tokenizer + ", ignore_merges" * ignore_merges + ", NFC" * nfc
                    if not ignore_merges and not nfc:
                        parity.pieces(f"{label}, every code point", folder, every)
                        parity.pieces(label, folder, strings)
                    parity.ids(label, folder, strings)


def check_smollm2(parity, options, rng):
    folder = options.source / ".cache/models/smollm2-135m-instruct"
    data = options.source / ".cache/data/chat.jsonl"
    if not (folder / "tokenizer.json").is_file() or not data.is_file():
        print(f"no {folder} or {data}: run baselines/smollm2-chat/fetch.py first", file=sys.stderr)
        sys.exit(2)
    special = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>"]
    strings = ["", " ", "a" * 20000, " " * 20000, "\u4e2d" * 5000]
    strings += [random_string(rng, special) for _ in range(options.strings // 4)]
    parity.ids("SmolLM2", folder, strings + list(texts_of(data)))


def check_sentencepiece(parity, options, rng):
    lines = list(corpus(rng, options.source))
    for legacy in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            sentencepiece_reference.train(folder, lines)
            special = sentencepiece_reference.configure(folder, legacy=legacy)
            reference = sentencepiece_reference.Reference(folder, special, legacy)
            strings = []
            while len(strings) < options.strings // 2:
                text = random_string(rng, list(special))
                strings += [text] * reference.takes(text)
            answers = parity.ours("ids", strings, folder)
            label = f"{reference.name}{', legacy' * legacy}"
            parity.compare(f"{label}, ids", strings, [ids for ids, _ in answers], reference.ids(strings))
            off = [text for text, (ids, offsets) in zip(strings, answers)
                   if not reference.offsets_fit(text, ids, offsets)]
            print(f"{label}, offsets: {len(off)} of {len(strings)} strings are wrong {off[:1]}")
            parity.wrong += len(off)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build folder")
    parser.add_argument("--source", type=pathlib.Path, required=True, help="source tree")
    parser.add_argument("--strings", type=int, default=100000, help="for each pre-tokenizer and for SentencePiece")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    parity = Parity(options.build / "tests/trainer_encode_tool")
    print(f"tokenizers {tokenizers.__version__}, seed {options.seed}")
    check_nfc(parity, rng, options.strings)
    check_byte_level(parity, options, rng)
    check_smollm2(parity, options, rng)
    check_sentencepiece(parity, options, rng)
    sys.exit(1 if parity.wrong else 0)


if __name__ == "__main__":
    main()
