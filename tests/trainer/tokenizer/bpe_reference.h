// Written by make_bpe_reference.py from tokenizers 0.23.3.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace twinrun::trainer {

struct EncodingReference {
  std::string_view text;
  std::vector<std::int64_t> ids;
};

inline constexpr std::string_view kLikeSmolLm2 =
    R"json({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}, {"id": 1, "content": "<|im_start|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}, {"id": 2, "content": "<|im_end|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}], "normalizer": null, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": true}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]}, "post_processor": null, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}, "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": {"<|endoftext|>": 0, "<|im_start|>": 1, "<|im_end|>": 2, "!": 3, "\"": 4, "#": 5, "$": 6, "%": 7, "&": 8, "'": 9, "(": 10, ")": 11, "*": 12, "+": 13, ",": 14, "-": 15, ".": 16, "/": 17, "0": 18, "1": 19, "2": 20, "3": 21, "4": 22, "5": 23, "6": 24, "7": 25, "8": 26, "9": 27, ":": 28, ";": 29, "<": 30, "=": 31, ">": 32, "?": 33, "@": 34, "A": 35, "B": 36, "C": 37, "D": 38, "E": 39, "F": 40, "G": 41, "H": 42, "I": 43, "J": 44, "K": 45, "L": 46, "M": 47, "N": 48, "O": 49, "P": 50, "Q": 51, "R": 52, "S": 53, "T": 54, "U": 55, "V": 56, "W": 57, "X": 58, "Y": 59, "Z": 60, "[": 61, "\\": 62, "]": 63, "^": 64, "_": 65, "`": 66, "a": 67, "b": 68, "c": 69, "d": 70, "e": 71, "f": 72, "g": 73, "h": 74, "i": 75, "j": 76, "k": 77, "l": 78, "m": 79, "n": 80, "o": 81, "p": 82, "q": 83, "r": 84, "s": 85, "t": 86, "u": 87, "v": 88, "w": 89, "x": 90, "y": 91, "z": 92, "{": 93, "|": 94, "}": 95, "~": 96, "\u00a1": 97, "\u00a2": 98, "\u00a3": 99, "\u00a4": 100, "\u00a5": 101, "\u00a6": 102, "\u00)json"
    R"json(a7": 103, "\u00a8": 104, "\u00a9": 105, "\u00aa": 106, "\u00ab": 107, "\u00ac": 108, "\u00ae": 109, "\u00af": 110, "\u00b0": 111, "\u00b1": 112, "\u00b2": 113, "\u00b3": 114, "\u00b4": 115, "\u00b5": 116, "\u00b6": 117, "\u00b7": 118, "\u00b8": 119, "\u00b9": 120, "\u00ba": 121, "\u00bb": 122, "\u00bc": 123, "\u00bd": 124, "\u00be": 125, "\u00bf": 126, "\u00c0": 127, "\u00c1": 128, "\u00c2": 129, "\u00c3": 130, "\u00c4": 131, "\u00c5": 132, "\u00c6": 133, "\u00c7": 134, "\u00c8": 135, "\u00c9": 136, "\u00ca": 137, "\u00cb": 138, "\u00cc": 139, "\u00cd": 140, "\u00ce": 141, "\u00cf": 142, "\u00d0": 143, "\u00d1": 144, "\u00d2": 145, "\u00d3": 146, "\u00d4": 147, "\u00d5": 148, "\u00d6": 149, "\u00d7": 150, "\u00d8": 151, "\u00d9": 152, "\u00da": 153, "\u00db": 154, "\u00dc": 155, "\u00dd": 156, "\u00de": 157, "\u00df": 158, "\u00e0": 159, "\u00e1": 160, "\u00e2": 161, "\u00e3": 162, "\u00e4": 163, "\u00e5": 164, "\u00e6": 165, "\u00e7": 166, "\u00e8": 167, "\u00e9": 168, "\u00ea": 169, "\u00eb": 170, "\u00ec": 171, "\u00ed": 172, "\u00ee": 173, "\u00ef": 174, "\u00f0": 175, "\u00f1": 176, "\u00f2": 177, "\u00f3": 178, "\u00f4": 179, "\u00f5": 180, "\u00f6": 181, "\u00f7": 182, "\u00f8": 183, "\u00f9": 184, "\u00fa": 185, "\u00fb": 186, "\u00fc": 187, "\u00fd": 188, "\u00fe": 189, "\u00ff": 190, "\u0100": 191, "\u0101": 192, "\u0102": 193, "\u0103": 194, "\u0104": 195, "\u0105": 196, "\u0106": 197, "\u0107": 198, "\u0108": 199, "\u0109": 200, "\u010a": 201, "\u010b": 202, "\u010c": 203, "\u010d": 204, "\u010e": 205, "\u010f": 206, "\u0110": 207, "\u0111": 208, "\u0112": 209, "\u0113": 210, "\u0114": 211, "\u0115": 212, "\u0116": 213, "\u0117": 214, "\u0118": 215, "\u0119": 216, "\u011a": 217, "\u011b": 218, "\u011c": 219, "\u011d": 220, "\u011e": 221, "\u011f": 222, "\u0120": 223, "\u0121": 224, "\u0122": 225, "\u0123": 226, "\u0124": 227, "\u0125": 228, "\u0126": 229, "\u0127": 230, "\u0128": 231, "\u0129": 232, "\u012a": 233, "\u012b": 234, "\u012c": 235, "\u012d": )json"
    R"json(236, "\u012e": 237, "\u012f": 238, "\u0130": 239, "\u0131": 240, "\u0132": 241, "\u0133": 242, "\u0134": 243, "\u0135": 244, "\u0136": 245, "\u0137": 246, "\u0138": 247, "\u0139": 248, "\u013a": 249, "\u013b": 250, "\u013c": 251, "\u013d": 252, "\u013e": 253, "\u013f": 254, "\u0140": 255, "\u0141": 256, "\u0142": 257, "\u0143": 258, "he": 259, "\u0120t": 260, "at": 261, "\u0120\u0120": 262, "\u0120the": 263, "in": 264, "ll": 265, "on": 266, "\u0120c": 267, "\u0120d": 268, "\u0120s": 269, "an": 270, "es": 271, "or": 272, "ve": 273, "wor": 274, "\u00a5\u00bd": 275, "\u00bd\u0142": 276, "\u00c3\u00a9": 277, "\u00e4\u00bd\u0142": 278, "\u00e5\u00a5\u00bd": 279, "\u0120in": 280, "\u0120wor": 281, "\u0120\u00e4\u00bd\u0142": 282, "hell": 283, "\u0120th": 284, "\u0120don": 285, "and": 286, "\u0120\u00e4\u00bd\u0142\u00e5\u00a5\u00bd": 287, "hello": 288, "'t": 289, "'ll": 290, "'ve": 291, "ac": 292, "af": 293, "a\u00c3": 294, "de": 295, "ed": 296, "ee": 297, "ex": 298, "gs": 299, "j\u00c3": 300, "ld": 301, "mat": 302, "nt": 303, "na\u00c3": 304, "pac": 305, "ry": 306, "rat": 307, "the": 308, "vu": 309, "we": 310, "\u00afve": 311, "\u010a\u010a": 312, "\u0120at": 313, "\u0120on": 314, "\u0120and": 315, "\u0120hello": 316, "\u0120mat": 317, "\u0120rat": 318, "\u0120vu": 319, "hees": 320, "\u0120tex": 321, "\u0120\u0120\u0120": 322, "\u0120they": 323, "ings": 324, "\u0120cat": 325, "\u0120caf": 326, "\u0120chees": 327, "\u0120d\u00c3\u00a9": 328, "\u0120sat": 329}, "merges": [["h", "e"], ["\u0120", "t"], ["a", "t"], ["\u0120", "\u0120"], ["\u0120t", "he"], ["i", "n"], ["l", "l"], ["o", "n"], ["\u0120", "c"], ["\u0120", "d"], ["\u0120", "s"], ["a", "n"], ["e", "s"], ["o", "r"], ["v", "e"], ["w", "or"], ["\u00a5", "\u00bd"], ["\u00bd", "\u0142"], ["\u00c3", "\u00a9"], ["\u00e4", "\u00bd\u0142"], ["\u00e5", "\u00a5\u00bd"], ["\u0120", "in"], ["\u0120", "wor"], ["\u0120", "\u00e4\u00bd\u0142"], ["he", "ll"], ["\u0120t", "h"], ["\u0120d", "on"], ["an", "d"], ["\u0120\u00e4\u00bd\u0)json"
    R"json(142", "\u00e5\u00a5\u00bd"], ["hell", "o"], ["'", "t"], ["'", "ll"], ["'", "ve"], ["a", "c"], ["a", "f"], ["a", "\u00c3"], ["d", "e"], ["e", "d"], ["e", "e"], ["e", "x"], ["g", "s"], ["j", "\u00c3"], ["l", "d"], ["m", "at"], ["n", "t"], ["n", "a\u00c3"], ["p", "ac"], ["r", "y"], ["r", "at"], ["t", "he"], ["v", "u"], ["w", "e"], ["\u00af", "ve"], ["\u010a", "\u010a"], ["\u0120", "at"], ["\u0120", "on"], ["\u0120", "and"], ["\u0120", "hello"], ["\u0120", "mat"], ["\u0120", "rat"], ["\u0120", "vu"], ["he", "es"], ["\u0120t", "ex"], ["\u0120\u0120", "\u0120"], ["\u0120the", "y"], ["in", "gs"], ["\u0120c", "at"], ["\u0120c", "af"], ["\u0120c", "hees"], ["\u0120d", "\u00c3\u00a9"], ["\u0120s", "at"]]}})json";

inline const EncodingReference kLikeSmolLm2Encodings[] = {
    {std::string_view("", 0), {}},
    {std::string_view(" ", 1), {223}},
    {std::string_view("hello", 5), {288}},
    {std::string_view(" hello world", 12), {316, 281, 301}},
    {std::string_view("the cat's hat, they'll sit", 26), {308, 325, 9, 85, 223, 74, 261, 14, 323, 290, 269, 75, 86}},
    {std::string_view("don't DON'T", 11), {70, 266, 289, 223, 38, 49, 48, 9, 54}},
    {std::string_view("x  y   z    ", 12), {90, 223, 223, 91, 262, 223, 92, 262, 262}},
    {std::string_view("   lead", 7), {262, 223, 78, 71, 67, 70}},
    {std::string_view("tail \012", 6), {86, 67, 75, 78, 223, 201}},
    {std::string_view("\011\012 \015\012", 5), {200, 201, 223, 204, 201}},
    {std::string_view("12 345 6", 8), {19, 20, 223, 21, 22, 23, 223, 24}},
    {std::string_view("a1b2 3c  4", 10), {67, 19, 68, 20, 223, 21, 69, 262, 22}},
    {std::string_view("\302\275\331\243\342\205\247 x", 9), {129, 124, 152, 99, 161, 230, 103, 223, 90}},
    {std::string_view("na\303\257ve caf\303\251", 12), {304, 311, 326, 277}},
    {std::string_view("\344\275\240\345\245\275\344\270\226\347\225\214", 12), {278, 279, 163, 119, 247, 166, 246, 237}},
    {std::string_view("\360\237\230\200\342\200\215\360\237\221\250", 11), {175, 256, 249, 225, 161, 225, 238, 175, 256, 242, 104}},
    {std::string_view("a\302\240b\343\200\200c\341\240\216d", 12), {67, 129, 257, 68, 162, 225, 225, 69, 160, 257, 239, 70}},
    {std::string_view("\000\177", 2), {191, 224}},
    {std::string_view("<|im_start|>user\012hi<|im_end|>\012", 30), {1, 87, 85, 71, 84, 201, 74, 75, 2, 201}},
    {std::string_view("<|im_end|><|im_end|>", 20), {2, 2}},
    {std::string_view("<|im_en|>", 9), {30, 94, 75, 79, 65, 71, 80, 94, 32}},
    {std::string_view("<|im_start|", 11), {30, 94, 75, 79, 65, 85, 86, 67, 84, 86, 94}},
    {std::string_view("<x>", 3), {30, 90, 32}},
    {std::string_view("<x><y>", 6), {30, 90, 32, 30, 91, 32}},
    {std::string_view("a<x><y>b <y><x>", 15), {67, 30, 90, 32, 30, 91, 32, 68, 223, 30, 91, 32, 30, 90, 32}},
    {std::string_view("thethethe", 9), {308, 308, 308}},
    {std::string_view("aaaaaaaaaaaaaaaa", 16), {67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67, 67}},
    {std::string_view("!!! \077\077\077...", 10), {3, 3, 3, 223, 33, 33, 33, 16, 16, 16}},
    {std::string_view("_~\303\277\303\276", 6), {65, 96, 130, 126, 130, 125}},
};

inline constexpr std::string_view kLikeGpt2 =
    R"json({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 90, "content": "<x>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 91, "content": "<x><y>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 92, "content": "<y>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}, {"id": 93, "content": "the", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 94, "content": "they'", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}], "normalizer": null, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}, "post_processor": null, "decoder": null, "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": {"'": 0, ",": 1, "0": 2, "1": 3, "2": 4, "3": 5, "4": 6, "a": 7, "c": 8, "d": 9, "e": 10, "f": 11, "g": 12, "h": 13, "i": 14, "j": 15, "l": 16, "m": 17, "n": 18, "o": 19, "p": 20, "r": 21, "s": 22, "t": 23, "u": 24, "v": 25, "w": 26, "x": 27, "y": 28, "\u00a5": 29, "\u00a9": 30, "\u00af": 31, "\u00bd": 32, "\u00c3": 33, "\u00e4": 34, "\u00e5": 35, "\u010a": 36, "\u0120": 37, "\u0142": 38, "he": 39, "\u0120t": 40, "at": 41, "\u0120\u0120": 42, "\u0120the": 43, "in": 44, "ll": 45, "on": 46, "\u0120c": 47, "\u0120d": 48, "\u0120s": 49, "an": 50, "es": 51, "or": 52, "ve": 53, "wor": 54, "\u00a5\u00bd": 55, "\u00bd\u0142": 56, "\u00c3\u00a9": 57, "\u00e4\u00bd\u0142": 58, "\u00e5\u00a5\u00bd": 59, "\u0120in": 60, "\u0120wor": 61, "\u0120\u00e4\u00bd\u0142": 62, "hell": 63, "\u0120th": 64, "\u0120don": 65, "and": 66, "\u0120\u00e4\u00bd\u0142\u00e5\u00a5\u00bd": 67, "hello": 68, "'t": 69, "'ll": 70, "'ve": 71, "02": 72, "12)json"
    R"json(": 73, "202": 74, "34": 75, "ac": 76, "af": 77, "a\u00c3": 78, "de": 79, "ed": 80, "ee": 81, "ex": 82, "gs": 83, "j\u00c3": 84, "ld": 85, "mat": 86, "nt": 87, "na\u00c3": 88, "pac": 89}, "merges": ["h e", "\u0120 t", "a t", "\u0120 \u0120", "\u0120t he", "i n", "l l", "o n", "\u0120 c", "\u0120 d", "\u0120 s", "a n", "e s", "o r", "v e", "w or", "\u00a5 \u00bd", "\u00bd \u0142", "\u00c3 \u00a9", "\u00e4 \u00bd\u0142", "\u00e5 \u00a5\u00bd", "\u0120 in", "\u0120 wor", "\u0120 \u00e4\u00bd\u0142", "he ll", "\u0120t h", "\u0120d on", "an d", "\u0120\u00e4\u00bd\u0142 \u00e5\u00a5\u00bd", "hell o", "' t", "' ll", "' ve", "0 2", "1 2", "2 02", "3 4", "a c", "a f", "a \u00c3", "d e", "e d", "e e", "e x", "g s", "j \u00c3", "l d", "m at", "n t", "n a\u00c3", "p ac"]}})json";

inline const EncodingReference kLikeGpt2Encodings[] = {
    {std::string_view("", 0), {}},
    {std::string_view(" ", 1), {37}},
    {std::string_view("hello", 5), {68}},
    {std::string_view(" hello world", 12), {37, 68, 61, 85}},
    {std::string_view("the cat's hat, they'll sit", 26), {93, 47, 41, 0, 22, 37, 13, 41, 1, 37, 94, 45, 49, 14, 23}},
    {std::string_view("don't DON'T", 11), {9, 46, 69, 37, 0}},
    {std::string_view("x  y   z    ", 12), {27, 37, 37, 28, 42, 37, 42, 42}},
    {std::string_view("   lead", 7), {42, 37, 16, 10, 7, 9}},
    {std::string_view("tail \012", 6), {23, 7, 14, 16, 37, 36}},
    {std::string_view("\011\012 \015\012", 5), {36, 37, 36}},
    {std::string_view("12 345 6", 8), {73, 37, 75, 37}},
    {std::string_view("a1b2 3c  4", 10), {7, 3, 4, 37, 5, 8, 37, 37, 6}},
    {std::string_view("\302\275\331\243\342\205\247 x", 9), {32, 37, 27}},
    {std::string_view("na\303\257ve caf\303\251", 12), {88, 31, 53, 47, 77, 57}},
    {std::string_view("\344\275\240\345\245\275\344\270\226\347\225\214", 12), {58, 59, 34}},
    {std::string_view("\360\237\230\200\342\200\215\360\237\221\250", 11), {}},
    {std::string_view("a\302\240b\343\200\200c\341\240\216d", 12), {7, 38, 8, 38, 9}},
    {std::string_view("\000\177", 2), {}},
    {std::string_view("<|im_start|>user\012hi<|im_end|>\012", 30), {14, 17, 22, 23, 7, 21, 23, 24, 22, 10, 21, 36, 13, 14, 14, 17, 10, 18, 9, 36}},
    {std::string_view("<|im_end|><|im_end|>", 20), {14, 17, 10, 18, 9, 14, 17, 10, 18, 9}},
    {std::string_view("<|im_en|>", 9), {14, 17, 10, 18}},
    {std::string_view("<|im_start|", 11), {14, 17, 22, 23, 7, 21, 23}},
    {std::string_view("<x>", 3), {90}},
    {std::string_view("<x><y>", 6), {90, 92}},
    {std::string_view("a<x><y>b <y><x>", 15), {7, 90, 92, 37, 92, 90}},
    {std::string_view("thethethe", 9), {93, 93, 93}},
    {std::string_view("aaaaaaaaaaaaaaaa", 16), {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7}},
    {std::string_view("!!! \077\077\077...", 10), {37}},
    {std::string_view("_~\303\277\303\276", 6), {33, 33}},
};

}  // namespace twinrun::trainer
