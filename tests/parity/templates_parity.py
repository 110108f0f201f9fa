"""Templates: ids and labels of ours against transformers' apply_chat_template and tokenizer."""

import json
import random
import subprocess

import sentencepiece_reference
from parity import Parity
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, LlamaConfig, MistralConfig, PreTrainedTokenizerFast
from transformers.tokenization_utils_base import generate_merges

CONVERSATIONS = 300
IGNORE = -100
TOKENS = [
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<s>",
    "</s>",
]

# What the published templates say, in our words; {% generation %} marks what is labelled.
CHATML = """
{%- for m in messages -%}
  {{- '<|im_start|>' ~ m.role ~ '\n' -}}
  {%- if m.role == 'assistant' -%}
    {%- generation -%}{{- m.content ~ '<|im_end|>' -}}{%- endgeneration -%}
  {%- else -%}{{- m.content ~ '<|im_end|>' -}}{%- endif -%}
  {{- '\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%}
"""
LLAMA3 = """
{{- '<|begin_of_text|>' -}}
{%- for m in messages -%}
  {{- '<|start_header_id|>' ~ m.role ~ '<|end_header_id|>\n\n' -}}
  {%- if m.role == 'assistant' -%}
    {%- generation -%}{{- m.content | trim ~ '<|eot_id|>' -}}{%- endgeneration -%}
  {%- else -%}{{- m.content | trim ~ '<|eot_id|>' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' -}}
{%- endif -%}
"""
MISTRAL = """
{{- '<s>' -}}
{%- set ns = namespace(before='') -%}
{%- for m in messages -%}
  {%- if m.role == 'system' -%}{%- set ns.before = m.content ~ '\n\n' -%}
  {%- elif m.role == 'user' -%}
    {{- ' [INST] ' ~ ns.before ~ m.content ~ ' [/INST]' -}}{%- set ns.before = '' -%}
  {%- else -%}{%- generation -%}{{- ' ' ~ m.content ~ '</s>' -}}{%- endgeneration -%}{%- endif -%}
{%- endfor -%}
"""
ALPACA = (
    "Below is an instruction that describes a task{}Write a response that appropriately "
    "completes the request.\n\n### Instruction:\n{}\n\n{}### Response:"
)

PIECES = [
    "the cat sat on the mat",
    "2 + 2 = 4",
    "caf\u00e9",
    "\u4f60\u597d",
    "\U0001f600\u200d\U0001f468",
    "'ll",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\u00a0",
    "\u2003",
    "\u3000",
    "\x1f",
    "\u200b",
    "[INST]",
    "</s>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|im_start|>",
    "def f(x):\n    return x",
    "\u00bd",
    "\u0301",
    "",
]


def text(rng):
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(0, 7)))


def conversation(rng, system):
    turns = [{"role": "system", "content": text(rng)}] if system else []
    for _ in range(rng.randint(1, 4)):
        turns.append({"role": "user", "content": text(rng)})
        turns.append({"role": "assistant", "content": text(rng)})
    return turns


def lines_of(parity, folder, template, lines, prompts=False):
    data = parity.scratch / "data.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = [parity.build / "tests/trainer_samples_tool", folder, template, data]
    done = subprocess.run(
        [str(part) for part in command + (["prompts"] if prompts else [])], capture_output=True
    )
    assert done.returncode == 0, done.stderr.decode()
    return [json.loads(line) for line in done.stdout.splitlines()]


def make_folder(parity, name, bos):
    """SmolLM2's tokenizer with the other templates' tokens, and with `bos` put first."""
    source = json.loads((parity.smollm2 / "tokenizer.json").read_text())
    first = max(source["model"]["vocab"].values()) + 1
    for i, token in enumerate(TOKENS):
        added = dict(source["added_tokens"][0], id=first + i, content=token)
        source["added_tokens"].append(added)
    folder = parity.scratch / name
    folder.mkdir()
    vocab_size = first + len(TOKENS)
    LlamaConfig(vocab_size=vocab_size, eos_token_id=2, pad_token_id=2).save_pretrained(folder)
    tokenizer = Tokenizer.from_str(json.dumps(source))
    if bos:
        tokenizer.post_processor = TemplateProcessing(
            single=f"{bos} $A", special_tokens=[(bos, first + TOKENS.index(bos))]
        )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    assert tokenizer("").input_ids == ([first + TOKENS.index(bos)] if bos else [])
    return folder, tokenizer


def labels_of(ids, labelled):
    return [token if mark else IGNORE for token, mark in zip(ids, labelled, strict=True)]


def check_chat(parity, folder, tokenizer, name, jinja, conversations, files=""):
    ours = lines_of(parity, folder, name, [{"messages": turns} for turns in conversations])
    wrong_ids = wrong_labels = 0
    for mine, turns in zip(ours, conversations, strict=True):
        theirs = tokenizer.apply_chat_template(
            turns, chat_template=jinja, return_dict=True, return_assistant_tokens_mask=True
        )
        wrong_ids += mine["ids"] != theirs["input_ids"]
        wanted = labels_of(theirs["input_ids"], theirs["assistant_masks"])
        wrong_labels += mine["labels"] != wanted
    what = name + f", {files}" * bool(files)
    parity.check_equal(f"{what}: ids of conversations", len(ours), wrong_ids)
    parity.check_equal(f"{what}: labels of conversations", len(ours), wrong_labels)
    asked = [turns[:-1] for turns in conversations]
    ours = lines_of(parity, folder, name, [{"messages": turns} for turns in asked], prompts=True)
    wrong = 0
    for mine, turns in zip(ours, asked, strict=True):
        theirs = tokenizer.apply_chat_template(
            turns, chat_template=jinja, tokenize=False, add_generation_prompt=True
        )
        wrong += mine["text"] != theirs
    parity.check_equal(f"{what}: prompts", len(ours), wrong)


def accepts(parity, folder, template):
    """Whether ours takes `template` for a folder that has a template of its own."""
    data = parity.scratch / "one.jsonl"
    data.write_text('{"prompt":"a","response":"b"}\n')
    command = [parity.build / "tests/trainer_samples_tool", folder, template, data]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0 or "use `template: text`" in done.stderr, done.stderr
    return done.returncode == 0


def check_own(parity, folder, template, conversations):
    """A folder's own template; the system turn that it makes up (SmolLM2's does) taken away."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    made_up = "<|im_start|>system\n"
    ours = lines_of(parity, folder, template, [{"messages": turns} for turns in conversations])
    wrong, added = 0, 0
    for mine, turns in zip(ours, conversations, strict=True):
        theirs = tokenizer.apply_chat_template(turns, tokenize=False)
        if turns[0]["role"] != "system" and theirs.startswith(made_up):
            theirs = theirs[theirs.index("<|im_end|>\n") + len("<|im_end|>\n") :]
            added += 1
        wrong += mine["ids"] != tokenizer(theirs, add_special_tokens=False)["input_ids"]
    what = f"{template}: ids against the own template of {folder.name}"
    parity.check_equal(
        f"{what}, {added} without the system turn that it makes up", len(ours), wrong
    )


def check_models(parity, conversations):
    """Every model on this machine whose own template is known to twinrun; SmolLM2's is."""
    checked = set()
    for folder in sorted(parity.smollm2.parent.iterdir()):
        if not AutoTokenizer.from_pretrained(folder).chat_template:
            continue
        for template in ("chatml", "llama3", "mistral"):
            if accepts(parity, folder, template):
                check_own(parity, folder, template, conversations)
                checked.add(folder)
    parity.check_equal("models without SmolLM2", 1, parity.smollm2 not in checked)


def check_begin(parity, folder, tokenizer, rng, what):
    """alpaca and text: transformers' tokenizer adds the begin token, or none, by itself."""
    end = 2
    samples = []
    for _ in range(CONVERSATIONS):
        sample = {"instruction": text(rng), "output": text(rng)}
        if rng.random() < 0.7:
            sample["input"] = text(rng)
        samples.append(sample)
    wrong = 0
    for mine, sample in zip(lines_of(parity, folder, "alpaca", samples), samples, strict=True):
        given = sample.get("input", "")
        head = ", paired with an input that provides further context. " if given else ". "
        section = f"### Input:\n{given}\n\n" if given else ""
        prompt = ALPACA.format(head, sample["instruction"], section)
        wrong += mine["ids"] != tokenizer(prompt + sample["output"])["input_ids"] + [end]
    parity.check_equal(f"alpaca, {what}: ids", len(samples), wrong)
    begins = ("x", " x", "  ")
    samples = [
        {"prompt": rng.choice(begins) + text(rng), "response": text(rng)}
        for _ in range(CONVERSATIONS)
    ]
    wrong = 0
    for mine, sample in zip(lines_of(parity, folder, "text", samples), samples, strict=True):
        whole = tokenizer(sample["prompt"] + sample["response"])["input_ids"]
        wrong += mine["ids"] != whole + [end]
    parity.check_equal(f"text, {what}: ids", len(samples), wrong)


# How a tokenizer.json that was converted from a SentencePiece model puts spaces: normalizer and
# pre-tokenizer.
REPLACE = normalizers.Replace(" ", "\u2581")
PREPEND = (normalizers.Sequence([normalizers.Prepend("\u2581"), REPLACE]), None)
BARE = (normalizers.Sequence([REPLACE]), None)


def metaspace(scheme):
    return None, pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)


# Model, tokenizer_config.json, steps of the tokenizer.json that transformers reads, and whether its
# post-processor puts <s> first. Of a Llama's tokenizer.json transformers takes vocabulary, merges and
# post-processor, so that tokenizer.model alone is the same; of a Mistral's tokenizer.model alone it
# makes BARE.
SPACES = {
    "Llama": (LlamaConfig, {}, PREPEND, False),
    "Llama, legacy false": (LlamaConfig, {"legacy": False}, PREPEND, True),
    "Llama, legacy": (LlamaConfig, {"legacy": True}, PREPEND, True),
    "Llama, legacy, no begin token": (LlamaConfig, {"legacy": True}, PREPEND, False),
    "Llama, no space": (LlamaConfig, {"legacy": True, "add_prefix_space": False}, PREPEND, True),
    "Mistral, legacy, Prepend": (MistralConfig, {"legacy": True}, PREPEND, True),
    "Mistral, Prepend": (MistralConfig, {"legacy": False}, PREPEND, False),
    "Mistral, Metaspace first": (MistralConfig, {"legacy": True}, metaspace("first"), True),
    "Mistral, Metaspace always": (MistralConfig, {}, metaspace("always"), True),
    "Mistral, Metaspace never": (MistralConfig, {"legacy": True}, metaspace("never"), True),
    "Mistral, Replace": (MistralConfig, {"legacy": True}, BARE, True),
}


def convert(folder, special, steps, begin):
    """The tokenizer.json that transformers makes of the tokenizer.model in `folder`."""
    vocabulary = {p: i for i, p in enumerate(sentencepiece_reference.vocabulary(folder))}
    merges = generate_merges(vocabulary)
    tokenizer = Tokenizer(
        BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    )
    if steps[0]:
        tokenizer.normalizer = steps[0]
    if steps[1]:
        tokenizer.pre_tokenizer = steps[1]
    for token in sorted(special, key=special.get):
        flags = sentencepiece_reference.ADDED.get(token, {})
        tokenizer.add_special_tokens([AddedToken(token, normalized=False, **flags)])
        assert tokenizer.token_to_id(token) == special[token]
    if begin:
        tokenizer.post_processor = TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", special["<s>"])]
        )
    tokenizer.save(str(folder / "tokenizer.json"))


def check_sentencepiece(parity, rng, conversations):
    lines = [m["content"] for line in parity.chat.open() for m in json.loads(line)["messages"]]
    for control in ((), sentencepiece_reference.CONTROL):
        folder = parity.scratch / f"sentencepiece-{len(control)}"
        folder.mkdir()
        sentencepiece_reference.train(folder, lines, control)
        for name, (model, config, steps, begin) in SPACES.items():
            what = f"SentencePiece, {len(control)} control tokens, {name}"
            names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}

            def configure(add_bos_token):
                given = names | config | {"add_bos_token": add_bos_token}
                return sentencepiece_reference.configure(folder, **given)

            # Where there is a tokenizer.json, add_bos_token does not count.
            special = configure(add_bos_token=not begin)
            model(vocab_size=2300, eos_token_id=2).save_pretrained(folder)
            convert(folder, special, steps, begin)
            tokenizer = AutoTokenizer.from_pretrained(folder)
            assert (tokenizer("").input_ids == [special["<s>"]]) == begin
            check_chat(parity, folder, tokenizer, "mistral", MISTRAL, conversations, what)
            check_begin(parity, folder, tokenizer, rng, what)
            (folder / "tokenizer.json").unlink()
            if model is MistralConfig and steps is not BARE:
                continue
            configure(add_bos_token=begin)
            what += ", tokenizer.model alone"
            check_chat(parity, folder, tokenizer, "mistral", MISTRAL, conversations, what)
            check_begin(parity, folder, tokenizer, rng, what)


def main():
    parity = Parity(__doc__)
    rng = random.Random(7)
    conversations = [conversation(rng, rng.random() < 0.5) for _ in range(CONVERSATIONS)]
    plain, plain_tokenizer = make_folder(parity, "plain", None)
    check_chat(parity, plain, plain_tokenizer, "chatml", CHATML, conversations)
    check_chat(parity, plain, plain_tokenizer, "llama3", LLAMA3, conversations)
    check_chat(parity, plain, plain_tokenizer, "mistral", MISTRAL, conversations)
    check_models(parity, conversations)
    check_begin(parity, plain, plain_tokenizer, rng, "no begin token")
    begun, begun_tokenizer = make_folder(parity, "begun", "<|begin_of_text|>")
    check_begin(parity, begun, begun_tokenizer, rng, "begin token")
    check_sentencepiece(parity, rng, conversations)
    parity.finish()


if __name__ == "__main__":
    main()
