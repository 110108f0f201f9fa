#!/usr/bin/env python3
"""Time of a LoRA step with PEFT: what bench/step is compared with.

Random ids, every position labelled, LoRA on all linear layers, AdamW and gradient clipping. The base is in
--dtype; with bfloat16 the adapter is float32 under torch.autocast, as PEFT's users train. Prints one JSON
object.
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
    parser.add_argument("model", help="Hugging Face folder, or a config.json for random weights")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--compile", action="store_true", help="torch.compile")
    parser.add_argument("--deterministic", action="store_true", help="torch.use_deterministic_algorithms")
    parser.add_argument("--no-fill", action="store_true", help="deterministic, without filling fresh memory")
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
    dtype = getattr(torch, options.dtype)
    if options.deterministic:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = not options.no_fill
    if options.model.endswith(".json"):
        config = transformers.LlamaConfig.from_json_file(options.model)
        torch.set_default_dtype(dtype)
        with torch.device(options.device):
            base = transformers.LlamaForCausalLM(config)
        torch.set_default_dtype(torch.float32)
    else:
        base = transformers.LlamaForCausalLM.from_pretrained(options.model, dtype=dtype)
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
    model.to(options.device).train()
    step = torch.compile(model) if options.compile else model
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=2e-4, weight_decay=0.0)
    shape = (options.warmup + options.steps, options.batch_size, options.length)
    seconds, losses = [], []
    half = options.dtype == "bfloat16"
    for input_ids in torch.randint(base.config.vocab_size, shape).to(options.device):
        start = time.perf_counter()
        with torch.autocast(torch.device(options.device).type, torch.bfloat16, enabled=half):
            loss = step(input_ids=input_ids, labels=input_ids).loss
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
            "tokens_per_s": options.batch_size * options.length / statistics.median(counted),
            "peak_memory_bytes": torch.cuda.max_memory_allocated() if options.device != "cpu" else None,
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
