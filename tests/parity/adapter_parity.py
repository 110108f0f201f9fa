"""An adapter that we trained, loaded by PEFT; one of PEFT's, from which both train on."""

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

import train_parity
from parity import Parity, group_digest, read_steps

BOUND = 1e-5  # relative to the largest logit


def check_continued(parity, folder, use_rslora):
    """PEFT makes an adapter whose B is not zero; both train on from it."""
    adapter = parity.scratch / f"from-peft-{use_rslora}"
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    torch.manual_seed(11)
    model = get_peft_model(
        base,
        LoraConfig(
            r=4,
            lora_alpha=8,
            lora_dropout=0.1,
            target_modules="all-linear",
            init_lora_weights=False,
            use_rslora=use_rslora,
            task_type="CAUSAL_LM",
        ),
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_" in name:
                parameter.mul_(0.3)
    model.save_pretrained(adapter)
    input_ids = torch.randint(base.config.vocab_size, (2, 32))
    with torch.no_grad():
        theirs = model.eval()(input_ids).logits
    ours = parity.logits(folder, input_ids, adapter=adapter)
    name = "PEFT's, rsLoRA" if use_rslora else "PEFT's"
    parity.check(
        f"{name}: difference of logits, relative",
        ((ours - theirs).abs().max() / theirs.abs().max()).item(),
        BOUND,
    )
    config = parity.config(
        folder,
        rank=4,
        steps=train_parity.STEPS,
        batch_size=2,
        lr=1e-3,
        warmup_steps=2,
        use_rslora=use_rslora,
        init=adapter,
    )
    samples = train_parity.load_samples(parity.chat, parity.smollm2)
    modes = ("deterministic", "portable") if use_rslora else ("deterministic",)
    train_parity.compare(parity, f"{name}, continued", folder, samples, config, modes)


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
    for use_rslora in (False, True):
        check_continued(parity, bases["random, not tied"], use_rslora)
    parity.finish()


if __name__ == "__main__":
    main()
