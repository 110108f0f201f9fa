"""Python's digests, record and manifest against the C++ side.

record_parity.py digests|record|schemas --digest-tool PROGRAM --source DIR
"""

import argparse
import hashlib
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest

import torch

from schemas import validate_run, validator

ARGUMENTS = None


def tool(*arguments):
    return subprocess.run(
        [ARGUMENTS.digest_tool, *arguments], check=True, capture_output=True, text=True
    ).stdout


def record_module():
    sys.path.insert(0, os.path.join(ARGUMENTS.source, "ci", "examples"))
    import twinrun_record

    return twinrun_record


def hashlib_digest(dtype, shape, data):
    """The definition of docs/protocol.md, written a second time and without torch."""
    leaves = b"".join(
        hashlib.sha256(data[i : i + 4096]).digest() for i in range(0, len(data), 4096)
    )
    return hashlib.sha256(f"{dtype}\n{','.join(map(str, shape))}\n".encode() + leaves).hexdigest()


def make_run(folder, name, seed, stop_after=None, steps=5):
    run_dir = os.path.join(folder, name)
    os.makedirs(run_dir)
    config = {
        "identity": {
            "schema": 1,
            "seed": seed,
            "numerics": "deterministic",
            "train": {"steps": steps},
            "seeds": {"lora_init": seed, "dropout": 100 + seed, "shuffle": 200 + seed},
            "trainer": {"params": {"lr": 0.02, "rank": 4}},
        },
        "judgement": {"schema": 1, "verify": {"runs": 2, "controls": True, "step_timeout_s": 600}},
        "launch": {
            "name": "plain-pytorch",
            "run": name,
            "device": "cpu",
            "threads": 1,
            "isa": "auto",
            "inject": [],
            "record": {"tensors_every": 2},
            "eval_every": 0,
            "checkpoint_every": 0,
            "stop_after": stop_after,
        },
    }
    path = os.path.join(run_dir, "config.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file)
    trainer = os.path.join(ARGUMENTS.source, "ci", "examples", "plain_pytorch", "train.py")
    subprocess.run([sys.executable, trainer, "train", path, "--run-dir", run_dir], check=True)
    return run_dir


class Digests(unittest.TestCase):
    def test_tensor_and_group_digests_equal_those_of_hashlib_and_of_cpp(self):
        record = record_module()
        torch.manual_seed(1)
        tensors = {
            "scalarless": torch.randn(3, 5),
            "long": torch.randn(70, 33),
            "leaf": torch.randn(1024),
            "leaf+1": torch.randn(1025),
            "half": torch.randn(9, 7).to(torch.bfloat16),
            "fp16": torch.randn(31).to(torch.float16),
            "double": torch.randn(600).double(),
            "empty": torch.zeros(0, 4),
            "strided": torch.randn(40, 60).t(),
            '\u00e4"': torch.tensor([-0.0]),
        }
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "tensors.safetensors")
            record.save_safetensors(path, tensors)
            lines = dict(line.rsplit(" ", 1) for line in tool("safetensors", path).splitlines())
            data = read_safetensors(path)
        digests = {name: record.tensor_digest(tensor) for name, tensor in tensors.items()}
        self.assertEqual(lines.pop("group"), record.group_digest(digests))
        self.assertEqual(lines, digests)
        self.assertEqual({name: hashlib_digest(*part) for name, part in data.items()}, digests)

    def test_canonical_json_equals_that_of_cpp(self):
        record = record_module()
        value = {
            "numbers": [
                0,
                -0.0,
                1.0,
                2e-4,
                1e21,
                1e20,
                1e-6,
                1e-7,
                5e-324,
                1.7976931348623157e308,
                0.1,
                123.456,
                -1.5e-9,
                333333333.3333332,
                9007199254740991,
                -1,
                1e23,
                100.0,
                0.05,
            ],
            "\u20ac": '\u00e4"\\\n\x0f\x7f',
            "\U0001f600": None,
            "\ufb33": True,
            "a": {"b": [], "": {}},
        }
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "value.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(value, file)
            self.assertEqual(tool("canonical", path), record.canonical_json(value))

    def test_values_of_lines_are_printed_alike(self):
        record = record_module()
        for bits in (
            0x40A8A3EA,
            0x00000001,
            0x7F7FFFFF,
            0x80000000,
            0x3DCCCCCD,
            0x501502F9,
            0x38D1B717,
        ):
            value = struct.unpack(">f", bits.to_bytes(4, "big"))[0]
            self.assertEqual(record.float32(value)["bits"], f"{bits:08x}")
            self.assertEqual(record.float32(value)["value"], "%.9g" % value)
        self.assertIsNone(record.float32(math.nan)["value"])
        self.assertEqual(
            record.dump({"a": record.float64(math.inf)}),
            '{"a":{"bits":"7ff0000000000000","value":null}}',
        )


def read_safetensors(path):
    dtypes = {"F32": "float32", "F64": "float64", "F16": "float16", "BF16": "bfloat16"}
    with open(path, "rb") as file:
        raw = file.read()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__")
    return {
        name: (
            dtypes[part["dtype"]],
            part["shape"],
            raw[8 + size + part["data_offsets"][0] : 8 + size + part["data_offsets"][1]],
        )
        for name, part in header.items()
    }


class Record(unittest.TestCase):
    def test_the_judge_reads_a_record_that_python_wrote(self):
        with tempfile.TemporaryDirectory() as folder:
            a, b = make_run(folder, "a", 42), make_run(folder, "b", 42)
            control = make_run(folder, "c", 43, stop_after=2)
            self.assertEqual(tool("run", a).strip(), "REPRODUCED complete")
            verdict = tool("run", a, b).splitlines()[1]
            self.assertTrue(verdict.startswith("REPRODUCED bitwise"), verdict)
            with open(os.path.join(a, "steps.jsonl"), "rb") as one, open(
                os.path.join(b, "steps.jsonl"), "rb"
            ) as two:
                self.assertEqual(one.read(), two.read())
            last = tool("run", a, control).splitlines()[2]
            self.assertTrue(last.startswith("passed"), last)

    def test_a_changed_adapter_or_line_is_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            run = make_run(folder, "a", 42)
            adapter = os.path.join(run, "adapter", "adapter_model.safetensors")
            with open(adapter, "r+b") as file:
                file.seek(-1, os.SEEK_END)
                byte = file.read(1)
                file.seek(-1, os.SEEK_END)
                file.write(bytes([byte[0] ^ 1]))
            self.assertTrue(
                tool("run", run).startswith("EVIDENCE_INVALID adapter_replaced"), tool("run", run)
            )

    def test_evaluations_are_those_of_a_whole_file(self):
        record = record_module()
        with tempfile.TemporaryDirectory() as folder:
            settings = {"max_new_tokens": 4, "batch_size": 2, "max_length": 64}
            config = os.path.join(folder, "config.json")
            with open(config, "w", encoding="utf-8") as file:
                json.dump(
                    {
                        "identity": {"schema": 1, "numerics": "fast", "train": {"steps": 3}},
                        "judgement": {
                            "evaluation": {"sha256": "b" * 64, "every": 2, **settings},
                        },
                        "launch": {"eval_every": 2, "evaluation": {"path": "rows", **settings}},
                    },
                    file,
                )
            weight = torch.nn.Parameter(torch.ones(2))
            optimizer = torch.optim.AdamW([weight])
            row = {"id": "a", "category": "c", "tokens": 3, "reference": "Lima"}
            row |= {"cluster": "k", "answer": "caf\u00e9 \"", "finish": "stop"}
            due = []
            with record.Recorder(config, folder, {"w": weight}, {}, optimizer) as recorder:
                recorder.step_zero()
                self.assertFalse(recorder.evaluation_is_due())
                for number in range(1, recorder.last_step + 1):
                    weight.grad = torch.ones(2)
                    recorder.before_update({"input_ids": torch.ones(1, 2)})
                    recorder.step(1.0, samples=[number], tokens=2, loss_tokens=1)
                    if recorder.evaluation_is_due():
                        due.append(number)
                        other = {**row, "id": 1, "nll": 2.75, "category": None, "cluster": None}
                        recorder.evaluation([{**row, "nll": 0.1}, other])
                recorder.finish()
            self.assertEqual(due, [2, 3])
            path = os.path.join(folder, "eval.jsonl")
            # As a reader and a writer in C++ have it, byte for byte.
            with open(path, encoding="utf-8") as file:
                self.assertEqual(tool("eval", path), file.read())
            of_line = validator(ARGUMENTS.source, "eval")
            with open(path, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            for line in lines:
                of_line.validate(line)
                for key in line:
                    self.assertFalse(of_line.is_valid({k: v for k, v in line.items() if k != key}))
                    self.assertFalse(of_line.is_valid({**line, key: {}}))
                self.assertFalse(of_line.is_valid({**line, "extra": 1}))

    def test_a_loop_that_fails_says_so(self):
        record = record_module()
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "config.json")
            with open(config, "w", encoding="utf-8") as file:
                json.dump(
                    {
                        "identity": {"schema": 1, "numerics": "fast", "train": {"steps": 3}},
                        "judgement": {},
                        "launch": {},
                    },
                    file,
                )
            weight = torch.nn.Parameter(torch.ones(2))
            optimizer = torch.optim.AdamW([weight])
            with self.assertRaises(ValueError):
                with record.Recorder(config, folder, {"w": weight}, {}, optimizer) as recorder:
                    recorder.step_zero()
                    raise ValueError("out of ideas")
            self.assertEqual(
                tool("run", folder).strip(),
                "INVALID failed the trainer says: ValueError: out of ideas",
            )
            with open(os.path.join(folder, "steps.jsonl"), encoding="utf-8") as file:
                self.assertIn('"promise":"none"', file.readline())


class Schemas(unittest.TestCase):
    def test_files_of_a_real_run_are_valid(self):
        with tempfile.TemporaryDirectory() as folder:
            run = make_run(folder, "a", 42)
            for lines in validate_run(ARGUMENTS.source, run):
                self.assertGreater(lines, 6)

    def test_what_is_wrong_is_not_valid(self):
        with tempfile.TemporaryDirectory() as folder:
            run = make_run(folder, "a", 42)
            of_line = validator(ARGUMENTS.source, "steps")
            with open(os.path.join(run, "steps.jsonl"), encoding="utf-8") as file:
                lines = [json.loads(line) for line in file]
            for line in lines:
                for key in line:
                    self.assertFalse(
                        of_line.is_valid({k: v for k, v in line.items() if k != key}), key
                    )
                    self.assertFalse(of_line.is_valid({**line, key: {}}), key)
                self.assertFalse(of_line.is_valid({**line, "extra": 1}))
            with open(os.path.join(run, "manifest.json"), encoding="utf-8") as file:
                manifest = json.load(file)
            of_manifest = validator(ARGUMENTS.source, "manifest")
            for change in (
                {"status": "done"},
                {"head": "abc"},
                {"run_id": None},
                {"extra": 1},
                {"schema": 2},
                {"resumed": [{"step": -1, "at": "2026-01-31T12:00:00Z"}]},
                {"resumed": [{"step": 6}]},
            ):
                self.assertFalse(of_manifest.is_valid({**manifest, **change}), change)
            resumed = {"resumed": [{"step": 6, "at": "2026-01-31T12:00:00Z"}]}
            self.assertTrue(of_manifest.is_valid({**manifest, **resumed}))
            with open(os.path.join(run, "config.json"), encoding="utf-8") as file:
                config = json.load(file)
            for part in ("identity", "judgement", "launch"):
                self.assertFalse(
                    validator(ARGUMENTS.source, "config").is_valid(
                        {k: v for k, v in config.items() if k != part}
                    )
                )

    def test_a_verdict_of_the_agreed_shape_is_valid(self):
        check = {"name": "twin", "verdict": "REPRODUCED", "reason": "bitwise", "message": "m"}
        verdict = {
            "schema": 1,
            "verdict": "REPRODUCED",
            "exit_code": 0,
            "case": {"name": "x", "identity": "a" * 64},
            "checks": [check],
            "runs": [],
            "comparisons": [],
            "comparisons_made": 1,
            "controls": [],
            "controls_seed": 1,
            "without_controls": False,
        }
        of_verdict = validator(ARGUMENTS.source, "verdict")
        of_verdict.validate(verdict)
        for change in (
            {"verdict": "NOT_RUN"},
            {"exit_code": 7},
            {"checks": []},
            {"comparisons_made": -1},
            {"baseline": {}},
            {"baseline": {"curve": "x"}},
        ):
            self.assertFalse(of_verdict.is_valid({**verdict, **change}), change)

    def test_a_description_of_a_curve_of_the_agreed_shape_is_valid(self):
        key = {"identity": "a" * 64, "arithmetic": "portable-f32/1", "numerics": "portable"}
        maker = {
            "twinrun_version": "0.1.0",
            "git_commit": "",
            "git_dirty": False,
            "trainer_binary": None,
            "device_name": "GPU",
            "driver": None,
            "cpu_model": "CPU",
            "date": "2026-03-01T12:00:00Z",
            "verdict_sha256": "b" * 64,
        }
        accepted = {
            "who": "somebody",
            "when": "2026-03-01T12:00:00Z",
            "why": "a new order of reduction",
            "verdict_sha256": "c" * 64,
        }
        curve = {
            "schema": 1,
            "key": key,
            "sha256": "d" * 64,
            "head": "e" * 64,
            "made_by": maker,
            "accepted": None,
        }
        of_curve = validator(ARGUMENTS.source, "curve")
        of_curve.validate(curve)
        of_curve.validate({**curve, "accepted": accepted})
        of_curve.validate({**curve, "key": {**key, "device": {"name": "GPU"}, "world_size": 1}})
        for field in curve:
            without = {k: v for k, v in curve.items() if k != field}
            self.assertFalse(of_curve.is_valid(without), field)
        for change in (
            {"extra": 1},
            {"schema": 2},
            {"sha256": "D" * 64},
            {"head": None},
            {"key": {}},
            {"made_by": {**maker, "extra": 1}},
            {"made_by": {**maker, "verdict_sha256": None}},
            {"accepted": {**accepted, "why": None}},
            {"accepted": {"who": "somebody"}},
        ):
            self.assertFalse(of_curve.is_valid({**curve, **change}), change)


def main():
    global ARGUMENTS
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=["digests", "record", "schemas"])
    parser.add_argument("--digest-tool", required=True)
    parser.add_argument("--source", required=True)
    ARGUMENTS = parser.parse_args()
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(
        {"digests": Digests, "record": Record, "schemas": Schemas}[ARGUMENTS.suite]
    )
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
