"""Our FP32 logits against transformers': SmolLM2 and small random Llamas and Mistrals, also packed."""

import torch
from transformers import AutoModelForCausalLM

from parity import Parity

BOUND = 1e-4
PACKED = (5, 1, 23, 19, 24, 24)  # samples in two rows of 48


def check_logits(parity, name, ours, theirs):
    assert ours.shape == theirs.shape and ours.dtype == torch.float32
    parity.check(
        f"{name}: largest difference of logits up to {theirs.abs().max():.1f}",
        (ours - theirs).abs().max().item(),
        BOUND,
    )


def check_packed(parity, name, folder, reference, input_ids):
    """Rows of several samples, each against the sample alone in transformers."""
    flat, segments, theirs, begin = input_ids.flatten(), [], [], 0
    for length in PACKED:
        segments.append((begin, length))
        with torch.no_grad():
            theirs.append(reference(flat[None, begin : begin + length]).logits[0])
        begin += length
    ours = parity.logits_and_tables(folder, input_ids, segments=segments)["logits"]
    check_logits(parity, f"{name}, packed", ours.flatten(0, 1), torch.cat(theirs))


def check_tables(parity, name, reference, found):
    """Rotary tables, bit for bit."""
    positions = torch.arange(found["cos"].shape[0])[None]
    with torch.no_grad():
        tables = reference.model.rotary_emb(torch.zeros(1), positions)
    unlike = sum(
        int((found[key].view(torch.int32) != table[0].view(torch.int32)).sum())
        for key, table in zip(("cos", "sin"), tables)
    )
    parity.check_equal(f"{name}: rotary tables, bits", 2 * found["cos"].numel(), unlike)


def main():
    parity = Parity(__doc__)
    models = {
        "SmolLM2, bfloat16 weights": parity.smollm2,
        "random, tied": parity.tiny_model("tied", tied=True),
        "random, not tied, in shards": parity.tiny_model("untied", tied=False, shard_size="200KB"),
    } | parity.families()
    assert len(list(models["llama3 rope scaling, float16 in shards"].glob("*.safetensors"))) > 1
    for name, folder in models.items():
        reference = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        torch.manual_seed(1)
        input_ids = torch.randint(reference.config.vocab_size, (2, 48))
        with torch.no_grad():
            theirs = reference(input_ids).logits
        found = parity.logits_and_tables(folder, input_ids)
        check_logits(parity, name, found["logits"], theirs)
        check_tables(parity, name, reference, found)
        # Products of other shapes sum in another order: of SmolLM2's logits, up to 34, that alone
        # makes 1e-4.
        if folder != parity.smollm2:
            check_packed(parity, name, folder, reference, input_ids)
    parity.finish()


if __name__ == "__main__":
    main()
