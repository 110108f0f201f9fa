"""A stand-in for GitHub's runner: plays the steps of a composite action as the runner does.

What it knows is what our files use: the expressions of `evaluate`, files for outputs and summary,
workflow commands on the output of a step, and what a cancelled job does to it.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time

import yaml

COMMANDS = "add-mask add-matcher add-path debug echo endgroup error group notice remove-matcher"
COMMANDS = set((COMMANDS + " save-state set-env set-output stop-commands warning").split())
TOKEN = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|!|\(|\)|[a-z][\w.-]*)")


class Text(str):
    """A value of an expression: compared without regard to case, as GitHub does."""

    def __eq__(self, other):
        return self.lower() == str(other).lower()

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


def evaluate(expression, context):
    """The value of an expression without its ${{ }}; `context` maps names to values or functions.

    A name that is not there is empty, as for GitHub, if its first part is; otherwise it is an error.
    """
    python, at = [], 0
    expression = expression.strip()
    while at < len(expression):
        token = TOKEN.match(expression, at)
        if token is None:
            raise ValueError(f"no expression that this stand-in knows: {expression[at:]}")
        at, word = token.end(), token.group(1)
        if word.startswith("'"):
            python.append(f"Text({word[1:-1].replace(chr(39) * 2, chr(39))!r})")
        elif re.match("[a-z]", word):
            python.append(f"look({word!r})")
        else:
            python.append({"&&": " and ", "||": " or ", "!": " not "}.get(word, word))

    def look(name):
        value = context
        for index, part in enumerate(name.split(".")):
            if index == 0 and part not in value:
                raise ValueError(f"no context {part} here")
            value = value.get(part, "") if isinstance(value, dict) else ""
        return value if callable(value) or isinstance(value, bool) else Text(value)

    return eval("".join(python), {"Text": Text, "look": look})


def expand(text, context):
    """`text` with every ${{ }} in it evaluated."""
    return re.sub(
        r"\$\{\{(.*?)\}\}",
        lambda match: str(evaluate(match.group(1), context)),
        text,
        flags=re.DOTALL,
    )


def parse_command(line):
    """(command, properties, message) of a line that is a workflow command, in either notation."""
    found = re.match(r"\s*::([^\s:]+)(?: (.*?))?::(.*)", line) or re.search(
        r"##\[([^\s\]]+)(?: ([^\]]*))?\](.*)", line
    )
    return found and (found.group(1).lower(), found.group(2) or "", found.group(3))


class Commands:
    """What a runner does on reading the output of one step."""

    def __init__(self):
        self.done, self.stopped = [], None

    def read(self, line):
        command = parse_command(line)
        if command is None:
            return
        name, _, message = command
        if self.stopped is not None:
            if name == self.stopped:
                self.stopped = None
        elif name == "stop-commands":
            self.stopped = message.lower()
        elif name in COMMANDS:
            self.done.append(command)


def read_outputs(path):
    """Of a file like $GITHUB_OUTPUT, both notations."""
    outputs = {}
    with open(path, encoding="utf-8") as file:
        lines = iter(file.read().splitlines())
    for line in lines:
        name, delimiter = re.match("([^=<]+)(=|<<)", line).groups()
        rest = line[len(name) + len(delimiter) :]
        if delimiter == "<<":
            rest = "\n".join(iter(lambda: next(lines), rest))
        outputs[name] = rest
    return outputs


class Step:
    """What came of one step."""

    def __init__(self, name):
        self.name, self.code, self.outcome = name, None, "skipped"
        self.commands, self.log, self.outputs, self.uses = [], "", {}, None


class Job:
    """One job on a fresh runner, in the folder `root`; `environment` comes on top of its variables."""

    def __init__(self, root, environment):
        self.root = root
        self.temp, self.workspace = os.path.join(root, "temp"), os.path.join(root, "workspace")
        for folder in (self.temp, self.workspace):
            os.makedirs(folder, exist_ok=True)
        self.environment = environment
        self.status, self.steps, self.count = "success", [], 0
        self.cancel_when = None  # asked while a step runs: whether somebody presses the button now
        self.grace_s = (7.5, 2.5)  # from SIGINT to SIGTERM, from there to the end of the whole tree

    def file(self, kind):
        path = os.path.join(self.root, f"{kind}-{self.count}")
        open(path, "a").close()
        return path

    def variables(self, action_path):
        kinds = {"GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"}
        return {
            "PATH": os.environ["PATH"],
            "HOME": os.environ.get("HOME", "/"),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": self.workspace,
            "GITHUB_ACTION_PATH": action_path,
            "RUNNER_TEMP": self.temp,
            "ACTIONS_RUNTIME_TOKEN": "a secret of the runner",
            "GITHUB_TOKEN": "a secret of the repository",
            **{kind: self.file(kind) for kind in kinds | {"GITHUB_STEP_SUMMARY"}},
            **self.environment,
        }

    def run_script(self, step, script, variables):
        """Both streams are read whole; stderr counts as first, the worst order there can be."""
        path = os.path.join(self.temp, f"script-{self.count}.sh")
        with open(path, "w", encoding="utf-8") as file:
            file.write(script)
        process = subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", path],
            cwd=self.workspace,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        watch = threading.Thread(target=self.cancel, args=(process,), daemon=True)
        watch.start()
        streams = process.communicate(timeout=120)
        watch.join()
        commands = Commands()
        for stream in reversed(streams):
            text = stream.decode("utf-8", "replace")
            step.log += text
            for line in text.splitlines():
                commands.read(line)
        step.code, step.commands = process.returncode, commands.done

    def cancel(self, process):
        while process.poll() is None and self.status != "cancelled":
            if self.cancel_when is not None and self.cancel_when():
                self.status = "cancelled"
                for number, grace in zip(
                    (signal.SIGINT, signal.SIGTERM), self.grace_s, strict=True
                ):
                    process.send_signal(number)
                    try:
                        process.wait(grace)
                        break
                    except subprocess.TimeoutExpired:
                        pass
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.02)

    def play(self, action_file, inputs):
        """Runs the action; returns its outputs. `self.steps` holds what came of each step."""
        with open(action_file, encoding="utf-8") as file:
            action = yaml.safe_load(file)
        for name, given in action["inputs"].items():
            inputs.setdefault(name, given.get("default", ""))
        unknown = set(inputs) - set(action["inputs"])
        if unknown:
            raise ValueError(f"no inputs of the action: {unknown}")
        context = {"inputs": inputs, "steps": {}, "job": {}}
        for described in action["runs"]["steps"]:
            self.count += 1
            self.play_step(described, context, os.path.dirname(action_file))
        return {
            name: expand(output["value"], context) for name, output in action["outputs"].items()
        }

    def play_step(self, described, context, action_path):
        step = Step(described["name"])
        self.steps.append(step)
        context["job"]["status"] = self.status
        context["always"] = lambda: True
        condition = described.get("if", "success()")
        context["success"] = lambda: self.status == "success"
        if not re.search(r"\b(always|success|failure|cancelled)\(\)", condition):
            condition = f"success() && ({condition})"
        if not evaluate(condition, context):
            return
        step.outcome = "success"
        if "uses" in described:
            step.uses = {
                name: expand(str(value), context) for name, value in described["with"].items()
            }
            return
        variables = self.variables(action_path)
        for name, value in described.get("env", {}).items():
            variables[name] = expand(str(value), context)
        self.run_script(step, described["run"], variables)
        step.outputs = read_outputs(variables["GITHUB_OUTPUT"])
        for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STATE"):
            if os.path.getsize(variables[name]):
                raise AssertionError(f"{step.name} wrote {name}")
        if step.code != 0:
            step.outcome = "failure"
            if self.status == "success":
                self.status = "failure"
        if "id" in described:
            context["steps"][described["id"]] = {"outputs": step.outputs}

    def step(self, name):
        return next(step for step in self.steps if step.name == name)

    def summary(self):
        text = ""
        for name in sorted(os.listdir(self.root)):
            if name.startswith("GITHUB_STEP_SUMMARY"):
                with open(os.path.join(self.root, name), encoding="utf-8") as file:
                    text += file.read()
        return text

    def annotations(self):
        return [command for step in self.steps for command in step.commands]
