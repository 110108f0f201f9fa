"""Twenty steps of ours against PEFT, AdamW, a schedule of transformers and clip_grad_norm_."""

import json

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, get_scheduler

from parity import Parity, from_bits, group_digest, read_steps

IGNORE = -100
STEPS = 20
LOSS_BOUND = 3e-6  # relative
LR_BOUND = 1e-15  # relative to the base rate
# Relative; 1e-6 was measured. One FP32 sum over all gradients at once is off by 6e-5 and more.
NORM_BOUND = 1e-5


def load_samples(path, folder):
    """id -> (token ids, labels): assistant turns are labelled, with their end token."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    samples = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        dialogue = json.loads(line)
        text, labelled = "", []
        for message in dialogue["messages"]:
            text += f"<|im_start|>{message['role']}\n"
            start = len(text)
            text += f"{message['content']}<|im_end|>"
            if message["role"] == "assistant":
                labelled.append((start, len(text)))
            text += "\n"
        tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        labels = [
            token if any(start <= first and last <= end for start, end in labelled) else IGNORE
            for token, (first, last) in zip(tokens["input_ids"], tokens["offset_mapping"])
        ]
        samples[dialogue["id"]] = (tokens["input_ids"], labels)
    return samples


def make_batch(samples, pad_id):
    """Right-padded to the longest sample."""
    length = max(len(ids) for ids, _ in samples)
    pad = [(ids, labels, length - len(ids)) for ids, labels in samples]
    return {
        "input_ids": torch.tensor([ids + [pad_id] * n for ids, _, n in pad]),
        "labels": torch.tensor([labels + [IGNORE] * n for _, labels, n in pad]),
        "attention_mask": torch.tensor([[1] * (length - n) + [0] * n for _, _, n in pad]),
    }


def pack(samples, max_length):
    """Rows of samples, each filled until the next sample does not fit."""
    rows = []
    for sample in samples:
        if not rows or sum(len(ids) for ids, _ in rows[-1]) + len(sample[0]) > max_length:
            rows.append([])
        rows[-1].append(sample)
    return rows


def make_packed_batch(rows, pad_id):
    joined, positions = [], []
    for row in rows:
        labels = [labels if i == 0 else [IGNORE] + labels[1:] for i, (_, labels) in enumerate(row)]
        joined.append((sum((ids for ids, _ in row), []), sum(labels, [])))
        positions.append([position for ids, _ in row for position in range(len(ids))])
    batch = make_batch(joined, pad_id)
    length = batch["input_ids"].shape[1]
    batch["position_ids"] = torch.tensor([row + [0] * (length - len(row)) for row in positions])
    return batch


def block_mask(batch):
    """What each position of packed rows sees: its own sample up to itself."""
    starts = (batch["position_ids"] == 0) & (batch["attention_mask"] == 1)
    sample = torch.where(batch["attention_mask"] == 1, starts.cumsum(1), 0)
    seen = (sample[:, :, None] == sample[:, None, :]).tril()
    hidden = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    return hidden[:, None]


def loss_sum(model, batch):
    """Sum of the negative log-likelihoods of the labelled tokens."""
    packed = "position_ids" in batch
    logits = model(
        input_ids=batch["input_ids"],
        attention_mask=block_mask(batch) if packed else batch["attention_mask"],
        position_ids=batch.get("position_ids"),
    ).logits
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1),
        batch["labels"][:, 1:].flatten(),
        ignore_index=IGNORE,
        reduction="sum",
    )


def make_model(folder, config):
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if "adapter" in config["launch"]["paths"]:
        adapter = config["launch"]["paths"]["adapter"]
        # Without dropout, whatever the adapter was trained with before.
        return PeftModel.from_pretrained(base, adapter, is_trainable=True).eval()
    lora = config["identity"]["lora"]
    torch.manual_seed(config["identity"]["seeds"]["lora_init"])
    return get_peft_model(
        base,
        LoraConfig(
            r=lora["rank"],
            lora_alpha=lora["alpha"],
            lora_dropout=lora["dropout"],
            target_modules=lora["target_modules"],
            use_rslora=lora.get("use_rslora", False),
            task_type="CAUSAL_LM",
        ),
    )


def reference_run(folder, config, batches_of_steps):
    """PEFT's loss, gradient norm, learning rate and number of labelled tokens, step by step."""
    train = config["identity"]["train"]
    rates = train["optimizer"]
    model = make_model(folder, config)
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        parameters,
        lr=rates["lr"],
        betas=(rates["beta1"], rates["beta2"]),
        eps=rates["eps"],
        weight_decay=rates["weight_decay"],
    )
    schedule = get_scheduler(
        train["schedule"]["name"],
        optimizer,
        num_warmup_steps=train["schedule"]["warmup_steps"],
        num_training_steps=train["steps"],
    )
    for batches in batches_of_steps:
        count = sum(int((batch["labels"][:, 1:] != IGNORE).sum()) for batch in batches)
        loss = 0.0
        for batch in batches:
            part = loss_sum(model, batch) / count
            part.backward()
            loss += part.item()
        norm = torch.nn.utils.clip_grad_norm_(parameters, train["max_grad_norm"]).item()
        yield loss, norm, schedule.get_last_lr()[0], count
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()


def batches_of(identity, samples, pad_id):
    """The micro-batches of a step that took `samples`."""
    rows, packing = identity["train"]["batch_size"], identity["data"].get("packing", False)
    if not packing:
        return [make_batch(samples[i : i + rows], pad_id) for i in range(0, len(samples), rows)]
    packed = pack(samples, identity["data"]["max_length"])
    return [make_packed_batch(packed[i : i + rows], pad_id) for i in range(0, len(packed), rows)]


def compare(parity, name, folder, samples, config, modes=("deterministic",)):
    """Runs `config` in each of the modes, and the reference once: the modes draw the same data."""
    identity, reference = config["identity"], None
    pad_id = json.loads((folder / "config.json").read_text())["pad_token_id"]
    for mode in modes:
        identity["numerics"] = mode
        steps = read_steps(parity.train(config))
        assert len(steps) == STEPS, f"{len(steps)} steps"
        if reference is None:
            chosen = [step["samples"] for step in steps]
            batches = [
                batches_of(identity, [samples[sample] for sample in ids], pad_id) for ids in chosen
            ]
            reference = list(reference_run(folder, config, batches))
        assert [step["samples"] for step in steps] == chosen, f"{mode} draws other samples"
        compare_steps(parity, f"{name}, {mode}", steps, batches, reference, identity)


def compare_steps(parity, name, steps, batches, reference, identity):
    base_lr = identity["train"]["optimizer"]["lr"]
    if identity["train"]["gradient_accumulation"] == 1:
        unlike = sum(step["batch"] != group_digest(batch) for step, (batch,) in zip(steps, batches))
        parity.check_equal(f"{name}: digests of the batches, computed here", len(steps), unlike)
    losses, norms, rates, counts = [], [], [], 0
    for step, (loss, norm, lr, count) in zip(steps, reference, strict=True):
        losses.append(abs(from_bits(step["loss"]["bits"]) - loss) / loss)
        norms.append(abs(from_bits(step["grad_norm"]["bits"]) - norm) / norm)
        rates.append(abs(from_bits(step["lr"]["bits"]) - lr) / base_lr)
        counts += step["loss_tokens"] != count
    parity.check_equal(f"{name}: counts of labelled tokens", len(steps), counts)
    for what, differences, bound in (
        ("loss, largest relative difference", losses, LOSS_BOUND),
        ("gradient norm, largest relative difference", norms, NORM_BOUND),
        ("learning rate, largest difference to the base rate", rates, LR_BOUND),
    ):
        # max() passes over a NaN that is not first; a tensor's maximum does not.
        parity.check(f"{name}: {what}", torch.tensor(differences).max().item(), bound)


def main():
    parity = Parity(__doc__)
    samples = load_samples(parity.chat, parity.smollm2)
    compare(
        parity,
        "SmolLM2",
        parity.smollm2,
        samples,
        parity.config(parity.smollm2, steps=STEPS, batch_size=2, warmup_steps=2, max_length=48),
    )
    folder = parity.tiny_model("random", tied=False, vocab_size=49152)
    compare(
        parity,
        "random, accumulating",
        folder,
        samples,
        parity.config(
            folder,
            seed=3,
            rank=4,
            steps=STEPS,
            batch_size=2,
            accumulation=2,
            lr=1e-3,
            weight_decay=0.01,
            schedule="linear",
            warmup_steps=3,
        ),
        modes=("deterministic", "portable"),
    )
    for name, folder in parity.families(vocab_size=49152).items():
        compare(
            parity,
            name,
            folder,
            samples,
            parity.config(folder, steps=STEPS, batch_size=2, lr=1e-3, warmup_steps=2),
            modes=("deterministic", "portable"),
        )
    parity.finish()


if __name__ == "__main__":
    main()
