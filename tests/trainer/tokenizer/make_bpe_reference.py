#!/usr/bin/env python3
"""Writes bpe_reference.h: two small tokenizers and the ids that the `tokenizers` package gives.

Run with tokenizers 0.23:  make_bpe_reference.py > bpe_reference.h
"""
import json

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

CORPUS = ["the cat sat on the mat and the rat ate the cheese", "hello hello world, don't worry",
          "we'll see that they've done 1234 things in 2024", "na\u00efve caf\u00e9 d\u00e9j\u00e0 vu \u4f60\u597d \u4f60\u597d",
          "    indented text\n\n\nand   spaces  "] * 3

TEXTS = ["", " ", "hello", " hello world", "the cat's hat, they'll sit", "don't DON'T", "x  y   z    ",
         "   lead", "tail \n", "\t\n \r\n", "12 345 6", "a1b2 3c  4", "\u00bd\u0663\u2167 x",
         "na\u00efve caf\u00e9", "\u4f60\u597d\u4e16\u754c", "\U0001f600\u200d\U0001f468", "a\u00a0b\u3000c\u180ed", "\x00\x7f",
         "<|im_start|>user\nhi<|im_end|>\n", "<|im_end|><|im_end|>", "<|im_en|>", "<|im_start|",
         "<x>", "<x><y>", "a<x><y>b <y><x>", "thethethe", "aaaaaaaaaaaaaaaa", "!!! ???...", "_~\xff\xfe"]


def like_smollm2():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=330, special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return json.loads(tokenizer.to_str())


def like_gpt2():
    """GPT-2's pre-tokenizer, bytes that the vocabulary lacks, added tokens of both kinds."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=90, show_progress=False))
    tokenizer.add_tokens([AddedToken("<x>", normalized=True), AddedToken("<x><y>", normalized=True),
                          AddedToken("<y>", normalized=False), AddedToken("the", normalized=True),
                          AddedToken("they'", normalized=True)])
    file = json.loads(tokenizer.to_str())
    file["model"]["merges"] = [" ".join(merge) for merge in file["model"]["merges"]]  # the older form
    return file


def cpp_string(text):
    return '"' + "".join(f"\\{byte:03o}" if byte < 0x20 or byte > 0x7E or byte in b'"\\?' else chr(byte)
                         for byte in text.encode()) + '"'


def raw_string(text):
    pieces = [text[start:start + 2000] for start in range(0, len(text), 2000)]
    return "\n    ".join(f'R"json({piece})json"' for piece in pieces)


def main():
    print(f"// Written by make_bpe_reference.py from tokenizers {tokenizers.__version__}.")
    print("#pragma once\n\n#include <cstdint>\n#include <string_view>\n#include <vector>\n")
    print("namespace twinrun::trainer {\n")
    print("struct EncodingReference {\n  std::string_view text;\n  std::vector<std::int64_t> ids;\n};\n")
    for name, file in (("LikeSmolLm2", like_smollm2()), ("LikeGpt2", like_gpt2())):
        text = json.dumps(file, ensure_ascii=True)
        reference = Tokenizer.from_str(text)
        print(f"inline constexpr std::string_view k{name} =\n    {raw_string(text)};\n")
        print(f"inline const EncodingReference k{name}Encodings[] = {{")
        for string in TEXTS:
            ids = ", ".join(map(str, reference.encode(string, add_special_tokens=False).ids))
            print(f"    {{std::string_view({cpp_string(string)}, {len(string.encode())}), {{{ids}}}}},")
        print("};\n")
    print("}  // namespace twinrun::trainer")


if __name__ == "__main__":
    main()
