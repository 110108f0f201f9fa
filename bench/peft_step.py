#!/usr/bin/env python3
"""Time of a LoRA step on a CPU with PEFT: what bench/step is compared with.

FP32, random ids, every position labelled, rank 8 on all linear layers, AdamW and gradient clipping.
Prints one JSON object.
"""

import argparse
import json
import statistics
import sys
import time

import peft
import torch
import transformers


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="Hugging Face folder")
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--length", type=int, default=128, help="tokens a sample")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--warmup", type=int, default=2, help="steps before the first that counts")
    parser.add_argument("--steps", type=int, default=10, help="steps that count")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seed", type=int, default=42)
    return parser.parse_args()


def main():
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    transformers.utils.logging.disable_progress_bar()
    base = transformers.LlamaForCausalLM.from_pretrained(options.model, dtype=torch.float32)
    torch.manual_seed(options.seed)
    model = peft.get_peft_model(
        base,
        peft.LoraConfig(
            r=options.rank,
            lora_alpha=2 * options.rank,
            lora_dropout=options.dropout,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    model.train()
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-4, weight_decay=0.0)
    shape = (options.warmup + options.steps, options.batch_size, options.length)
    seconds, losses = [], []
    for input_ids in torch.randint(base.config.vocab_size, shape):
        start = time.perf_counter()
        loss = model(input_ids=input_ids, labels=input_ids).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    counted = seconds[options.warmup :]
    json.dump(
        {
            "program": "peft",
            **vars(options),
            "step_ms_median": 1e3 * statistics.median(counted),
            "step_ms_min": 1e3 * min(counted),
            "step_ms_max": 1e3 * max(counted),
            "samples": len(counted),
            "discarded": options.warmup,
            "loss_first": losses[0],
            "loss_last": losses[-1],
            "versions": {m.__name__: m.__version__ for m in (torch, transformers, peft)},
            "isa": torch.backends.cpu.get_cpu_capability(),
        },
        sys.stdout,
        indent=2,
    )
    print()


if __name__ == "__main__":
    main()
