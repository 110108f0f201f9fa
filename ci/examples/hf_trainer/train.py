"""transformers' Trainer with a PEFT model, which speaks twinrun's run protocol by a callback.

    train.py train CONFIG.json --run-dir DIR

A small random Llama, the same in every run, learns made-up sequences. What a training script of
one's own needs are the marked lines, and the file twinrun_record.py beside this folder.
"""

import json
import os
import sys

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # twinrun: before CUDA starts

import torch  # noqa: E402
from peft import LoraConfig, get_peft_model  # noqa: E402
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments  # noqa: E402

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from twinrun_record import UsageError, seed_everything, trainer_callback, trainer_main  # noqa: E402

VOCABULARY, LENGTH, SAMPLES = 64, 16, 64
DEFAULTS = {"rank": 4, "lr": 0.02, "batch_size": 4, "gradient_accumulation": 1}
DEFAULTS |= {"dropout": 0.1, "max_grad_norm": 1.0}


def make_data():
    """Sequences that count upwards by a stride of their own; the same in every run."""
    start = torch.arange(SAMPLES).unsqueeze(1) * 5
    stride = torch.arange(SAMPLES).unsqueeze(1) % 6 + 1
    ids = (start + stride * torch.arange(LENGTH)) % VOCABULARY
    return [{"input_ids": row, "labels": row, "attention_mask": row * 0 + 1} for row in ids]


def make_base():
    """The frozen model: in real life from_pretrained, here drawn from a seed of its own."""
    seed_everything(1)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=LENGTH,
        )
    )


def train(config_path, run_dir):
    with open(config_path, encoding="utf-8") as file:
        config = json.load(file)
    identity, launch = config["identity"], config["launch"]
    params = DEFAULTS | identity.get("trainer", {}).get("params", {})
    if not 1 <= params["batch_size"] <= SAMPLES:
        raise UsageError(f"batch_size is {params['batch_size']}, there are {SAMPLES} samples")
    torch.use_deterministic_algorithms(identity["numerics"] != "fast")  # twinrun
    if launch.get("threads"):
        torch.set_num_threads(launch["threads"])

    base = make_base()
    seeds = dict(identity["seeds"])
    seeds["lora_init"] = seed_everything(seeds["lora_init"])  # twinrun
    model = get_peft_model(
        base,
        LoraConfig(
            r=params["rank"],
            lora_alpha=2 * params["rank"],
            lora_dropout=params["dropout"],
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        ),
    )
    callback = trainer_callback(config_path, run_dir, seeds)  # twinrun
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=os.path.join(run_dir, "trainer"),
            max_steps=identity["train"]["steps"],
            per_device_train_batch_size=params["batch_size"],
            gradient_accumulation_steps=params["gradient_accumulation"],
            learning_rate=params["lr"],
            max_grad_norm=params["max_grad_norm"],
            data_seed=seeds["shuffle"] % 2**32,  # twinrun
            use_cpu=launch.get("device") == "cpu",
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        ),
        train_dataset=make_data(),
        callbacks=[callback],  # twinrun
    )
    seeds["dropout"] = seed_everything(seeds["dropout"])  # twinrun: the Trainer has seeded, too
    with callback:  # twinrun
        trainer.train()


if __name__ == "__main__":
    sys.exit(trainer_main(train, "transformers Trainer under twinrun"))
