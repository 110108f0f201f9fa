"""A second implementation of `numerics: portable` against ours, bit for bit.

portable_arithmetic, portable_random and portable_llama are docs/numerics.md in NumPy. Here
twinrun-train runs a few small cases, they compute the same steps, and every bit of the record has
to be theirs. Then one order at a time is changed in theirs, and that has to show.
"""

import collections
import struct
from hashlib import sha256

import numpy as np
import torch
from safetensors.numpy import load_file

import portable_arithmetic
from parity import Parity, group_digest, tensor_digest
from portable_arithmetic import F32, RUN, f32, fma, rope_table
from portable_cases import MISTRAL, chat_cases, random_case, schedule_cases
from portable_llama import IGNORE, Llama, Training
from portable_random import learning_rate

PREFIX = "base_model.model."


def digests(tensors):
    return {name: tensor_digest(torch.from_numpy(x.copy())) for name, x in tensors.items()}


def named(pairs):
    return {
        f"{PREFIX}{name}.lora_{side}.weight": x
        for name, pair in pairs.items()
        for side, x in zip("AB", pair)
    }


def state_digests(training):
    """Digests by group and tensor of what a step leaves behind."""
    moments = {}
    for name, pair in training.moments.items():
        for side, (m, v) in zip("AB", pair):
            moments[f"{PREFIX}{name}.lora_{side}.weight.exp_avg"] = m
            moments[f"{PREFIX}{name}.lora_{side}.weight.exp_avg_sq"] = v
    return {
        "adapter": digests(named(training.model.adapter)),
        "optimizer": digests(moments),
    }


def fields_of(line):
    """What a line of steps.jsonl says of a step, without the digests that tensors.jsonl details."""
    bits = {name: line[name]["bits"] for name in ("loss", "grad_norm", "lr")}
    return {name: line[name] for name in ("samples", "batch", "tokens", "loss_tokens")} | bits


def differences(case, model_kind=Llama, training_kind=Training):
    """(step, field, whether ours and the record differ), in the order of computation."""
    training = training_kind(case.model(model_kind), case.identity["train"])
    train = case.identity["train"]

    def groups(step, found):
        recorded = case.tensors[step]
        for group, tensors in found.items():
            for name in tensors.keys() | recorded[group].keys():
                yield step, group, tensors.get(name) != recorded[group].get(name)

    base = group_digest({name: torch.from_numpy(x) for name, x in case.weights.items()})
    yield 0, "base", base != case.steps[0]["base"]
    yield from groups(0, state_digests(training))
    for number, (chosen, batches) in enumerate(case.batches_of_steps(), 1):
        lr = learning_rate(train["schedule"], train["optimizer"]["lr"], number, train["steps"])
        loss, gradients, norm = training.step(number, batches, lr)
        prefixes = [""] if len(batches) == 1 else [f"{i}." for i in range(len(batches))]
        tensors = {
            prefix + name: torch.from_numpy(x)
            for prefix, batch in zip(prefixes, batches)
            for name, x in batch.items()
        }
        found = {
            "samples": chosen,
            "batch": group_digest(tensors),
            "tokens": sum(int(batch["attention_mask"].sum()) for batch in batches),
            "loss_tokens": sum(int((batch["labels"][:, 1:] != IGNORE).sum()) for batch in batches),
            "loss": struct.pack(">f", loss).hex(),
            "grad_norm": struct.pack(">f", norm).hex(),
            "lr": struct.pack(">d", lr).hex(),
        }
        recorded = fields_of(case.steps[number])
        for name, value in found.items():
            yield number, name, value != recorded[name]
        yield from groups(number, {"grad": digests(named(gradients))} | state_digests(training))
    saved = load_file(case.run / "adapter/adapter_model.safetensors")
    ours = digests(named(training.model.adapter))
    yield train["steps"], "adapter file", digests(saved) != ours


def check_case(parity, case):
    counts = collections.defaultdict(lambda: [0, 0])
    for _, field, differs in differences(case):
        counts[field][0] += 1
        counts[field][1] += differs
    for field, (count, differing) in counts.items():
        parity.check_equal(f"{case.name}: {field}", count, differing)


# docs/numerics.md, "Unary functions": of the arguments 0, 4099, ..., NaN as 0x7fc00000.
UNARY_DIGESTS = {
    "exp": "8092cc4a8e0e78319d2c647bb4fbc6070ab988d6a1daddeaafd72523668225d0",
    "log": "97defe6ca2cbff78a070919e56e30a6afb70ae899104c70c26bc8bdd39cfbf6f",
    "rsqrt": "6496502856cbfee838405bcb50c622836e34efd7b20f181f7d3f69ba8229ac6a",
    "sin": "ccf78fa9c7b45bbfc377c7a96a458ba9d7b73bc4a15ae4608ef772de0b638177",
    "cos": "32d1cca3f18fd4973a3bd051fac2c2ed29f84d212d1485b9d1b700a5f8e9b93b",
}
ROPE_DIGEST = "3123093c1282eb165af71a974f2b4aa430e2b636f262f30b1438cf10bc8b2f6c"


def check_functions(parity):
    """Theirs, before they are taken as a reference."""
    arguments = np.arange(0, 2**32, 4099, dtype=np.uint64).astype(np.uint32).view(np.float32)
    for name, digest in UNARY_DIGESTS.items():
        with np.errstate(all="ignore"):
            results = getattr(portable_arithmetic, name)(arguments)
        results[np.isnan(results)] = np.nan
        unlike = sha256(results.tobytes()).hexdigest() != digest
        parity.check_equal(f"{name}: digest of a sample", 1, int(unlike))
    table = b"".join(part.tobytes() for part in rope_table(10000.0, 64, 2048))
    parity.check_equal("RoPE table: digest", 1, int(sha256(table).hexdigest() != ROPE_DIGEST))


def check_schedule(parity, case):
    """Learning rates and samples of a longer run."""
    train = case.identity["train"]
    rates = samples = 0
    for step, (chosen, _) in enumerate(case.batches_of_steps(), 1):
        lr = learning_rate(train["schedule"], train["optimizer"]["lr"], step, train["steps"])
        rates += struct.pack(">d", lr).hex() != case.steps[step]["lr"]["bits"]
        samples += chosen != case.steps[step]["samples"]
    parity.check_equal(f"{case.name}: lr", len(case.steps) - 1, rates)
    parity.check_equal(f"{case.name}: samples", len(case.steps) - 1, samples)


# One order changed at a time: each has to be seen.


class TreeUpwards(Llama):
    halves = (1, 2, 4, 8, 16)

    def tree(self, lanes):
        for half in self.halves:
            lanes = lanes[..., ::2] + lanes[..., 1::2]
        return lanes[..., 0]


class SixteenLanes(Llama):
    lanes, halves = 16, (8, 4, 2, 1)


class Descending(Llama):
    def order(self, count):
        return reversed(range(count))


class Unchained(Llama):
    def chained(self, a, b):
        return self.product(a, b)


class LastRunFirst(Llama):
    def chained(self, a, b):
        parts = [
            self.product(a[..., k : k + RUN], b[..., k : k + RUN, :])
            for k in range(0, a.shape[-1], RUN)
        ]
        total = parts.pop()
        for part in reversed(parts):
            total = total + part
        return total


class ValuesFirst(Llama):
    def fan_in(self):
        return ("v_proj", "k_proj", "q_proj")


class HeadsDescending(Llama):
    def heads_of_group(self, count):
        return reversed(range(count))


class LowRankApart(Llama):
    def low_rank(self, h, b, y):
        return y + self.product(h, b.T)


class RoundedProducts(Llama):
    def lane_sum_of_products(self, a, b):
        return self.lane_sum(a * b)


class InputGradientsAdded(Llama):
    def through_weight(self, dy, w, dx):
        return self.product(dy, w) if dx is None else dx + self.product(dy, w)


class NormUnfused(Llama):
    def minus_product(self, a, b, c):
        return c - a * b


class RopeUnfused(Llama):
    def turned(self, a, b, c):
        return c + a * b


class SoftmaxByReciprocal(Llama):
    def quotient(self, e, total):
        return e * (F32(1) / total)


class SlopeUnfused(Llama):
    def slope(self, gate, g):
        return g * (F32(1) + gate * (F32(1) - g))


class WiderWindow(Llama):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.window += 1


class Unscaled(Llama):
    def scaling(self):
        return None


class LastMicroBatchSecond(Training):
    def later(self, results):
        return results[:0:-1]


class NormInFloat32(Training):
    def sum_of_squares(self, flat):
        return self.model.lane_sum_of_products(flat, flat)


class WeightedMean(Training):
    def first_moment(self, m, g, beta1):
        return fma(g, f32(1 - beta1), f32(beta1) * m)


class SquareFirst(Training):
    def second_moment(self, v, g, beta2):
        return fma(g * g, f32(1 - beta2), f32(beta2) * v)


MUTATIONS = {
    "lanes added to their neighbours first": {"model_kind": TreeUpwards},
    "16 lanes": {"model_kind": SixteenLanes},
    "products from the last k": {"model_kind": Descending},
    "the loss's product in one chain": {"model_kind": Unchained},
    "the loss's runs from the last": {"model_kind": LastRunFirst},
    "gradients of v, k, q": {"model_kind": ValuesFirst},
    "query heads of a group descending": {"model_kind": HeadsDescending},
    "h B^T summed for itself": {"model_kind": LowRankApart},
    "gradients of one input summed for themselves": {"model_kind": InputGradientsAdded},
    "the norm's gradient without fma": {"model_kind": NormUnfused},
    "RoPE without fma": {"model_kind": RopeUnfused},
    "softmax times 1 / sum": {"model_kind": SoftmaxByReciprocal},
    "SwiGLU's slope without fma": {"model_kind": SlopeUnfused},
    "squares of a norm rounded": {"model_kind": RoundedProducts},
    "micro-batches 0, 2, 1": {"training_kind": LastMicroBatchSecond},
    "gradient norm in float32": {"training_kind": NormInFloat32},
    "m as beta1 m + (1 - beta1) g": {"training_kind": WeightedMean},
    "v of (1 - beta2) times g g": {"training_kind": SquareFirst},
}


WINDOW_MUTATIONS = {
    "a window of one more key": {"model_kind": WiderWindow},
    "frequencies without scaling": {"model_kind": Unscaled},
    "query heads of a group descending": {"model_kind": HeadsDescending},
}


def check_mutations(parity, case, mutations):
    for name, kinds in mutations.items():
        seen = next(((step, field) for step, field, bad in differences(case, **kinds) if bad), None)
        parity.failures += seen is None
        where = f"step {seen[0]}, {seen[1]}" if seen else "NOT SEEN"
        print(f"{'ok  ' if seen else 'FAIL'} {case.name}, {name}: {where}", flush=True)


def main():
    parity = Parity(__doc__)
    check_functions(parity)
    for case in schedule_cases(parity):
        check_schedule(parity, case)
    random = random_case(parity)
    check_case(parity, random)
    check_mutations(parity, random, MUTATIONS)
    mistral = random_case(parity, "Mistral with a window and llama3 scaling", MISTRAL)
    check_case(parity, mistral)
    check_mutations(parity, mistral, WINDOW_MUTATIONS)
    for case in chat_cases(parity):
        check_case(parity, case)
    parity.finish()


if __name__ == "__main__":
    main()
