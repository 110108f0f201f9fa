#!/usr/bin/env python3
"""Writes text_reference.h: texts by the rules of SQuAD v1.1 and scores of labels:
make_text_reference.py > text_reference.h   (needs scikit-learn)

The rules are written here from their description (lower case, string.punctuation, articles as whole
words, white space) with Python's own functions. Labels: scikit-learn.
"""

import platform
import random
import re
import string
from collections import Counter

import sklearn
from sklearn.metrics import accuracy_score, f1_score

PAIRS = [("", ""), ("", "x"), ("the", "an"), ("The Cat", "cat"), ("a cat sat", "the cat sat down"),
         ("U.S.A.", "usa"), ("theory", "the ory"), ("a-b", "ab"), ("a_b", "a b"), ("end,the begin", "end begin"),
         ("to be or not to be", "to be to be"), ("tab\tnew\nline\v\f\r", "tab new line"), ("x\x1cy", "x y"),
         ("a\x01the\x01b", "b"), ("2,500 an hour", "2500 hour"), ("$5", "5"), ("A an THE", ""), ("'a'", "a"),
         ("word word word", "word"), ("one two three", "four five six"), ("\x7fthe\x7f", "x")]


def plain(text):
    text = "".join(c for c in text.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def f1(answer, reference):
    answer, reference = plain(answer).split(), plain(reference).split()
    same = sum((Counter(answer) & Counter(reference)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(answer), same / len(reference)
    return 2 * precision * recall / (precision + recall)


def literal(text):
    """Three octal digits a character that is not plain: no digit after it can join in."""
    return '"' + "".join(c if c.isalnum() or c == " " else f"\\{ord(c):03o}" for c in text) + '"'


def listed(texts):
    return "{" + ", ".join(literal(x) for x in texts) + "}"


def main():
    source = random.Random(20264)
    alphabet = "aAntheTHE" + string.punctuation + " \t\n\v\f\r\x1c\x1d\x1e\x1f\x00\x01\x7fxyz019"
    pairs = list(PAIRS)
    for _ in range(60):
        pairs.append(tuple("".join(source.choice(alphabet) for _ in range(source.randrange(1, 24))) for _ in "ab"))
    for _ in range(40):
        words = ["the", "a", "cat", "Cat.", "sat", "on", "mat,", "an", "dog"]
        pairs.append(tuple(" ".join(source.choice(words) for _ in range(source.randrange(1, 8))) for _ in "ab"))
    pairs = [(x, y) for x, y in pairs if "\0" not in x + y]  # no C string holds it
    print("// Written by make_text_reference.py with Python", platform.python_version(), end="")
    print(f" and scikit-learn {sklearn.__version__}.")
    print("#pragma once\n\n#include <string>\n#include <vector>\n\nnamespace twinrun::harness {\n")
    print("struct TextCase {\n  std::string answer, reference, answer_plain, reference_plain;\n  double f1;\n};\n")
    print("inline const std::vector<TextCase> kTextCases = {")
    for answer, reference in pairs:
        texts = (answer, reference, plain(answer), plain(reference))
        print("    {" + ", ".join(literal(x) for x in texts) + f", {f1(answer, reference)!r}}},")
    print("};\n")
    print("struct LabelCase {\n  std::vector<std::string> answers, references;\n  double accuracy, macro_f1;\n};\n")
    print("inline const std::vector<LabelCase> kLabelCases = {")
    for size, right in ((1, 1.0), (1, 0.0), (8, 0.5), (50, 0.7), (50, 0.0), (200, 0.95)):
        references = [source.choice(["Yes", "yes.", "no", "No!", "the maybe"]) for _ in range(size)]
        answers = [x if source.random() < right else source.choice(["yes", "no", "other", ""]) for x in references]
        y, x = [plain(t) for t in references], [plain(t) for t in answers]
        macro = float(f1_score(y, x, labels=sorted(set(y)), average="macro", zero_division=0))
        print(f"    {{{listed(answers)}, {listed(references)}, {float(accuracy_score(y, x))!r}, {macro!r}}},")
    print("};\n\n}  // namespace twinrun::harness")


if __name__ == "__main__":
    main()
