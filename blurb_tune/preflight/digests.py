"""Digests by which a sweep, and the settings of its trials, are recognized."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from blurb_tune.spec import SweepSpec
from blurb_tune.spec.task import TaskSpec

# What does not change a sweep's numbers may be changed when it is taken up again; of the resources, all but the device.
_DATA_KEYS = {"train", "dev", "test", "hub"}
_NOT_IN_DIGEST = {
    "base",
    "cluster",
    "final_test",
    "keep_weights",
    "notify",
    "priority",
    "recovery",
    "resources",
    "retries",
    "stop_after_errors",
    "storage",
    "tracking",
}
# With data, configuration and seed these decide a trial's numbers.
_OF_A_TRIAL = {"score", "crossed", "training"}


def spec_digest(spec: SweepSpec, data: str) -> str:
    """Of everything that decides the numbers; `data` is the digest of train and dev. SHA-256, in hex."""
    content = spec.model_dump(mode="json", exclude=_NOT_IN_DIGEST | {"data"})
    content["space"], content["training"] = spec.space.digest_content(), spec.training.digest_content()
    if isinstance(spec.task, TaskSpec):
        content["task"] = spec.task.model_dump(mode="json", exclude=_DATA_KEYS)
    # A folder may have moved; what it held is in the log.
    content["search"]["warm_start"] = [Path(folder).name for folder in spec.search.warm_start]
    content["device"] = _device(spec)
    return hashlib.sha256(json.dumps([content, data], sort_keys=True).encode()).hexdigest()


def settings_digest(spec: SweepSpec) -> str:
    """Of what trials have in common beside their data: equal where their scores can be pooled. SHA-256, in hex."""
    content = spec.model_dump(mode="json", include=_OF_A_TRIAL)
    content["instability"] = spec.pruning.instability.model_dump(mode="json")
    content["training"] = spec.training.digest_content()
    del content["training"]["precision"]  # `auto` is settled when the sweep starts; its log says as what
    if isinstance(spec.task, TaskSpec):
        content["task"] = spec.task.model_dump(mode="json", exclude=_DATA_KEYS | {"name"})
    return hashlib.sha256(json.dumps([content, _device(spec)], sort_keys=True).encode()).hexdigest()


def _device(spec: SweepSpec) -> str:
    return "gpu" if spec.resources.gpus else "cpu"
