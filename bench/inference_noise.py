#!/usr/bin/env python3
"""How far two right implementations of inference are apart: what the bounds of docs/inference.md
rest on.

    bench/inference_noise.py MODEL DATA [--dtype float32|bfloat16] [--prompts N] [--new-tokens N]

The model answers N different first turns of DATA greedily; then the same weights are put through the answers
in several orders of summation (attention and matrix products cut otherwise, another batch, another
number of threads) and in float64. Prints, for each pair, what the check measures: the largest and
mean difference of a log-probability, the largest and mean KL divergence, top-1 agreement, and the
gaps at which the choices part. One JSON object.
"""

import argparse
import json
import math
import sys

import torch
import transformers

TOP = 20
REST_LEAST = 1e-6  # as in harness/infer/compare_outputs.h


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="Hugging Face folder")
    parser.add_argument("data", help="JSONL with messages or prompt")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=32)
    parser.add_argument("--device", default="cpu")
    return parser.parse_args()


def read_prompts(path, count):
    prompts = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            sample = json.loads(line)
            text = sample.get("prompt") or sample["messages"][0]["content"]
            prompt = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n"
            if prompt not in prompts:
                prompts.append(prompt)
            if len(prompts) == count:
                break
    return prompts


def load(options, dtype, attention):
    # What is stored in bfloat16 is the same number in every dtype.
    model = transformers.AutoModelForCausalLM.from_pretrained(
        options.model, dtype=dtype, attn_implementation=attention
    )
    return model.eval().to(options.device)


def logprobs(model, sequences, batch_size):
    """Log-softmax before each token of the answers, in float64, one row a token."""
    rows = []
    for begin in range(0, len(sequences), batch_size):
        batch = sequences[begin : begin + batch_size]
        length = max(len(prompt) + len(answer) for prompt, answer in batch)
        ids = torch.zeros(len(batch), length, dtype=torch.long)
        mask = torch.zeros(len(batch), length, dtype=torch.long)
        for row, (prompt, answer) in enumerate(batch):
            whole = prompt + answer
            ids[row, : len(whole)] = torch.tensor(whole)
            mask[row, : len(whole)] = 1
        ids, mask = ids.to(model.device), mask.to(model.device)
        with torch.inference_mode():
            logits = model(input_ids=ids, attention_mask=mask).logits
        for row, (prompt, answer) in enumerate(batch):
            part = logits[row, len(prompt) - 1 : len(prompt) + len(answer) - 1]
            # As a trainer does it: in float32, unless the model is in float64.
            part = part if part.dtype == torch.float64 else part.float()
            rows.append(torch.log_softmax(part, -1).double().cpu())
    return torch.cat(rows)


def measure(a, b, tokens):
    """`a` as the reference, `b` as the run."""
    index = torch.arange(len(tokens))
    difference = (a[index, tokens] - b[index, tokens]).abs()
    top_a, ids = a.topk(TOP)
    p, q = top_a.exp(), b.gather(1, ids).exp()
    p_rest = (1 - p.sum(1)).clamp(min=REST_LEAST)
    q_rest = (1 - q.sum(1)).clamp(min=REST_LEAST)
    kl = (p * (top_a - b.gather(1, ids))).sum(1) + p_rest * (p_rest / q_rest).log()
    kl = kl.clamp(min=0)
    best_a, best_b = a.argmax(1), b.argmax(1)
    parted = best_a != best_b
    gap_a = a[index, best_a] - a[index, best_b]
    gap_b = b[index, best_b] - b[index, best_a]
    gaps = torch.maximum(gap_a, gap_b)[parted]
    result = {
        "tokens": len(tokens),
        "max_logprob_diff": difference.max().item(),
        "mean_logprob_diff": difference.mean().item(),
        "max_kl": kl.max().item(),
        "mean_kl": kl.mean().item(),
        "top1_agreement": 1 - parted.double().mean().item(),
        "widest_gap_parted": gaps.max().item() if len(gaps) else 0.0,
    }
    if not all(math.isfinite(value) for value in result.values()):
        raise SystemExit("something not finite came out")
    return result


def answers_of(model, tokenizer, prompts, count):
    answers = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt", add_special_tokens=False).input_ids
        with torch.inference_mode():
            whole = model.generate(
                ids.to(model.device),
                attention_mask=torch.ones_like(ids).to(model.device),
                max_new_tokens=count,
                do_sample=False,
            )
        answers.append((ids[0].tolist(), whole[0, ids.shape[1] :].tolist()))
    return answers


def main():
    options = parse_arguments()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    dtype = getattr(torch, options.dtype)
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.model)
    threads = torch.get_num_threads()
    model = load(options, dtype, "sdpa")
    prompts = read_prompts(options.data, options.prompts)
    sequences = answers_of(model, tokenizer, prompts, options.new_tokens)
    tokens = torch.tensor([token for _, answer in sequences for token in answer])
    ways = {"sdpa, batch 8": logprobs(model, sequences, 8)}
    torch.set_num_threads(1)
    ways["sdpa, batch 1, 1 thread"] = logprobs(model, sequences, 1)
    torch.set_num_threads(threads)
    model = load(options, dtype, "eager")
    ways["eager, batch 3"] = logprobs(model, sequences, 3)
    if options.dtype == "bfloat16":
        # The other common way to infer: weights as stored, everything else in float32.
        ways["float32"] = logprobs(load(options, torch.float32, "sdpa"), sequences, 8)
    ways["float64"] = logprobs(load(options, torch.float64, "eager"), sequences, 8)
    names = list(ways)
    pairs = {
        f"{x} | {y}": measure(ways[x], ways[y], tokens)
        for i, x in enumerate(names)
        for y in names[i + 1 :]
    }
    json.dump(
        {
            "dtype": options.dtype,
            "device": options.device,
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "prompts": len(prompts),
            "pairs": pairs,
        },
        sys.stdout,
        indent=1,
    )
    print()


if __name__ == "__main__":
    main()
