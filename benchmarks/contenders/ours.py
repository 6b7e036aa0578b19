"""What is measured of this project, in a process of its own that also runs with an older checkout on PYTHONPATH.

Usage: python ours.py facts
       python ours.py log FOLDER
       python ours.py prepare SPEC.json FOLDER
       python ours.py slot SPEC.json FOLDER
       python ours.py steps SPEC.json STEPS

The last line that it prints is JSON.
"""

from __future__ import annotations

import json
import mmap
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

SKIPPED = 4
SIDE = 1024
Row = dict[str, Any]


def facts() -> Row:
    """Where the model's files are, how long a pair may be, and what the precision `auto` means on this CPU."""
    from blurb_tune.models.catalog import describe_model
    from blurb_tune.tasks.blurb.definitions import TASKS
    from blurb_tune.training.precision import resolve_precision

    model, task = describe_model("minilm"), TASKS["biosses"]
    lengths = {"max_length": min(task.max_length, model.max_length)}
    return {"model": str(model.path), "precision": resolve_precision("auto", "cpu"), "blocks": model.blocks, **lengths}


def read_log(folder: str) -> Row:
    """The runs of a sweep, and when, in seconds since the epoch, its first training step began and its last run ended."""
    from blurb_tune.core.trial import Configuration
    from blurb_tune.log import events as ev
    from blurb_tune.log.event_log import read_events

    runs: dict[str, Row] = {}
    labels: dict[str, str] = {}
    first, last = float("inf"), 0.0
    for event, _ in read_events(Path(folder) / "events.jsonl"):
        match event:
            case ev.ConfigurationSuggested():
                labels[event.configuration] = Configuration(**event.values).strategy.label
            case ev.TrialStarted():
                runs[event.trial] = {"label": labels[event.configuration], "seed": event.seed}
            case ev.Measured(measurement=of):
                first = min(first, event.time - of.train_seconds - of.eval_seconds)
                runs[event.trial] |= {"score": of.dev_score, "epochs": of.epoch}
            case ev.TrialEnded():
                runs[event.trial] |= {"outcome": event.outcome, "process": event.worker}
                last = max(last, event.time)
    return {"runs": list(runs.values()), "first_step": first, "last_end": last}


def _plan(file: str) -> Any:
    from blurb_tune.preflight import make_plan
    from blurb_tune.spec import load_spec

    return make_plan(load_spec(json.loads(Path(file).read_text())))


def _trial(plan: Any, seed: int = 0, **strategy: Any) -> Any:
    from blurb_tune.core.trial import Configuration, TrialConfig

    space = plan.spec.space
    values = {name: getattr(space, name) for name in ("learning_rate", "batch_size", "epochs")}
    return TrialConfig("trial", "configuration", Configuration(model=plan.spec.model, **values, **strategy), seed)


def _slot(environment: Any, classifier: Any, data: Any) -> Callable[[Any], Any]:
    """Begins trials one after the other, with what a slot keeps between them."""
    kept = [environment.prefixes()] if hasattr(environment, "prefixes") else []
    return lambda trial: environment.fine_tuning(classifier, data, trial, *kept)


# The memory of a slot.


def prepare(file: str, folder: str) -> Row:
    """Leave what the driver gives to all slots in files, as Ray's object store has it: arrays apart from the rest."""
    from ray import cloudpickle

    from blurb_tune.execution.prepare import prepare_environment

    buffers: list[pickle.PickleBuffer] = []
    head = cloudpickle.dumps(prepare_environment(_plan(file), lambda text: None), protocol=5, buffer_callback=buffers.append)
    (Path(folder) / "head").write_bytes(head)
    sizes = []
    with (Path(folder) / "arrays").open("wb") as out:
        for buffer in buffers:
            raw = buffer.raw()
            sizes.append(raw.nbytes)
            out.write(raw)
            out.write(bytes(-raw.nbytes % 64))
    (Path(folder) / "sizes.json").write_text(json.dumps(sizes))
    return {"MB": sum(sizes) / 2**20}


def slot(file: str, folder: str) -> Row:
    """MB that a process grows by which maps those files and trains one vanilla trial to its end."""
    import blurb_tune.execution.actor  # noqa: F401
    from blurb_tune.execution.slot import set_up_process

    sizes = json.loads((Path(folder) / "sizes.json").read_text())
    plan = _plan(file)
    before = _memory()
    with (Path(folder) / "arrays").open("rb") as arrays:
        whole = memoryview(mmap.mmap(arrays.fileno(), 0, access=mmap.ACCESS_READ))
    environment = pickle.loads((Path(folder) / "head").read_bytes(), buffers=_parts(whole, sizes))
    set_up_process(environment.cpus, environment.device)
    trial = _trial(plan)
    model = trial.configuration.model
    tuning = _slot(environment, environment.classifier(model), environment.models[model].fold(None))(trial)
    report = tuning.advance()
    while report.outcome is None:
        report = tuning.advance()
    after = _memory()
    return {
        "peak": after["VmHWM"] - before["VmRSS"],
        "shared": after["RssFile"] + after["RssShmem"] - before["RssFile"] - before["RssShmem"],
        "imports": before["VmRSS"],
        "score": report.measurement.dev_score,
    }


def _parts(whole: memoryview, sizes: list[int]) -> Iterator[memoryview]:
    start = 0
    for size in sizes:
        yield whole[start : start + size]
        start += size + -size % 64


def _memory() -> dict[str, float]:
    """MB by name. `resource` would give the largest memory of the parent where that is larger."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return {name: int(value.split()[0]) / 1024 for name, _, value in (line.partition(":") for line in lines) if "kB" in value}


# The cost of a step.


class _EnoughError(Exception):
    pass


def steps(file: str, number: str) -> Row:
    """Seconds of CPU per step of each strategy on one thread; arithmetic and profile of vanilla fine-tuning's.

    Steps are counted from the fifth of a trial on. No dev evaluation is among them. A frozen depth is that of a second trial.
    """
    import torch
    from profiled import count_flops, nominal_flops, profile

    from blurb_tune.execution.prepare import prepare_environment
    from blurb_tune.execution.slot import set_up_process

    plan, count = _plan(file), int(number)
    environment = prepare_environment(plan, lambda text: None)
    set_up_process(1, "cpu")
    trial = _trial(plan)
    model = trial.configuration.model
    classifier, data = environment.classifier(model), environment.models[model].fold(None)
    blocks = classifier.config.num_hidden_layers
    dtype = torch.bfloat16 if facts()["precision"] == "bf16" else torch.float32

    begin, end = _slot(environment, classifier, data), SKIPPED + count

    def train(at: Callable[[int], None], **strategy: Any) -> None:
        _train(begin(_trial(plan, **strategy)), end, at)

    def cpu(**strategy: Any) -> float:
        marks: list[float] = []
        train(lambda step: marks.append(time.process_time()), **strategy)
        return (marks[-1] - marks[SKIPPED]) / count

    computed = count_flops(train, SKIPPED, end) / count
    peaks = [_peak(dtype)]
    seconds = {"vanilla": cpu()}
    peaks.append(_peak(dtype))
    shares = profile(train, SKIPPED, end)
    for depth in (blocks * 2 // 3, blocks):
        cpu(freeze_depth=depth)
        seconds[f"freeze {depth}"] = cpu(freeze_depth=depth)
    lengths = _lengths(data, trial.configuration, end)[SKIPPED:]
    return {
        "seconds": seconds,
        "tokens": sum(int(of.sum()) for of in lengths) / count,
        "nominal_flops": sum(nominal_flops(classifier, of) for of in lengths) / count,
        "computed_flops": computed,
        "peak_flops": max(peaks),
        "profile": shares,
    }


def _train(tuning: Any, upto: int, at: Callable[[int], None]) -> None:
    """Train so many steps and stop without an evaluation; `at` is called before the first step and behind each."""
    done = 0

    def after_step() -> None:
        nonlocal done
        done += 1
        at(done)
        if done == upto:
            raise _EnoughError

    at(0)
    with suppress(_EnoughError):
        tuning.advance(after_step)
    assert done == upto, "an evaluation came before"


def _lengths(data: Any, configuration: Any, count: int) -> list[Any]:
    """Tokens of each example, step by step."""
    from blurb_tune.training.batching import epoch_batches

    lengths, batches = data.train.lengths, []
    for epoch in range(configuration.epochs):
        batches += epoch_batches(lengths, configuration.batch_size, seed=0, epoch=epoch)
        if len(batches) >= count:
            break
    return [lengths[rows] for rows in batches[:count]]


def _peak(dtype: Any) -> float:
    """FLOP/s of products of square matrices, the best of some."""
    import torch

    left, right = torch.randn(SIDE, SIDE).to(dtype), torch.randn(SIDE, SIDE).to(dtype)
    best = float("inf")
    with torch.inference_mode():
        for _ in range(30):
            began = time.process_time()
            torch.mm(left, right)
            best = min(best, time.process_time() - began)
    return 2 * SIDE**3 / best


COMMANDS: dict[str, Callable[..., Row]] = {"facts": facts, "log": read_log, "prepare": prepare, "slot": slot, "steps": steps}

if __name__ == "__main__":
    print(json.dumps(COMMANDS[sys.argv[1]](*sys.argv[2:])))
