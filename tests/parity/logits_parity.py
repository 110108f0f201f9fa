"""Our FP32 logits against transformers': SmolLM2 and small random Llamas, tied and not."""

import torch
from transformers import LlamaForCausalLM

from parity import Parity

BOUND = 1e-4


def main():
    parity = Parity(__doc__)
    models = {
        "SmolLM2, bfloat16 weights": parity.smollm2,
        "random, tied": parity.tiny_model("tied", tied=True),
        "random, not tied, in shards": parity.tiny_model("untied", tied=False, shard_size="200KB"),
    }
    for name, folder in models.items():
        reference = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
        torch.manual_seed(1)
        input_ids = torch.randint(reference.config.vocab_size, (2, 48))
        with torch.no_grad():
            theirs = reference(input_ids).logits
        ours = parity.logits(folder, input_ids)
        assert ours.shape == theirs.shape and ours.dtype == torch.float32
        parity.check(
            f"{name}: largest difference of logits up to {theirs.abs().max():.1f}",
            (ours - theirs).abs().max().item(),
            BOUND,
        )
    parity.finish()


if __name__ == "__main__":
    main()
