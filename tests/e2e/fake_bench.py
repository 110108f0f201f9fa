"""`bench` and `doctor` of the fake trainer: docs/protocol.md section 11 with a scripted clock.

trainer.params.bench of the case says what the clock shows and what goes wrong:
  ratio: {MODE: R}    a step of that mode takes R times as long     noise: F   spread of a window
  drift: F            each window of any arm is longer by F         pause: S   really slept a window
  switches: {NAME: R} what doctor lists; one that is on costs R     device: NAME
  doctor_s: S         doctor sleeps first
  arms: {ARM: {...}}  of one arm (its launch.run), of every one with ARM `all`:
    factor: R, delay_ignored: true, delay_denied: true, read_back: {...}, numerics: MODE
    refuse: N         ends with exit code N before it is ready
    WHAT_at: N        in window N: die, hang, garbage, fewer, nan, negative, zero, non_finite, exit
    window: {...}     fields of every answer
    window_until: N   but only in the first N windows of each process
"""

import json
import os
import signal
import sys
import time

from fake_digests import uniform

STEP_NS = 100_000_000


def settings(config):
    return config["identity"].get("trainer", {}).get("params", {}).get("bench", {})


def doctor(config):
    time.sleep(settings(config).get("doctor_s", 0))
    names = settings(config).get("switches", {})
    listed = [{"name": n, "what": "a switch", "on": True, "off": False} for n in names]
    answer = {"checks": [], "numerics": None}
    if names:
        answer["bench_switches"] = listed
    print(json.dumps(answer))
    return 0


def misbehave(arm, window, answer):
    """What is wrong with this window; the line to be written."""
    for what in "die hang exit garbage fewer nan negative zero non_finite".split():
        if arm.get(what + "_at") != window:
            continue
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while what == "hang":
            time.sleep(3600)
        if what == "exit":
            print("fake trainer: out of memory", file=sys.stderr)
            sys.exit(3)
        if what == "garbage":
            return "CUDA warning: ::error::x"
        if what == "fewer":
            answer["steps"] -= 1
        if what == "nan":
            answer["host_ns"] = float("nan")
        if what == "negative":
            answer["host_ns"] = -answer["host_ns"]
        if what == "zero":
            answer["host_ns"] = 0
        if what == "non_finite":
            answer["loss_finite"] = False
    if window <= arm.get("window_until", window):
        answer.update(arm.get("window", {}))
    return json.dumps(answer)


def bench(config, run_dir):
    launch, numerics = config["launch"], config["identity"]["numerics"]
    options, script = launch["bench"], settings(config)
    arms = script.get("arms", {})
    arm = {**arms.get("all", {}), **arms.get(launch["run"], {})}
    process = int(os.path.basename(run_dir).split("-")[0])
    if "refuse" in arm:
        print("fake trainer: this arm cannot run here", file=sys.stderr)
        return arm["refuse"]
    factor = script.get("ratio", {}).get(numerics, 1) * arm.get("factor", 1)
    for name, on in options["switches"].items():
        factor *= script["switches"][name] if on else 1 / script["switches"][name]
    if not arm.get("delay_ignored"):
        factor *= 1 + options["delay"]
    delay_ns = 0 if arm.get("delay_denied") else int(STEP_NS * options["delay"])
    ready = {
        "ready": True,
        "schema": 1,
        "numerics": arm.get("numerics", numerics),
        "arithmetic": "fake-float32/1",
        "device": {"type": "cpu", "name": script.get("device", "fake")},
        "versions": {},
        "switches": {},
        "forced": arm.get("read_back", options["switches"]),
        "warmup_steps": options["warmup_steps"],
        "settled": True,
        "step_ns": STEP_NS,
        "delay_ns": delay_ns,
        "nvml": "no GPU",
    }
    print(json.dumps(ready), flush=True)
    window = 0
    for line in sys.stdin:
        if line == "quit\n":
            return 0
        word, count = line.split()
        assert word == "run"
        window += 1
        time.sleep(script.get("pause", 0))
        noise = script.get("noise", 0.002) * (2 * uniform(launch["run"], process, window) - 1)
        with open(os.path.join(os.path.dirname(run_dir), "clock"), "ab") as clock:
            clock.write(b".")  # one a window, whichever process it is
            drift = script.get("drift", 0) * clock.tell()
        host_ns = int(int(count) * STEP_NS * factor * (1 + noise + drift))
        answer = {
            "window": window,
            "steps": int(count),
            "step": 40 + window * int(count),
            "adapter": "0" * 64,
            "host_ns": host_ns,
            "device_ns": None,
            "sm_mhz": None,
            "sm_mhz_max": None,
            "power_w": None,
            "temperature_c": None,
            "throttle": None,
            "other_processes": None,
            "loss_finite": True,
        }
        print(misbehave(arm, window, answer), flush=True)
    return 0


def answer(command, config, run_dir):
    """Exit code of `bench` or `doctor`."""
    return bench(config, run_dir) if command == "bench" else doctor(config)
