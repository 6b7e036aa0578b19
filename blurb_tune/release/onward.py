"""Where an exported model goes besides its folder. Imports little: a mistake is told before PyTorch is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from blurb_tune.core.errors import BlurbTuneError, InputError, Problem
from blurb_tune.core.paths import SweepPaths
from blurb_tune.spec.names import check_registered_name

if TYPE_CHECKING:
    from blurb_tune.release.export import Exported

_OF_ONNX = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True)
class Onward:
    """onnx: into an ONNX file. register: to MLflow's registry, under this name. push: to the hub, as this `owner/name`."""

    onnx: bool = False
    register: str | None = None
    push: str | None = None

    @property
    def leaves(self) -> bool:
        """Whether it goes beyond its folder, which stands as it is when that has failed and is tried again."""
        return self.register is not None or self.push is not None

    def check(self) -> None:
        """Find out, before a model is made, whether it can go there.

        Raises InputError with all that is wrong, and BlurbTuneError where the hub cannot be reached or refuses the token.
        """
        problems = list(self._problems())
        if self.push is not None:
            from blurb_tune.release.upload import check_upload

            try:
                check_upload(self.push)
            except InputError as error:
                problems += error.problems
            except BlurbTuneError:
                if not problems:
                    raise
        if problems:
            raise InputError(problems)

    def _problems(self) -> Iterator[Problem]:
        if self.onnx and (missing := [name for name in _OF_ONNX if find_spec(name) is None]):
            yield Problem("--onnx", f"needs {', '.join(missing)}: pip install 'blurb-tune[onnx]'")
        if self.register is not None:
            try:
                check_registered_name(self.register)
            except ValueError as error:
                yield Problem("--register", str(error))

    def send(self, paths: SweepPaths, done: Exported, say: Callable[[str], None] = lambda text: None) -> dict[str, str]:
        """Take the model there; what came of it in words, by where.

        Raises BlurbTuneError, and the folder stays: the same export goes on from it.
        """
        sent, folder = {}, done.folder
        try:
            if self.register is not None:
                from blurb_tune.release.register import register

                sent["registered"] = str(register(paths, self.register, done.trial, done.first_run, lambda: folder, say))
            if self.push is not None:
                from blurb_tune.release.upload import upload

                say("uploading the folder")
                sent["uploaded"] = f"uploaded as a private model to {upload(folder, self.push)}"
        except BlurbTuneError as error:
            raise BlurbTuneError(f"{error}; the model itself is in {folder}, from which the same export goes on") from None
        return sent
