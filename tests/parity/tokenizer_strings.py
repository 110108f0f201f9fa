"""Random strings for tokenizer_parity.py: of all code points, assigned or not, and of what tokenizers stumble over."""


def code_points(*ranges):
    return [chr(c) for first, last in ranges for c in range(first, last + 1) if not 0xD800 <= c <= 0xDFFF]


ALPHABETS = {
    "any": code_points((0, 0x10FFFF)),
    "basic": code_points((0, 0xFFFF)),
    "astral": code_points((0x10000, 0x1FFFF)),
    "ascii": code_points((0x20, 0x7E)),
    "letters": list("abcdefghijklmnopqrstuvwxyz     ETAOIN"),
    "control": code_points((0x00, 0x1F), (0x7F, 0x9F)),
    "latin": code_points((0xA0, 0x24F), (0x300, 0x36F), (0x1E00, 0x1EFF)),
    "greek_cyrillic_arabic": code_points((0x370, 0x52F), (0x5D0, 0x6FF), (0x1F00, 0x1FFF)),
    "indic_thai": code_points((0x900, 0xDFF), (0xE00, 0xE5B)),
    "cjk": code_points((0x3000, 0x30FF), (0x4E00, 0x5FFF), (0xAC00, 0xB0FF), (0x1100, 0x11FF)),
    "emoji": code_points((0x1F300, 0x1F64F), (0x1F900, 0x1F9FF)) + ["\u200d", "\ufe0f"],
    "digits": list("0123456789" * 8) + code_points((0x660, 0x669), (0xB2, 0xB3), (0x2150, 0x218B), (0x2460, 0x249B),
                                                   (0x11DE0, 0x11DE9), (0x16FF4, 0x16FF6), (0x1D7CE, 0x1D7FF)),
    "space": list(" \t\n\r\v\f\x85\xa0\u1680\u180e\u2000\u2007\u200b\u2028\u2029\u202f\u205f\u3000\ufeff"),
    "newline": list("\n\r  \t.a"),
    "marks": code_points((0x300, 0x345), (0x93C, 0x93C), (0x3099, 0x309A), (0x1161, 0x1175), (0x11A8, 0x11C2))
             + list("aeiouAEIOU\u0915\u304b\u1100\u1112"),
    "contractions": [quote + rest for quote in ("'", "'", "'", " '", "\u2019")
                     for rest in ("s", "t", "re", "ve", "m", "ll", "d", "S", "T", "RE", "Ve", "lL", "\u017f", "r", "L",
                                  "", "x")],
    "sentencepiece": ["\u2581", " ", "\u2581\u2581", "<0x0A>", "\u0000", "  "],
}


def random_string(rng, special):
    """Some runs of the alphabets; of `special` tokens whole ones and ones that are cut."""
    parts = []
    for _ in range(rng.randint(1, 6)):
        kind = rng.choice(list(ALPHABETS) + ["special", "special", "run"])
        if kind == "special":
            token = rng.choice(special) if special else ""
            parts.append(token if rng.random() < 0.7 else token[:rng.randint(0, len(token))])
        elif kind == "run":
            parts.append(rng.choice(rng.choice(list(ALPHABETS.values()))) * rng.randint(2, 40))
        else:
            parts.append("".join(rng.choices(ALPHABETS[kind], k=rng.randint(1, 24))))
    return "".join(parts)


def every_code_point(size=48):
    """Strings in which each code point has neighbours of every kind."""
    every = ALPHABETS["any"]
    for start in range(0, len(every), size):
        yield "".join(f"a{c}1{c} {c}.{c}{c}\n" for c in every[start:start + size])
