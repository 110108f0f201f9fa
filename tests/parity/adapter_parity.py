"""An adapter that we trained, loaded by PEFT: its logits against ours, its digest against ours."""

import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from parity import Parity, group_digest, read_steps

BOUND = 1e-5  # relative to the largest logit


def main():
    parity = Parity(__doc__)
    bases = {
        "SmolLM2": parity.smollm2,
        "random, not tied": parity.tiny_model("untied", tied=False, vocab_size=49152),
    } | parity.families(vocab_size=49152)
    for name, folder in bases.items():
        run = parity.train(parity.config(folder, steps=2, lr=1e-2))
        saved = load_file(run / "adapter/adapter_model.safetensors")
        recorded = read_steps(run)[-1]["adapter"]
        parity.check_equal(
            f"{name}: digest of the saved adapter, computed here",
            1,
            int(group_digest(saved) != recorded),
        )
        base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        torch.manual_seed(2)
        input_ids = torch.randint(base.config.vocab_size, (2, 32))
        with torch.no_grad():
            without = base(input_ids).logits
            theirs = PeftModel.from_pretrained(base, run / "adapter")(input_ids).logits
        ours = parity.logits(folder, input_ids, adapter=run / "adapter")
        largest = theirs.abs().max()
        effect = ((theirs - without).abs().max() / largest).item()
        assert effect > 1e-2, f"the adapter changes logits by {effect} only: nothing is tested"
        parity.check(
            f"{name}: difference of logits, relative to {largest:.1f} (the adapter: {effect:.2f})",
            ((ours - theirs).abs().max() / largest).item(),
            BOUND,
        )
    parity.finish()


if __name__ == "__main__":
    main()
