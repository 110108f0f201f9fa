"""The runs that portable_step.py computes again: how they were configured, what they wrote."""

import collections
import json

import numpy as np
from safetensors.numpy import load_file

from parity import file_digest
from portable_llama import IGNORE
from portable_random import MODULES, epoch_order, initial_adapter, random_weights, synthetic_data
from train_parity import load_samples

STEPS = 3
VOCABULARY = 600  # not a multiple of 32, and three runs of a chained product

# No size is a multiple of 32, and a head is shorter than the lanes of a sum.
RANDOM_MODEL = {
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": 72,
    "intermediate_size": 100,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 20,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "pad_token_id": 0,
}

# A window that is shorter than the rows, and of 10 frequencies all kinds that scaling knows.
MISTRAL = RANDOM_MODEL | {
    "model_type": "mistral",
    "sliding_window": 5,
    "rope_scaling": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
}

RANDOM_SEED = 2**40 + 11
SYNTHETIC = {"samples": 13, "length": 16, "vocab_size": VOCABULARY, "seed": 5}


def module_names(layers):
    """The linears of the blocks in the order of the model."""
    return [
        f"model.layers.{layer}.{'self_attn' if name in MODULES[:4] else 'mlp'}.{name}"
        for layer in range(layers)
        for name in MODULES
    ]


class Case:
    """A configuration that ran, with the weights and the data of that run."""

    def __init__(self, name, run, config, model_config, weights, data):
        self.name, self.run, self.identity = name, run, config["identity"]
        self.model_config, self.weights, self.data = model_config, weights, data
        lines = [json.loads(line) for line in (run / "steps.jsonl").read_text().splitlines()]
        self.steps = {line["step"]: line for line in lines if "step" in line}
        self.tensors = collections.defaultdict(dict)
        for line in (run / "tensors.jsonl").read_text().splitlines():
            line = json.loads(line)
            self.tensors[line["step"]][line["group"]] = dict(line["tensors"])

    def model(self, kind):
        lora, seeds = self.identity["lora"], self.identity["seeds"]
        targets = lora["target_modules"]
        shapes = {
            name: self.weights[name + ".weight"].shape
            for name in module_names(self.model_config["num_hidden_layers"])
            if targets == "all-linear" or name.split(".")[-1] in targets
        }
        adapter = initial_adapter(shapes, lora["rank"], seeds["lora_init"])
        adapter = {name: list(pair) for name, pair in adapter.items()}
        return kind(self.model_config, self.weights, adapter, lora, seeds["dropout"])

    def batches_of_steps(self):
        """(sample ids, micro-batches) of each step."""
        train, ids = self.identity["train"], list(self.data)
        rows = train["batch_size"]
        size = rows * train["gradient_accumulation"]
        order, epoch, position = [], 0, 0
        for _ in range(train["steps"]):
            if position + size > len(order):
                order = epoch_order(len(ids), self.identity["seeds"]["shuffle"], epoch)
                epoch, position = epoch + 1, 0
            chosen = [ids[i] for i in order[position : position + size]]
            position += size
            yield chosen, [self.batch(chosen[i : i + rows]) for i in range(0, size, rows)]

    def batch(self, chosen):
        samples = [self.data[sample] for sample in chosen]
        shape = (len(samples), max(len(ids) for ids, _ in samples))
        batch = {
            "input_ids": np.full(shape, self.model_config["pad_token_id"], np.int64),
            "labels": np.full(shape, IGNORE, np.int64),
            "attention_mask": np.zeros(shape, np.int64),
        }
        for row, (ids, labels) in enumerate(samples):
            batch["input_ids"][row, : len(ids)] = ids
            batch["labels"][row, : len(ids)] = labels
            batch["attention_mask"][row, : len(ids)] = 1
        return batch


def portable(config, *, dropout, alpha=6, max_grad_norm=0.05, targets="all-linear"):
    identity = config["identity"]
    identity["numerics"] = "portable"
    identity["lora"].update(dropout=dropout, alpha=alpha, target_modules=targets)
    identity["train"]["max_grad_norm"] = max_grad_norm
    return config


def random_config(parity, model=RANDOM_MODEL, **train):
    """Of a run with `init: random` and synthetic data."""
    path = parity.scratch / f"{model['model_type']}.json"
    path.write_text(json.dumps(model))
    config = portable(parity.config(parity.scratch, rank=4, lr=1e-2, **train), dropout=0.05)
    del config["identity"]["tokenizer"]
    config["identity"]["model"] = {
        "dtype": "float32",
        "init": "random",
        "seed": RANDOM_SEED,
        "config": file_digest(path),
    }
    config["identity"]["data"] = {"synthetic": SYNTHETIC}
    config["launch"]["paths"] = {"model": str(path)}
    return config


def random_shapes():
    """Of the weights of RANDOM_MODEL, by name. It is tied: there is no lm_head."""
    c = RANDOM_MODEL
    d, m, e = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    q, kv = c["num_attention_heads"] * e, c["num_key_value_heads"] * e
    shapes = {"model.embed_tokens.weight": (VOCABULARY, d), "model.norm.weight": (d,)}
    for name in module_names(c["num_hidden_layers"]):
        sizes = ((q, d), (kv, d), (kv, d), (d, q), (m, d), (m, d), (d, m))
        shapes[name + ".weight"] = dict(zip(MODULES, sizes))[name.split(".")[-1]]
    for layer in range(c["num_hidden_layers"]):
        for name in ("input_layernorm", "post_attention_layernorm"):
            shapes[f"model.layers.{layer}.{name}.weight"] = (d,)
    return shapes


def random_case(parity, name="random", model=RANDOM_MODEL):
    """Three micro-batches, so that their order shows; the third step begins another epoch."""
    config = random_config(
        parity, model, steps=STEPS, batch_size=2, accumulation=3, weight_decay=0.01, warmup_steps=1
    )
    weights = random_weights(random_shapes(), RANDOM_SEED)
    data = synthetic_data(**SYNTHETIC)
    return Case(name, parity.train(config), config, model, weights, data)


def schedule_cases(parity):
    """Longer runs, of which learning rates and samples are looked at."""
    data = synthetic_data(**SYNTHETIC)
    for name in ("constant", "linear", "cosine"):
        config = random_config(parity, steps=40, schedule=name, warmup_steps=3)
        yield Case(f"{name}, 40 steps", parity.train(config), config, RANDOM_MODEL, {}, data)


def cut_tokenizer(path):
    """The file's first VOCABULARY tokens, in place: data of real text for a small model."""
    tokenizer = json.loads(path.read_text())
    model = tokenizer["model"]
    model["vocab"] = {token: i for token, i in model["vocab"].items() if i < VOCABULARY}
    known = model["vocab"].keys()
    pairs = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]
    model["merges"] = [list(m) for m in pairs if {*m, "".join(m)} <= known]
    path.write_text(json.dumps(tokenizer))


def chat_cases(parity):
    """Weights from a file, rows of unequal length, partly labelled; with and without dropout."""
    folder = parity.tiny_model("chat", tied=False, vocab_size=VOCABULARY)
    cut_tokenizer(folder / "tokenizer.json")
    model_config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    max_length = 48
    data = {
        sample: (ids, labels)
        for sample, (ids, labels) in load_samples(parity.chat, folder).items()
        if len(ids) <= max_length
    }
    settings = {
        "chat": ({"schedule": "cosine", "weight_decay": 0.01}, {"dropout": 0.3}),
        "chat, some modules, no dropout": (
            {"schedule": "linear", "warmup_steps": 2, "seed": 2**41 + 5},
            {"dropout": 0, "max_grad_norm": 1e9, "targets": ["down_proj", "k_proj", "q_proj"]},
        ),
    }
    for name, (train, lora) in settings.items():
        config = parity.config(
            folder,
            steps=STEPS,
            rank=4,
            batch_size=2,
            accumulation=2,
            lr=1e-2,
            max_length=max_length,
            **train,
        )
        run = parity.train(portable(config, **lora))
        yield Case(name, run, config, model_config, weights, data)
