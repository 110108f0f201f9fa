"""Evaluations of twinrun-train against transformers and PEFT: SmolLM2 with an adapter that we
trained, a dozen conversations.

The bound of a loss. tests/parity/train_parity.py measures losses of a batch that differ by less
than 3e-6, relative; a row alone averages over fewer tokens. 1e-5 nats is asked, and losses are of
some nats. Answers are compared token by token: in float32 no near-tie was met.
"""

import json

import torch
from parity import Parity, file_digest, from_bits
from peft import PeftModel
from schemas import validator
from train_parity import load_samples, loss_sum, make_batch
from transformers import AutoModelForCausalLM, AutoTokenizer

LOSS_BOUND = 1e-5  # nats per token
ROWS = 12
NEW_TOKENS = 16
EVERY, STEPS = 2, 3


def held_out(parity, path):
    """Every 29th conversation that ends with an answer."""
    lines = parity.chat.read_text(encoding="utf-8").splitlines()
    dialogues = [json.loads(line) for line in lines]
    chosen = [d for d in dialogues if d["messages"][-1]["role"] == "assistant"][::29][:ROWS]
    path.write_text("".join(json.dumps(d) + "\n" for d in chosen), encoding="utf-8")
    return chosen


def read_eval(parity, path):
    of_line = validator(parity.source, "eval")
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        of_line.validate(line)
    header, *rows, end = lines
    assert end["end"] and end["lines"] == len(rows) == 2 * header["items"]
    assert [row["step"] for row in rows] == [EVERY] * ROWS + [STEPS] * ROWS
    return header, rows


def answer(model, tokenizer, messages):
    """Greedy, without padding; the text before <|im_end|>, and why it ended."""
    turns = "".join(
        f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in messages
    )
    ids = tokenizer(turns + "<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    stop = tokenizer.convert_tokens_to_ids("<|im_end|>")
    with torch.no_grad():
        out = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
            do_sample=False,
            max_new_tokens=NEW_TOKENS,
            eos_token_id=stop,
            pad_token_id=stop,
        )[0, len(ids) :].tolist()
    stopped = out[-1] == stop
    text = tokenizer.decode(out[: len(out) - stopped], clean_up_tokenization_spaces=False)
    return text, "stop" if stopped else "length"


def main():
    parity = Parity(__doc__)
    path = parity.scratch / "heldout.jsonl"
    dialogues = held_out(parity, path)
    config = parity.config(parity.smollm2, steps=STEPS, batch_size=4, lr=2e-3, max_length=128)
    settings = {"max_new_tokens": NEW_TOKENS, "batch_size": 5, "max_length": 256}
    config["launch"] |= {"eval_every": EVERY, "evaluation": settings | {"path": str(path)}}
    config["judgement"]["evaluation"] = settings | {"sha256": file_digest(path), "every": EVERY}
    validator(parity.source, "config").validate(config)
    run = parity.train(config)
    header, rows = read_eval(parity, run / "eval.jsonl")
    assert header["data"] == file_digest(path) and header["items"] == ROWS

    base = AutoModelForCausalLM.from_pretrained(parity.smollm2, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(parity.smollm2)
    samples = load_samples(path, parity.smollm2)

    def losses(model):
        found = []
        for dialogue in dialogues:
            sample = samples[dialogue["id"]]
            count = sum(label != -100 for label in sample[1][1:])
            with torch.no_grad():
                found.append((loss_sum(model, make_batch([sample], 0)).item() / count, count))
        return found

    without = losses(base)
    model = PeftModel.from_pretrained(base, run / "adapter").eval()
    last = [row for row in rows if row["step"] == STEPS]
    differences, answers, fields = [], 0, 0
    for row, dialogue, (loss, count) in zip(last, dialogues, losses(model), strict=True):
        differences.append(abs(from_bits(row["nll"]["bits"]) / row["tokens"] - loss))
        said = answer(model, tokenizer, dialogue["messages"][:-1])
        answers += (row["answer"], row["finish"]) != said
        fields += (row["id"], row["category"], row["reference"], row["tokens"]) != (
            dialogue["id"],
            dialogue["category"],
            dialogue["messages"][-1]["content"],
            count,
        )
    worst = max(differences) if all(d == d for d in differences) else float("nan")
    parity.check(f"loss of {len(differences)} rows", worst, LOSS_BOUND)
    parity.check_equal("answers", len(last), answers)
    parity.check_equal("id, category, reference and count", len(last), fields)
    # The same check has to see the adapter, and that it was trained between two evaluations.
    for what, others in (
        ("the adapter's effect", [loss for loss, _ in without]),
        (
            "a step's effect",
            [from_bits(row["nll"]["bits"]) / row["tokens"] for row in rows[:ROWS]],
        ),
    ):
        smallest = min(
            abs(from_bits(row["nll"]["bits"]) / row["tokens"] - other)
            for row, other in zip(last, others, strict=True)
        )
        parity.check(f"bound over {what} {smallest:.3g}", LOSS_BOUND / smallest, 0.1)
    parity.finish()


if __name__ == "__main__":
    main()
