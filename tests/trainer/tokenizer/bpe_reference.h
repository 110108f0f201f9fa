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
    {std::string_view("'S 'RE 'lL '\305\277 ''s 'x", 21), {9, 53, 223, 9, 52, 39, 223, 9, 78, 46, 223, 9, 132, 126, 223, 9, 9, 85, 223, 9, 90}},
    {std::string_view("hello world naive na\303\257ve 345 3456789", 36), {288, 281, 301, 223, 80, 67, 75, 273, 223, 304, 311, 223, 21, 22, 23, 223, 21, 22, 23, 24, 25, 26, 27}},
    {std::string_view("a\012\012 b\015\012\011 \012  c", 13), {67, 312, 223, 68, 204, 201, 200, 223, 201, 223, 267}},
    {std::string_view("...\012\012\077!\015\012x", 10), {16, 16, 16, 201, 201, 33, 3, 204, 201, 90}},
    {std::string_view("\011words\343\200\200words \012", 16), {200, 274, 70, 85, 162, 225, 225, 274, 70, 85, 223, 201}},
    {std::string_view("a <l> b<r>  c<l><r> \343\200\200<lr> d <l>", 33), {67, 223, 30, 78, 32, 223, 68, 30, 84, 32, 223, 267, 30, 78, 32, 30, 84, 32, 223, 162, 225, 225, 30, 78, 84, 32, 268, 223, 30, 78, 32}},
    {std::string_view("<r> <l>  <lr>", 13), {30, 84, 32, 223, 30, 78, 32, 223, 223, 30, 78, 84, 32}},
    {std::string_view("cafe\314\201 e\314\201te\314\201 \303\251t\303\251", 20), {69, 293, 71, 139, 226, 223, 71, 139, 226, 86, 71, 139, 226, 223, 277, 86, 277}},
    {std::string_view("a\314\243\314\202\314\201 o\314\210 \303\266 \341\204\222\341\205\241\341\206\253 \342\204\253 \360\221\244\265\360\221\244\260", 37), {67, 139, 99, 139, 227, 139, 226, 223, 81, 139, 233, 223, 130, 117, 223, 160, 229, 243, 160, 230, 97, 160, 231, 107, 223, 161, 229, 107, 223, 175, 242, 100, 116, 175, 242, 100, 111}},
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
    {std::string_view("'S 'RE 'lL '\305\277 ''s 'x", 21), {0, 37, 0, 37, 0, 16, 37, 0, 37, 0, 0, 22, 37, 0, 27}},
    {std::string_view("hello world naive na\303\257ve 345 3456789", 36), {68, 61, 85, 37, 18, 7, 14, 53, 37, 88, 31, 53, 37, 75, 37, 75}},
    {std::string_view("a\012\012 b\015\012\011 \012  c", 13), {7, 36, 36, 37, 36, 37, 36, 37, 47}},
    {std::string_view("...\012\012\077!\015\012x", 10), {36, 36, 36, 27}},
    {std::string_view("\011words\343\200\200words \012", 16), {54, 9, 22, 54, 9, 22, 37, 36}},
    {std::string_view("a <l> b<r>  c<l><r> \343\200\200<lr> d <l>", 33), {7, 37, 16, 37, 21, 37, 47, 16, 21, 37, 16, 21, 48, 37, 16}},
    {std::string_view("<r> <l>  <lr>", 13), {21, 37, 16, 37, 37, 16, 21}},
    {std::string_view("cafe\314\201 e\314\201te\314\201 \303\251t\303\251", 20), {8, 77, 10, 37, 10, 23, 10, 37, 57, 23, 57}},
    {std::string_view("a\314\243\314\202\314\201 o\314\210 \303\266 \341\204\222\341\205\241\341\206\253 \342\204\253 \360\221\244\265\360\221\244\260", 37), {7, 37, 19, 37, 33, 37, 37, 37}},
};

inline constexpr std::string_view kLikeLlama3 =
    R"json({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 0, "content": "<|begin_of_text|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}, {"id": 1, "content": "<|eot_id|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}, {"id": 2, "content": "<|im_start|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}, {"id": 3, "content": "<|im_end|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}], "normalizer": null, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"}, "behavior": "Isolated", "invert": false}, {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]}, "post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true}, {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [{"SpecialToken": {"id": "<|begin_of_text|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {"<|begin_of_text|>": {"id": "<|begin_of_text|>", "ids": [0], "tokens": ["<|begin_of_text|>"]}}}]}, "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}, "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": true, "vocab": {"<|begin_of_text|>": 0, "<|eot_id|>": 1, "<|im_start|>": 2, "<|im_end|>": 3, "!": 4, "\"": 5, "#": 6, "$": 7, "%": 8, "&": 9, "'": 10, "(": 11, ")")json"
    R"json(: 12, "*": 13, "+": 14, ",": 15, "-": 16, ".": 17, "/": 18, "0": 19, "1": 20, "2": 21, "3": 22, "4": 23, "5": 24, "6": 25, "7": 26, "8": 27, "9": 28, ":": 29, ";": 30, "<": 31, "=": 32, ">": 33, "?": 34, "@": 35, "A": 36, "B": 37, "C": 38, "D": 39, "E": 40, "F": 41, "G": 42, "H": 43, "I": 44, "J": 45, "K": 46, "L": 47, "M": 48, "N": 49, "O": 50, "P": 51, "Q": 52, "R": 53, "S": 54, "T": 55, "U": 56, "V": 57, "W": 58, "X": 59, "Y": 60, "Z": 61, "[": 62, "\\": 63, "]": 64, "^": 65, "_": 66, "`": 67, "a": 68, "b": 69, "c": 70, "d": 71, "e": 72, "f": 73, "g": 74, "h": 75, "i": 76, "j": 77, "k": 78, "l": 79, "m": 80, "n": 81, "o": 82, "p": 83, "q": 84, "r": 85, "s": 86, "t": 87, "u": 88, "v": 89, "w": 90, "x": 91, "y": 92, "z": 93, "{": 94, "|": 95, "}": 96, "~": 97, "\u00a1": 98, "\u00a2": 99, "\u00a3": 100, "\u00a4": 101, "\u00a5": 102, "\u00a6": 103, "\u00a7": 104, "\u00a8": 105, "\u00a9": 106, "\u00aa": 107, "\u00ab": 108, "\u00ac": 109, "\u00ae": 110, "\u00af": 111, "\u00b0": 112, "\u00b1": 113, "\u00b2": 114, "\u00b3": 115, "\u00b4": 116, "\u00b5": 117, "\u00b6": 118, "\u00b7": 119, "\u00b8": 120, "\u00b9": 121, "\u00ba": 122, "\u00bb": 123, "\u00bc": 124, "\u00bd": 125, "\u00be": 126, "\u00bf": 127, "\u00c0": 128, "\u00c1": 129, "\u00c2": 130, "\u00c3": 131, "\u00c4": 132, "\u00c5": 133, "\u00c6": 134, "\u00c7": 135, "\u00c8": 136, "\u00c9": 137, "\u00ca": 138, "\u00cb": 139, "\u00cc": 140, "\u00cd": 141, "\u00ce": 142, "\u00cf": 143, "\u00d0": 144, "\u00d1": 145, "\u00d2": 146, "\u00d3": 147, "\u00d4": 148, "\u00d5": 149, "\u00d6": 150, "\u00d7": 151, "\u00d8": 152, "\u00d9": 153, "\u00da": 154, "\u00db": 155, "\u00dc": 156, "\u00dd": 157, "\u00de": 158, "\u00df": 159, "\u00e0": 160, "\u00e1": 161, "\u00e2": 162, "\u00e3": 163, "\u00e4": 164, "\u00e5": 165, "\u00e6": 166, "\u00e7": 167, "\u00e8": 168, "\u00e9": 169, "\u00ea": 170, "\u00eb": 171, "\u00ec": 172, "\u00ed": 173, "\u00ee": 174, "\u00ef": 175, "\u00f0": 176, "\u00f1": 177, "\u00f2": 178, "\u00f3": 179, )json"
    R"json("\u00f4": 180, "\u00f5": 181, "\u00f6": 182, "\u00f7": 183, "\u00f8": 184, "\u00f9": 185, "\u00fa": 186, "\u00fb": 187, "\u00fc": 188, "\u00fd": 189, "\u00fe": 190, "\u00ff": 191, "\u0100": 192, "\u0101": 193, "\u0102": 194, "\u0103": 195, "\u0104": 196, "\u0105": 197, "\u0106": 198, "\u0107": 199, "\u0108": 200, "\u0109": 201, "\u010a": 202, "\u010b": 203, "\u010c": 204, "\u010d": 205, "\u010e": 206, "\u010f": 207, "\u0110": 208, "\u0111": 209, "\u0112": 210, "\u0113": 211, "\u0114": 212, "\u0115": 213, "\u0116": 214, "\u0117": 215, "\u0118": 216, "\u0119": 217, "\u011a": 218, "\u011b": 219, "\u011c": 220, "\u011d": 221, "\u011e": 222, "\u011f": 223, "\u0120": 224, "\u0121": 225, "\u0122": 226, "\u0123": 227, "\u0124": 228, "\u0125": 229, "\u0126": 230, "\u0127": 231, "\u0128": 232, "\u0129": 233, "\u012a": 234, "\u012b": 235, "\u012c": 236, "\u012d": 237, "\u012e": 238, "\u012f": 239, "\u0130": 240, "\u0131": 241, "\u0132": 242, "\u0133": 243, "\u0134": 244, "\u0135": 245, "\u0136": 246, "\u0137": 247, "\u0138": 248, "\u0139": 249, "\u013a": 250, "\u013b": 251, "\u013c": 252, "\u013d": 253, "\u013e": 254, "\u013f": 255, "\u0140": 256, "\u0141": 257, "\u0142": 258, "\u0143": 259, "he": 260, "\u0120t": 261, "at": 262, "\u0120\u0120": 263, "\u0120the": 264, "in": 265, "ll": 266, "on": 267, "\u0120c": 268, "\u0120d": 269, "\u0120s": 270, "an": 271, "es": 272, "or": 273, "ve": 274, "wor": 275, "\u00a5\u00bd": 276, "\u00bd\u0142": 277, "\u00c3\u00a9": 278, "\u00e4\u00bd\u0142": 279, "\u00e5\u00a5\u00bd": 280, "\u010a\u010a": 281, "\u0120in": 282, "\u0120wor": 283, "\u0120\u00e4\u00bd\u0142": 284, "hell": 285, "\u0120th": 286, "\u0120don": 287, "and": 288, "\u0120\u00e4\u00bd\u0142\u00e5\u00a5\u00bd": 289, "hello": 290, "'t": 291, "'ll": 292, "'ve": 293, "02": 294, "12": 295, "202": 296, "ac": 297, "af": 298, "a\u00c3": 299, "\u0120world": 300, "na\u00c3\u00afve": 301, "345": 302}, "merges": [["h", "e"], ["\u0120", "t"], ["a", "t"], ["\u0120", "\u0120"], ["\u0120t", "he")json"
    R"json(], ["i", "n"], ["l", "l"], ["o", "n"], ["\u0120", "c"], ["\u0120", "d"], ["\u0120", "s"], ["a", "n"], ["e", "s"], ["o", "r"], ["v", "e"], ["w", "or"], ["\u00a5", "\u00bd"], ["\u00bd", "\u0142"], ["\u00c3", "\u00a9"], ["\u00e4", "\u00bd\u0142"], ["\u00e5", "\u00a5\u00bd"], ["\u010a", "\u010a"], ["\u0120", "in"], ["\u0120", "wor"], ["\u0120", "\u00e4\u00bd\u0142"], ["he", "ll"], ["\u0120t", "h"], ["\u0120d", "on"], ["an", "d"], ["\u0120\u00e4\u00bd\u0142", "\u00e5\u00a5\u00bd"], ["hell", "o"], ["'", "t"], ["'", "ll"], ["'", "ve"], ["0", "2"], ["1", "2"], ["2", "02"], ["a", "c"], ["a", "f"], ["a", "\u00c3"]]}})json";

inline const EncodingReference kLikeLlama3Encodings[] = {
    {std::string_view("", 0), {}},
    {std::string_view(" ", 1), {224}},
    {std::string_view("hello", 5), {290}},
    {std::string_view(" hello world", 12), {224, 290, 300}},
    {std::string_view("the cat's hat, they'll sit", 26), {87, 260, 268, 262, 10, 86, 224, 75, 262, 15, 264, 92, 292, 270, 76, 87}},
    {std::string_view("don't DON'T", 11), {71, 267, 291, 224, 39, 50, 49, 10, 55}},
    {std::string_view("x  y   z    ", 12), {91, 224, 224, 92, 263, 224, 93, 263, 263}},
    {std::string_view("   lead", 7), {263, 224, 79, 72, 68, 71}},
    {std::string_view("tail \012", 6), {87, 68, 76, 79, 224, 202}},
    {std::string_view("\011\012 \015\012", 5), {201, 202, 224, 205, 202}},
    {std::string_view("12 345 6", 8), {295, 224, 302, 224, 25}},
    {std::string_view("a1b2 3c  4", 10), {68, 20, 69, 21, 224, 22, 70, 224, 224, 23}},
    {std::string_view("\302\275\331\243\342\205\247 x", 9), {130, 125, 153, 100, 162, 231, 104, 224, 91}},
    {std::string_view("na\303\257ve caf\303\251", 12), {301, 268, 298, 278}},
    {std::string_view("\344\275\240\345\245\275\344\270\226\347\225\214", 12), {279, 280, 164, 120, 248, 167, 247, 238}},
    {std::string_view("\360\237\230\200\342\200\215\360\237\221\250", 11), {176, 257, 250, 226, 162, 226, 239, 176, 257, 243, 105}},
    {std::string_view("a\302\240b\343\200\200c\341\240\216d", 12), {68, 130, 258, 69, 163, 226, 226, 70, 161, 258, 240, 71}},
    {std::string_view("\000\177", 2), {192, 225}},
    {std::string_view("<|im_start|>user\012hi<|im_end|>\012", 30), {2, 88, 86, 72, 85, 202, 75, 76, 3, 202}},
    {std::string_view("<|im_end|><|im_end|>", 20), {3, 3}},
    {std::string_view("<|im_en|>", 9), {31, 95, 76, 80, 66, 72, 81, 95, 33}},
    {std::string_view("<|im_start|", 11), {31, 95, 76, 80, 66, 86, 87, 68, 85, 87, 95}},
    {std::string_view("<x>", 3), {31, 91, 33}},
    {std::string_view("<x><y>", 6), {31, 91, 33, 31, 92, 33}},
    {std::string_view("a<x><y>b <y><x>", 15), {68, 31, 91, 33, 31, 92, 33, 69, 224, 31, 92, 33, 31, 91, 33}},
    {std::string_view("thethethe", 9), {87, 260, 87, 260, 87, 260}},
    {std::string_view("aaaaaaaaaaaaaaaa", 16), {68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68, 68}},
    {std::string_view("!!! \077\077\077...", 10), {4, 4, 4, 224, 34, 34, 34, 17, 17, 17}},
    {std::string_view("_~\303\277\303\276", 6), {66, 97, 131, 127, 131, 126}},
    {std::string_view("'S 'RE 'lL '\305\277 ''s 'x", 21), {10, 54, 224, 10, 53, 40, 224, 10, 79, 47, 224, 10, 133, 127, 224, 10, 10, 86, 224, 10, 91}},
    {std::string_view("hello world naive na\303\257ve 345 3456789", 36), {290, 300, 224, 81, 68, 76, 274, 224, 81, 299, 111, 274, 224, 302, 224, 302, 25, 26, 27, 28}},
    {std::string_view("a\012\012 b\015\012\011 \012  c", 13), {68, 281, 224, 69, 205, 202, 201, 224, 202, 224, 268}},
    {std::string_view("...\012\012\077!\015\012x", 10), {17, 17, 17, 281, 34, 4, 205, 202, 91}},
    {std::string_view("\011words\343\200\200words \012", 16), {201, 275, 71, 86, 163, 226, 226, 275, 71, 86, 224, 202}},
    {std::string_view("a <l> b<r>  c<l><r> \343\200\200<lr> d <l>", 33), {68, 224, 31, 79, 33, 224, 69, 31, 85, 33, 224, 268, 31, 79, 33, 31, 85, 33, 224, 163, 226, 226, 31, 79, 85, 33, 269, 224, 31, 79, 33}},
    {std::string_view("<r> <l>  <lr>", 13), {31, 85, 33, 224, 31, 79, 33, 224, 224, 31, 79, 85, 33}},
    {std::string_view("cafe\314\201 e\314\201te\314\201 \303\251t\303\251", 20), {70, 298, 72, 140, 227, 224, 72, 140, 227, 87, 72, 140, 227, 224, 278, 87, 278}},
    {std::string_view("a\314\243\314\202\314\201 o\314\210 \303\266 \341\204\222\341\205\241\341\206\253 \342\204\253 \360\221\244\265\360\221\244\260", 37), {68, 140, 100, 140, 228, 140, 227, 224, 82, 140, 234, 224, 131, 118, 224, 161, 230, 244, 161, 231, 98, 161, 232, 108, 224, 162, 230, 108, 224, 176, 243, 101, 117, 176, 243, 101, 112}},
};

inline constexpr std::string_view kWithNfc =
    R"json({"version": "1.0", "truncation": null, "padding": null, "added_tokens": [{"id": 90, "content": "<x>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 91, "content": "<x><y>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 92, "content": "<y>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}, {"id": 93, "content": "the", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 94, "content": "they'", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 95, "content": "<l>", "single_word": false, "lstrip": true, "rstrip": false, "normalized": false, "special": false}, {"id": 96, "content": "<r>", "single_word": false, "lstrip": false, "rstrip": true, "normalized": false, "special": false}, {"id": 97, "content": "<lr>", "single_word": false, "lstrip": true, "rstrip": true, "normalized": true, "special": false}, {"id": 98, "content": "e\u0301t\u00e9", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}, {"id": 99, "content": "o\u0308", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}], "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}, "post_processor": null, "decoder": null, "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false, "vocab": {"'": 0, ",": 1, "0": 2, "1": 3, "2": 4, "3": 5, "4": 6, "a": 7, "c": 8, "d": 9, "e": 10, "f": 11, "g": 12, "h": 13, "i": 14, "j": 15, "l": 16, "m": 17, "n": 18, "o": 19, "p": 20, "r": 21, "s": 22, "t": 23, "u": 24, "v": 25, "w": 26, "x": 27, "y": 28, "\u00a5": 29, "\u00a9": 30, "\u00)json"
    R"json(af": 31, "\u00bd": 32, "\u00c3": 33, "\u00e4": 34, "\u00e5": 35, "\u010a": 36, "\u0120": 37, "\u0142": 38, "he": 39, "\u0120t": 40, "at": 41, "\u0120\u0120": 42, "\u0120the": 43, "in": 44, "ll": 45, "on": 46, "\u0120c": 47, "\u0120d": 48, "\u0120s": 49, "an": 50, "es": 51, "or": 52, "ve": 53, "wor": 54, "\u00a5\u00bd": 55, "\u00bd\u0142": 56, "\u00c3\u00a9": 57, "\u00e4\u00bd\u0142": 58, "\u00e5\u00a5\u00bd": 59, "\u0120in": 60, "\u0120wor": 61, "\u0120\u00e4\u00bd\u0142": 62, "hell": 63, "\u0120th": 64, "\u0120don": 65, "and": 66, "\u0120\u00e4\u00bd\u0142\u00e5\u00a5\u00bd": 67, "hello": 68, "'t": 69, "'ll": 70, "'ve": 71, "02": 72, "12": 73, "202": 74, "34": 75, "ac": 76, "af": 77, "a\u00c3": 78, "de": 79, "ed": 80, "ee": 81, "ex": 82, "gs": 83, "j\u00c3": 84, "ld": 85, "mat": 86, "nt": 87, "na\u00c3": 88, "pac": 89}, "merges": [["h", "e"], ["\u0120", "t"], ["a", "t"], ["\u0120", "\u0120"], ["\u0120t", "he"], ["i", "n"], ["l", "l"], ["o", "n"], ["\u0120", "c"], ["\u0120", "d"], ["\u0120", "s"], ["a", "n"], ["e", "s"], ["o", "r"], ["v", "e"], ["w", "or"], ["\u00a5", "\u00bd"], ["\u00bd", "\u0142"], ["\u00c3", "\u00a9"], ["\u00e4", "\u00bd\u0142"], ["\u00e5", "\u00a5\u00bd"], ["\u0120", "in"], ["\u0120", "wor"], ["\u0120", "\u00e4\u00bd\u0142"], ["he", "ll"], ["\u0120t", "h"], ["\u0120d", "on"], ["an", "d"], ["\u0120\u00e4\u00bd\u0142", "\u00e5\u00a5\u00bd"], ["hell", "o"], ["'", "t"], ["'", "ll"], ["'", "ve"], ["0", "2"], ["1", "2"], ["2", "02"], ["3", "4"], ["a", "c"], ["a", "f"], ["a", "\u00c3"], ["d", "e"], ["e", "d"], ["e", "e"], ["e", "x"], ["g", "s"], ["j", "\u00c3"], ["l", "d"], ["m", "at"], ["n", "t"], ["n", "a\u00c3"], ["p", "ac"]]}})json";

inline const EncodingReference kWithNfcEncodings[] = {
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
    {std::string_view("'S 'RE 'lL '\305\277 ''s 'x", 21), {0, 37, 0, 37, 0, 16, 37, 0, 37, 0, 0, 22, 37, 0, 27}},
    {std::string_view("hello world naive na\303\257ve 345 3456789", 36), {68, 61, 85, 37, 18, 7, 14, 53, 37, 88, 31, 53, 37, 75, 37, 75}},
    {std::string_view("a\012\012 b\015\012\011 \012  c", 13), {7, 36, 36, 37, 36, 37, 36, 37, 47}},
    {std::string_view("...\012\012\077!\015\012x", 10), {36, 36, 36, 27}},
    {std::string_view("\011words\343\200\200words \012", 16), {54, 9, 22, 54, 9, 22, 37, 36}},
    {std::string_view("a <l> b<r>  c<l><r> \343\200\200<lr> d <l>", 33), {7, 95, 37, 96, 8, 95, 96, 97, 9, 95}},
    {std::string_view("<r> <l>  <lr>", 13), {96, 95, 97}},
    {std::string_view("cafe\314\201 e\314\201te\314\201 \303\251t\303\251", 20), {8, 77, 57, 37, 98, 37, 98}},
    {std::string_view("a\314\243\314\202\314\201 o\314\210 \303\266 \341\204\222\341\205\241\341\206\253 \342\204\253 \360\221\244\265\360\221\244\260", 37), {37, 99, 37, 33, 37, 37, 33, 37}},
};

}  // namespace twinrun::trainer
