"""Answers of twinrun-train against a reference that ci/make-reference writes with transformers and
PEFT: SmolLM2, a small random Llama and a small random Mistral, each with an adapter that we trained.

The bound. tests/parity/logits_parity.py allows logits to differ by 1e-4 in float32. A
log-probability is a logit less the logarithm of a sum of exponentials, and that logarithm moves by
no more than the largest change of a logit: so log-probabilities may differ by twice as much. Where
the two take another token each, both have to see a near-tie: of the two tokens neither may be more
than two bounds ahead of the other.
"""

import json
import shutil
import sys

from parity import WINDOW, Parity, from_bits

BOUND = 2e-4
NEW_TOKENS = 24
NAN = float("nan")


def read_lines(path):
    header, *prompts, end = [json.loads(line) for line in path.read_text().splitlines()]
    assert end["end"] and end["prompts"] == len(prompts) == header["prompts"] > 0
    return header, prompts


def values(numbers):
    return [from_bits(number["bits"]) for number in numbers]


def largest(pairs):
    """Largest difference of the pairs; NaN, which no bound holds, if there is none."""
    differences = [abs(a - b) for a, b in pairs]
    return NAN if not differences or any(d != d for d in differences) else max(differences)


class Comparison:
    """Our answers to the prompts of a reference, and what we say to its tokens."""

    def __init__(self, ours, reference):
        self.generated, self.forced, self.top = [], [], []
        self.diverged, self.gaps, self.other_best = 0, [], []
        for mine, theirs in zip(ours, reference, strict=True):
            assert mine["ids"] == theirs["ids"] and mine["text"] == theirs["text"]
            self.add_generated(mine, theirs)
            self.add_forced(mine["forced"], theirs)

    def add_generated(self, mine, theirs):
        """Up to the first token that differs; nothing behind it can be compared."""
        for i, (a, b) in enumerate(zip(mine["tokens"], theirs["tokens"])):
            if a != b:
                self.diverged += 1
                self.gaps += [gap(mine["top"][i], a, b), gap(theirs["top"][i], b, a)]
                return
            pair = [from_bits(one["logprobs"][i]["bits"]) for one in (mine, theirs)]
            self.generated.append(pair)
        assert mine["finish"] == theirs["finish"]

    def add_forced(self, forced, theirs):
        stored = values(theirs["logprobs"])
        self.forced += zip(values(forced["logprobs"]), stored, strict=True)
        for i, (best, bits) in enumerate(forced["best"]):
            if best != theirs["tokens"][i]:
                self.other_best.append(from_bits(bits) - from_bits(forced["logprobs"][i]["bits"]))
        for mine, top in zip(forced["top"], theirs["top"], strict=True):
            self.top += [
                (from_bits(bits), from_bits(entry[1]))
                for bits, entry in zip(mine, top, strict=True)
            ]


def gap(top, taken, other):
    """How far the token that was taken is ahead of the other; infinite if that is not near it."""
    of = {token: from_bits(bits) for token, bits in top}
    return of[taken] - of[other] if other in of else float("inf")


def make_reference(parity, model, adapter, prompts, out):
    parity.call(
        [sys.executable, parity.source / "ci/make-reference", "--model", model]
        + ["--adapter", adapter, "--prompts", prompts, "--out", out]
        + ["--max-new-tokens", str(NEW_TOKENS)]
    )
    return read_lines(out)


def infer(parity, run, *flags):
    """Our outputs, from a folder of their own beside the run's."""
    parity.call(
        [parity.build / "bin/twinrun-train", "infer", run / "config.json", "--run-dir", run, *flags]
    )
    return read_lines(run / "inference.jsonl")


def main():
    parity = Parity(__doc__)
    prompts = parity.source / "baselines/smollm2-chat/prompts.jsonl"
    bases = {
        "SmolLM2": parity.smollm2,
        "random, not tied": parity.tiny_model("untied", tied=False, vocab_size=49152),
        f"Mistral, window {WINDOW}": parity.tiny_model(
            "mistral", tied=False, vocab_size=49152, window=WINDOW
        ),
    }
    for name, model in bases.items():
        config = parity.config(model, steps=2, lr=2e-3)
        config["launch"]["inference"] = {
            "prompts": str(prompts),
            "reference": None,
            "max_new_tokens": NEW_TOKENS,
            "batch_size": 8,
            "top": 20,
        }
        run = parity.train(config)
        reference = parity.scratch / "reference.jsonl"
        their_header, theirs = make_reference(parity, model, run / "adapter", prompts, reference)
        our_header, ours = infer(parity, run, "--prompts", prompts, "--reference", reference)
        for key in ("model", "tokenizer", "adapter", "prompts", "dtype"):
            differs = int(our_header[key] != their_header[key])
            parity.check_equal(f"{name}: {key} of the header, computed by both", 1, differs)

        found = Comparison(ours, theirs)
        parity.check(f"{name}: {len(found.generated)} generated", largest(found.generated), BOUND)
        parity.check(f"{name}: {len(found.forced)} forced", largest(found.forced), BOUND)
        parity.check(f"{name}: {len(found.top)} of the top 20", largest(found.top), BOUND)
        print(f"     {name}: {found.diverged} of {len(ours)} answers differ somewhere")
        parity.check(f"{name}: gap where they differ", max(found.gaps, default=0), 2 * BOUND)
        parity.check(f"{name}: lead of another best", max(found.other_best, default=0), 2 * BOUND)

        first = (run / "inference.jsonl").read_bytes()
        infer(parity, run, "--reference", reference)
        again = (run / "inference.jsonl").read_bytes()
        parity.check_equal(f"{name}: bytes of a second process", 1, int(first != again))
        manifest = json.loads((run / "manifest.json").read_text())
        assert "inference.jsonl" in manifest["files"]

        # The same check has to see the adapter.
        _, base = infer(parity, run, "--adapter", "none", "--reference", reference)
        effect = largest(Comparison(base, theirs).forced)
        parity.check(f"{name}: bound over the adapter's effect {effect:.3g}", BOUND / effect, 0.1)
        shutil.rmtree(run)
    parity.finish()


if __name__ == "__main__":
    main()
