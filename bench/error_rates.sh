#!/usr/bin/env bash
# error_rates.sh BUILD: prints docs/error-rates.md, its tables from the trials in bench/results/error-rates-*. A test holds
# the document against it.
set -euo pipefail
cd "$(dirname "$0")/.."
results=bench/results/error-rates-2026-11-29
table() { "$1/bin/judge_power" table "${@:2}"; }

cat <<'MD'
# How often the judge is wrong

What twinrun says of itself, by trials: clean pairs of runs, and pairs in which one run has a fault of [the catalogue](faults.md), planted at a step, with a seed and in a case that are drawn
anew for each trial. They are trained by twinrun-train and judged as `twinrun verify` does. *Found* means a verdict that is neither REPRODUCED nor INCONCLUSIVE; *cause named*, that the verdict names the field that the fault
hits first and its step (of a broken record: the right reason; of what only the envelope saw, a step behind the fault). A fault that changes no bit of any digest is no fault of that run, and counts apart. Brackets and bounds: Clopper
and Pearson at 95 %; they hold for trials like these, small Llamas of random weights, not for every job. Rates of the tests themselves, on made-up data, are in [statistics.md](statistics.md).

This file is what `bench/error_rates.sh build/release` prints; the trials and the commands that made them lie in [bench/results/error-rates-2026-11-29](../bench/results/error-rates-2026-11-29).

## Equal bits: `deterministic` on a CPU

Twelve steps of a model of two layers and 32 channels; three cases that differ in rank, dropout, accumulation, clipping, schedule, optimizer and attention, and one whose gradients are always clipped, for the fault that clips none.

MD
table "$1" $results/bitwise.jsonl $results/bitwise-clipping.jsonl
cat <<'MD'

Where the cause was not named the step was one later: a fault of step 1 in a case whose warm-up begins with a rate of 0, where it can show only in step 2.

## Without equal bits: `fast` on a CPU, with rounding noise

The same cases in sixty steps, with `shuffle_reductions`: sums are taken in another order in every run, which moves losses in their last digits, as atomics do. Each case is calibrated with the defaults (20 and 99 runs, three windows of 20
steps, alpha 0.01). So what is found here is found with noise of about one unit in the last place of float32; where noise is larger, less is.

MD
table "$1" $results/statistical.jsonl
cat <<'MD'

What moves a value that no rounding moves (samples, batch, rate, random state, seed, base) is found every time, at its step. What moves losses or gradients by more than their noise, for more than a step or two, is found by the
envelope. Not found is a change of one unit in the last place of one number (`loss-ulp`, `grad-ulp`, `adapter-ulp`), which is less than the noise, and what sets in behind the last window or too late in it to grow.

## Without equal bits: `fast` on an H200

A model of 17 million parameters, rows of 512 tokens, in float32 and in bfloat16, forty steps, two windows; the noise is the GPU's own. Few trials, so the bounds are wide.

MD
table "$1" $results/h200-fast.jsonl
cat <<'MD'

`no-clipping` was planted here in cases whose gradients may never have been clipped. `tf32` is known by the switch that the library reports. That two of thirty clean pairs were called NOT_REPRODUCED is more than the four runs' nominal 1 % each, and within what chance does: 2 of 84 runs.
MD
