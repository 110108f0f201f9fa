"""Files of runs and verdicts against the JSON Schemas of the protocol."""

import json
import os


def validator(source, name):
    """The validator of harness/protocol/schemas/NAME.schema.json under the folder `source`."""
    import jsonschema

    path = os.path.join(source, "harness", "protocol", "schemas", name + ".schema.json")
    with open(path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def validate_run(source, run_dir):
    """Raises jsonschema.ValidationError at the first file or line that is not valid.

    Returns the number of lines of steps.jsonl and tensors.jsonl.
    """
    for name in ("config", "manifest"):
        with open(os.path.join(run_dir, name + ".json"), encoding="utf-8") as file:
            validator(source, name).validate(json.load(file))
    counts = []
    for name in ("steps", "tensors"):
        of_line = validator(source, name)
        with open(os.path.join(run_dir, name + ".jsonl"), encoding="utf-8") as file:
            lines = file.read().splitlines()
        for line in lines:
            of_line.validate(json.loads(line))
        counts.append(len(lines))
    return counts
