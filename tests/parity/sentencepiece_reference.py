"""Models of SentencePiece for templates_parity.py, and for tokenizer_parity.py SentencePiece itself: its Python package where
that is installed, else its spm_encode.

What twinrun does around it is done once more here: the text is cut at special tokens, and each part is encoded by a
model with or without the space before it.
"""
import json
import re
import subprocess

try:
    import sentencepiece
except ImportError:
    sentencepiece = None

CONTROL = ["[INST]", "[/INST]", "[control_8]"]
ADDED = {"<pad>": {"lstrip": True}, "<|system|>": {"rstrip": True}}
SPACE = "\u2581"


def train(folder, lines, control=CONTROL):
    """A model of Llama 2's kind in `folder`, with the tokens `control`, as Mistral 7B v0.3 has them."""
    text = folder / "corpus.txt"
    text.write_text("".join(line.rstrip("\n").replace("\0", "") + "\n" for line in lines), encoding="utf-8", newline="\n")
    flags = {
        "input": text, "model_prefix": folder / "tokenizer", "model_type": "bpe", "vocab_size": 2200,
        "character_coverage": 0.98, "byte_fallback": True, "normalization_rule_name": "identity",
        "remove_extra_whitespaces": False, "add_dummy_prefix": True, "split_digits": True,
        "allow_whitespace_only_pieces": True, "minloglevel": 2, "hard_vocab_limit": False,
    }
    if control:
        flags["control_symbols"] = ",".join(control)
    subprocess.run(["spm_train"] + [f"--{key}={str(value).lower() if isinstance(value, bool) else value}"
                                    for key, value in flags.items()], check=True)


def configure(folder, **config):
    """Writes a tokenizer_config.json; returns the tokens that are to be found in the text."""
    pieces = vocabulary(folder)
    decoder = {}
    for token, flags in ADDED.items():
        decoder[str(len(pieces) + len(decoder))] = {"content": token, "special": True, **flags}
    for token in ["<s>", *(token for token in CONTROL if token in pieces)]:
        decoder[str(pieces.index(token))] = {"content": token, "special": True}
    config = {"tokenizer_class": "LlamaTokenizer", "added_tokens_decoder": decoder} | config
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ids = {token["content"]: int(id) for id, token in decoder.items()}
    return ids | {token: pieces.index(token) for token in ["<unk>", "</s>"]}


def vocabulary(folder):
    lines = (folder / "tokenizer.vocab").read_bytes().decode().rstrip("\n").split("\n")
    return [line.rsplit("\t", 1)[0] for line in lines]


class Reference:
    def __init__(self, folder, special, legacy):
        self.special, self.legacy, self.folder = special, legacy, folder
        self.pieces = vocabulary(folder)
        self.name = f"sentencepiece {sentencepiece.__version__}" if sentencepiece else "spm_encode"
        longest_first = sorted(special, key=len, reverse=True)
        self.cut = re.compile("|".join(re.escape(token) for token in longest_first))
        # Of normalizer_spec, which the file has already, add_dummy_prefix = false.
        bare = (folder / "tokenizer.model").read_bytes() + b"\x1a\x02\x18\x00"
        (folder / "bare.model").write_bytes(bare)

    def takes(self, text):
        """spm_encode reads lines."""
        return sentencepiece is not None or "\n" not in text

    def parts(self, text):
        """(id or None, begin, end) of the special tokens in `text` and of what lies between, in characters."""
        result, pending = [], 0
        for match in self.cut.finditer(text):
            begin, end = match.span()
            flags = ADDED.get(match[0], {})
            while flags.get("lstrip") and begin > pending and is_space(text[begin - 1]):
                begin -= 1
            while flags.get("rstrip") and end < len(text) and is_space(text[end]):
                end += 1
            result += [(None, pending, begin)] * (pending < begin) + [(self.special[match[0]], begin, end)]
            pending = end
        return result + [(None, pending, len(text))] * (pending < len(text))

    def space(self, text, begin):
        """Whether SentencePiece's space is put before the part of `text` that begins there."""
        return text[begin] not in (" ", SPACE) and (self.legacy or begin == 0)

    def ids(self, strings):
        wanted = {True: {}, False: {}}
        cuts = [self.parts(text) for text in strings]
        for text, parts in zip(strings, cuts):
            for token, begin, end in parts:
                if token is None:
                    wanted[self.space(text, begin)][text[begin:end]] = None
        encoded = {space: self.encode(space, list(texts)) for space, texts in wanted.items()}
        return [[id for token, begin, end in parts
                 for id in ([token] if token is not None else encoded[self.space(text, begin)][text[begin:end]])]
                for text, parts in zip(strings, cuts)]

    def encode(self, space, texts):
        model = self.folder / ("tokenizer.model" if space else "bare.model")
        if sentencepiece:
            lists = sentencepiece.SentencePieceProcessor(model_file=str(model)).encode(texts)
        else:
            done = subprocess.run(["spm_encode", f"--model={model}", "--output_format=id"], check=True,
                                  input="".join(text + "\n" for text in texts).encode(), stdout=subprocess.PIPE)
            lists = [list(map(int, line.split())) for line in done.stdout.split(b"\n")[:len(texts)]]
        return dict(zip(texts, lists, strict=True))

    def offsets_fit(self, text, ids, offsets):
        """Whether each token stands for the bytes it claims, and together they are the text."""
        data, position = text.encode(), 0
        for id, begin, end in zip(ids, offsets[::2], offsets[1::2]):
            part = data[begin:end].decode()
            piece = self.pieces[id] if id < len(self.pieces) else None
            if id in self.special.values():
                fits = id == 0 or self.cut.search(part) is not None
            elif re.fullmatch("<0x[0-9A-F]{2}>", piece):
                fits = len(part) == 1 and int(piece[3:5], 16) in part.encode()
            else:
                fits = part.replace(" ", SPACE) in (piece, piece[1:] if piece[0] == SPACE else piece)
            if not fits or begin > position or end < position:
                return False
            position = end
        return position == len(data)


def is_space(character):
    return re.fullmatch(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]", character) is not None
