#!/usr/bin/env python3
"""Writes bpe_reference.h: small tokenizers and the ids that the `tokenizers` package gives.

Run with tokenizers 0.23:  make_bpe_reference.py > bpe_reference.h
"""
import json

import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

CORPUS = ["the cat sat on the mat and the rat ate the cheese", "hello hello world, don't worry",
          "we'll see that they've done 1234 things in 2024", "na\u00efve caf\u00e9 d\u00e9j\u00e0 vu \u4f60\u597d \u4f60\u597d",
          "    indented text\n\n\nand   spaces  "] * 3

TEXTS = ["", " ", "hello", " hello world", "the cat's hat, they'll sit", "don't DON'T", "x  y   z    ",
         "   lead", "tail \n", "\t\n \r\n", "12 345 6", "a1b2 3c  4", "\u00bd\u0663\u2167 x",
         "na\u00efve caf\u00e9", "\u4f60\u597d\u4e16\u754c", "\U0001f600\u200d\U0001f468", "a\u00a0b\u3000c\u180ed", "\x00\x7f",
         "<|im_start|>user\nhi<|im_end|>\n", "<|im_end|><|im_end|>", "<|im_en|>", "<|im_start|",
         "<x>", "<x><y>", "a<x><y>b <y><x>", "thethethe", "aaaaaaaaaaaaaaaa", "!!! ???...", "_~\xff\xfe",
         "'S 'RE 'lL '\u017f ''s 'x", "hello world naive na\u00efve 345 3456789", "a\n\n b\r\n\t \n  c", "...\n\n?!\r\nx",
         "\twords\u3000words \n", "a <l> b<r>  c<l><r> \u3000<lr> d <l>", "<r> <l>  <lr>", "cafe\u0301 e\u0301te\u0301 \u00e9t\u00e9",
         "a\u0323\u0302\u0301 o\u0308 \u00f6 \u1112\u1161\u11ab \u212b \U00011935\U00011930"]


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


LLAMA3_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
                  r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def like_llama3():
    """Llama 3's pre-tokenizer and post-processor; whole words that no merges lead to, which ignore_merges takes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3_PATTERN), "isolated", invert=False),
         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<|begin_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A $B",
                                      special_tokens=[("<|begin_of_text|>", 0)])])
    file = json.loads(tokenizer.to_str())
    for word in ("\u0120world", "na\u00c3\u00afve", "345", "\u010a\u010a"):
        file["model"]["vocab"].setdefault(word, len(file["model"]["vocab"]))
    file["model"]["ignore_merges"] = True
    return file


def with_nfc():
    """NFC, added tokens that take in the white space around them or are looked for in normalized text."""
    file = like_gpt2()
    tokenizer = Tokenizer.from_str(json.dumps(file))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.add_tokens([AddedToken("<l>", normalized=False, lstrip=True),
                          AddedToken("<r>", normalized=False, rstrip=True),
                          AddedToken("<lr>", normalized=True, lstrip=True, rstrip=True),
                          AddedToken("e\u0301t\u00e9", normalized=True),
                          AddedToken("o\u0308", normalized=False)])
    return json.loads(tokenizer.to_str())


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
    for name, file in (("LikeSmolLm2", like_smollm2()), ("LikeGpt2", like_gpt2()), ("LikeLlama3", like_llama3()),
                       ("WithNfc", with_nfc())):
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
