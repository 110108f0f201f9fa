#!/usr/bin/env python3
"""infer_vs_transformers.py BUILD: greedy answers of twinrun-train against transformers' generate.

SmolLM2 with a LoRA adapter (rank 8 on all linears), one batch of 8 prompts, 64 new tokens each,
with key-value cache; fresh processes in turns, the order changing from round to round. Loading is not
counted. Ours keeps log-probabilities and the 20 most probable tokens of each position besides;
generate keeps tokens alone, its end token disabled. At least one of our answers has to take all 64
tokens, so that the batch does: rows that ended are computed to its end.

TWINRUN_PYTHON of ci/bootstrap runs it. Prints seconds of each turn, medians and their ratio.
"""

import argparse
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parent.parent
MODEL = SOURCE / ".cache/models/smollm2-135m-instruct"
PROMPTS, NEW_TOKENS = 8, 64


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--numerics", choices=("fast", "deterministic"), default="deterministic")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--theirs", type=pathlib.Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def call(command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{command}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


def prepare(options, folder):
    """A run of two steps, whose adapter both take, and the prompts of one batch."""
    run = folder / "run"
    settings = {
        "train.steps": 2,
        "model.dtype": options.dtype,
        "numerics": options.numerics,
        "device": options.device,
        "threads": options.threads,
    }
    command = [options.build / "bin/twinrun", "train", SOURCE / "baselines/smollm2-chat/case.yaml"]
    command += ["--run-dir", run, "--quiet"]
    for key, value in settings.items():
        command += ["--set", f"{key}={value}"]
    call(command)
    config = json.loads((run / "config.json").read_text())
    config["launch"]["inference"] = {"max_new_tokens": NEW_TOKENS, "batch_size": PROMPTS, "top": 20}
    (run / "config.json").write_text(json.dumps(config))
    lines = (SOURCE / "baselines/smollm2-chat/prompts.jsonl").read_text().splitlines(True)
    (folder / "prompts.jsonl").write_text("".join(lines[:PROMPTS]))
    return run


def ours(options, run):
    command = [options.build / "bin/twinrun-train", "infer", run / "config.json", "--run-dir", run]
    out = call(command + ["--prompts", run.parent / "prompts.jsonl"])
    seconds = float(re.search(r"new tokens in ([0-9.]+) s", out).group(1))
    lines = (run / "inference.jsonl").read_text().splitlines()
    answers = [json.loads(line) for line in lines[1:-1]]
    if max(len(answer["tokens"]) for answer in answers) != NEW_TOKENS:
        sys.exit(f"every answer ended before {NEW_TOKENS} tokens: the work is not the same")
    return seconds, [answer["ids"] for answer in answers]


def theirs(options):
    """In a process of its own: seconds of one generate, after a short one."""
    import peft
    import torch
    import transformers

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    answers = (options.theirs / "inference.jsonl").read_text().splitlines()[1:-1]
    rows = [json.loads(line)["ids"] for line in answers]
    base = transformers.AutoModelForCausalLM.from_pretrained(
        MODEL, dtype=getattr(torch, options.dtype)
    )
    model = peft.PeftModel.from_pretrained(base, options.theirs / "adapter").eval()
    model.to(options.device)
    longest = max(map(len, rows))
    ids = torch.tensor([[2] * (longest - len(row)) + row for row in rows], device=options.device)
    mask = torch.tensor(
        [[0] * (longest - len(row)) + [1] * len(row) for row in rows], device=options.device
    )

    def generate(count):
        start = time.perf_counter()
        with torch.inference_mode():
            out = model.generate(
                input_ids=ids,
                attention_mask=mask,
                do_sample=False,
                use_cache=True,
                min_new_tokens=count,
                max_new_tokens=count,
                pad_token_id=2,
            )
        out = out.cpu()
        assert out.shape == (PROMPTS, longest + count)
        return time.perf_counter() - start

    generate(4)
    print(generate(NEW_TOKENS))


def main():
    options = parse_arguments()
    if options.theirs:
        return theirs(options)
    if not MODEL.is_dir():
        sys.exit(f"no {MODEL}: run baselines/smollm2-chat/fetch.py first")
    with tempfile.TemporaryDirectory(prefix="twinrun-infer-") as scratch:
        run = prepare(options, pathlib.Path(scratch))
        ours(options, run)  # leaves the ids of the prompts for theirs
        shared = ["--device", options.device, "--dtype", options.dtype]
        shared += ["--threads", options.threads, "--theirs", run]
        times = {"twinrun": [], "transformers": []}
        for turn in range(options.rounds):
            for name in list(times)[:: 1 if turn % 2 == 0 else -1]:
                if name == "twinrun":
                    seconds, _ = ours(options, run)
                else:
                    out = call([sys.executable, __file__, options.build, *shared])
                    seconds = float(out.split()[-1])
                times[name].append(seconds)
                print(f"  {name} {seconds:.2f} s", flush=True)
    mine, other = (statistics.median(values) for values in times.values())
    print(
        f"{PROMPTS} prompts x {NEW_TOKENS} new tokens, {options.dtype}, {options.device}, "
        f"{options.threads} threads: twinrun ({options.numerics}) {mine:.2f} s, transformers "
        f"{other:.2f} s, ratio {mine / other:.2f} (medians of {options.rounds} turns)"
    )


if __name__ == "__main__":
    main()
