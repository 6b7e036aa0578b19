"""Tells somebody that a sweep has ended."""

from __future__ import annotations

import json
import urllib.request
from contextlib import suppress
from dataclasses import asdict
from http.client import HTTPException

import yaml

from blurb_tune.core.errors import BlurbTuneError
from blurb_tune.core.secrets import redact, resolve
from blurb_tune.service.kept_sweeps import PAYLOAD, End, KeptSweep

_PATIENCE = 10.0


def notify(sweep: KeptSweep, end: End) -> None:
    """Send the sweep's status to the address that its spec names, if any. What fails is said, and changes nothing."""
    address = ""
    with suppress(OSError, yaml.YAMLError, AttributeError):
        address = yaml.safe_load(sweep.storage.read(f"{PAYLOAD}/spec.yaml")).get("notify") or ""
    if not address:
        return
    try:
        body = json.dumps(sweep.status(is_over=True) | {"end": asdict(end)}).encode()
        request = urllib.request.Request(resolve(address), body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=_PATIENCE).close()
    except (OSError, ValueError, HTTPException, BlurbTuneError) as error:
        print(f"nobody could be notified: {redact(str(error))}", flush=True)
