"""The bits of our initial adapter against PEFT's, over FP32 and bfloat16 bases."""

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from safetensors.torch import load_file
from transformers import LlamaForCausalLM

from parity import Parity

SEEDS = (0, 42, 2**40 + 7)  # torch's generator takes the low 32 bits of the last one


def peft_adapter(folder, dtype, rank, seed):
    model = LlamaForCausalLM.from_pretrained(folder, dtype=dtype)
    torch.manual_seed(seed)
    config = LoraConfig(
        r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM"
    )
    return get_peft_model_state_dict(get_peft_model(model, config))


def main():
    parity = Parity(__doc__)
    bases = {
        "SmolLM2": (parity.smollm2, "float32"),
        "random, float32": (parity.tiny_model("float32", tied=False, vocab_size=49152), "float32"),
        "random, bfloat16": (
            parity.tiny_model("bfloat16", tied=False, vocab_size=49152, dtype=torch.bfloat16),
            "bfloat16",
        ),
    }
    for name, (folder, dtype) in bases.items():
        for seed in SEEDS:
            theirs = peft_adapter(folder, getattr(torch, dtype), 8, seed)
            # With a warm-up the first learning rate is 0, so one step leaves the adapter as it was.
            config = parity.config(folder, seed=seed, dtype=dtype, steps=1, warmup_steps=1)
            ours = load_file(parity.train(config) / "adapter/adapter_model.safetensors")
            assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
            differing = sum(not same_bits(ours[key], theirs[key]) for key in ours)
            parity.check_equal(
                f"{name}, seed {seed}: tensors of the initial adapter", len(ours), differing
            )
    parity.finish()


def same_bits(ours, theirs):
    """-0.0 in lora_B passes: an update of size 0 may leave either zero."""
    if ours.dtype != torch.float32 or theirs.dtype != torch.float32:
        return False
    if not ours.any():
        return not theirs.any()
    return torch.equal(ours.view(torch.int32), theirs.view(torch.int32))


if __name__ == "__main__":
    main()
