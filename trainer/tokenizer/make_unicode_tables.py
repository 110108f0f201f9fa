#!/usr/bin/env python3
"""Writes unicode_tables.h: what the `tokenizers` package takes each code point for, asked of the package itself.

Its regular expressions, its Digits and its NFC come from libraries of different Unicode versions, none of them ours.

Run with the tokenizers of ci/requirements.txt:  make_unicode_tables.py > unicode_tables.h
"""
import sys
import unicodedata

import tokenizers
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
HANGUL = range(0xAC00, 0xAC00 + 11172)  # composed by rule, not by table


def matches(pattern):
    """The code points that the regular expression `pattern` matches."""
    cut = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    pieces = cut.pre_tokenize_str("".join(map(chr, CODE_POINTS)))
    return sorted({ord(character) for piece, _ in pieces for character in piece})


def digits():
    """The code points that Digits(individual_digits) cuts out."""
    cut = pre_tokenizers.Digits(individual_digits=True)
    return [c for c in CODE_POINTS if c != 0x61 and len(cut.pre_tokenize_str(f"a{chr(c)}a")) == 3]


def ranges(code_points):
    result = []
    for c in code_points:
        if result and result[-1][1] == c - 1:
            result[-1][1] = c
        else:
            result.append([c, c])
    return result


def combining_classes(decomposed):
    """(code point, combining class) where that is not 0: two marks change places iff the first one's is the higher.

    The numbers are those of unicodedata; the package tells which code points share one.
    """
    nfd = normalizers.NFD().normalize_str

    def moves(first, second):
        return nfd("a" + first + second) != "a" + first + second

    marks = [chr(c) for c in CODE_POINTS if unicodedata.combining(chr(c)) and decomposed[c] == chr(c)]
    low = next(mark for mark in marks if unicodedata.combining(mark) == 1)
    high = next(mark for mark in marks if unicodedata.combining(mark) == 240)
    known = [mark for mark in marks if moves(mark, low) or moves(high, mark)]
    samples = {unicodedata.combining(mark): mark for mark in reversed(known)}
    for first, mark in samples.items():  # they are in the package's order, too
        assert all(moves(mark, other) == (first > second) for second, other in samples.items())
    result = []
    for c in CODE_POINTS:
        mark = chr(c)
        if decomposed[c] == mark and (moves(mark, low) or moves(high, mark)):
            same = [k for k, other in samples.items() if not moves(mark, other) and not moves(other, mark)]
            assert len(same) == 1, hex(c)
            result.append((c, same[0]))
    return result


def decompositions(decomposed):
    """(code point, first, second, whether NFC puts it together): its canonical decomposition, second 0 for one."""
    nfc = normalizers.NFC().normalize_str
    whole = {}  # of several with one decomposition the one that NFC makes of it
    for c, text in decomposed.items():
        if len(text) > 1 and (nfc(chr(c)) == chr(c) or text not in whole):
            whole[text] = c
    for c in CODE_POINTS:
        text = decomposed[c]
        if c in HANGUL or text == chr(c):
            continue
        if len(text) == 1:
            assert nfc(chr(c)) == text
            yield c, ord(text), 0, False
            continue
        first = ord(text[0]) if len(text) == 2 else whole[text[:-1]]
        together = nfc(chr(c)) == chr(c)
        assert not together or nfc(chr(first) + text[-1]) == chr(c)
        yield c, first, ord(text[-1]), together


def write(declaration, rows):
    print(f"inline constexpr {declaration}[] = {{")
    line = "   "
    for row in rows:
        cell = " {" + ", ".join(f"{value:#x}" for value in row) + "},"
        if len(line + cell) > 100:
            print(line)
            line = "   "
        line += cell
    print(line)
    print("};\n")


def main():
    print(f"// Written by make_unicode_tables.py from tokenizers {tokenizers.__version__}.")
    print("// clang-format off\n#pragma once\n\nnamespace twinrun::trainer::unicode {\n")
    print("struct Range {\n  char32_t first, last;\n};\n")
    for name, pattern in (("Letters", r"\p{L}"), ("Numbers", r"\p{N}"), ("Spaces", r"\s")):
        print(f"/// What `{pattern}` matches.")
        write(f"Range k{name}", ranges(matches(pattern)))
    print("/// What Digits(individual_digits) cuts out.")
    write("Range kDigits", ranges(digits()))

    nfd = normalizers.NFD().normalize_str
    decomposed = {c: nfd(chr(c)) for c in CODE_POINTS}
    runs = []
    for c, value in combining_classes(decomposed):
        if runs and runs[-1][1:] == [c - 1, value]:
            runs[-1][1] = c
        else:
            runs.append([c, c, value])
    print("struct CombiningClass {\n  char32_t first, last;\n  unsigned char value;\n};\n")
    print("/// Where it is not 0; what decomposes has that of its parts.")
    write("CombiningClass kCombiningClasses", runs)
    table = list(decompositions(decomposed))
    print("struct Decomposition {\n  char32_t whole, first, second;  ///< second 0: there is none\n};\n")
    print("/// Canonical decompositions that NFC undoes; those of Hangul syllables follow a rule.")
    write("Decomposition kComposed", [row[:3] for row in table if row[3]])
    print("/// Those that it does not.")
    write("Decomposition kDecomposedOnly", [row[:3] for row in table if not row[3]])
    print("}  // namespace twinrun::trainer::unicode")
    return 0


if __name__ == "__main__":
    sys.exit(main())
