"""In the real kernel of a notebook: one output that is renewed, from any thread, and figures without pyplot."""

from __future__ import annotations

import base64
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blurb_tune.api.notebook import in_notebook
from tests.conftest import require
from tests.report.figures.drawn import pixels

ROOT = Path(__file__).parent.parent.parent
VIEW = """
import threading
from pathlib import Path
from blurb_tune.api.notebook import NotebookView, in_notebook
from blurb_tune.log.record import SweepRecord
from tests.report.sweeps import small_sweep

assert in_notebook()
sweep = small_sweep()
with NotebookView("a <b> sweep") as view:
    view.on_phase("starting Ray")
    view.begin("toy: biosses", Path("runs/toy"), SweepRecord())
    driver = threading.Thread(target=lambda: [view.on_event(event) for event in sweep.events])
    driver.start()
    driver.join()
    view.say("this stays")
"""
FIGURE = """
import sys
from pathlib import Path
import blurb_tune as bt
from tests.report.sweeps import small_sweep

assert "matplotlib.pyplot" not in sys.modules
bt.Sweep(Path("x"), small_sweep().record).plot("seeds")
"""


class Kernel:
    def __init__(self, client: Any):
        self._client = client

    def run(self, code: str) -> list[dict[str, Any]]:
        """What a cell puts out, as messages of Jupyter's protocol. Fails where the cell does."""
        found: list[dict[str, Any]] = []
        reply = self._client.execute_interactive(code, output_hook=found.append, timeout=60)
        assert reply["content"]["status"] == "ok", "\n".join(reply["content"].get("traceback", []))
        return [message for message in found if message["msg_type"] not in ("status", "execute_input")]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    require(importlib.util.find_spec("ipykernel") is not None, "ipykernel")
    from jupyter_client.manager import start_new_kernel

    home = str(tmp_path_factory.mktemp("jupyter"))
    places = {"PYTHONPATH": str(ROOT), "IPYTHONDIR": home, "JUPYTER_RUNTIME_DIR": home, "JUPYTER_CONFIG_DIR": home}
    manager, client = start_new_kernel(env=os.environ | places)
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_a_python_process_is_no_notebook() -> None:
    assert not in_notebook()


@pytest.mark.slow
def test_one_output_is_renewed_from_any_thread(kernel: Kernel) -> None:
    messages = kernel.run(VIEW)
    shown = [message for message in messages if message["msg_type"] in ("display_data", "update_display_data")]
    assert [message["msg_type"] for message in shown].count("display_data") == 1
    assert shown[0]["msg_type"] == "display_data"
    assert len({message["content"]["transient"]["display_id"] for message in shown}) == 1
    assert len(shown) < 6, "not one for each of the events, which come faster than anybody reads"
    first, last = shown[0]["content"]["data"], shown[-1]["content"]["data"]
    assert first["text/html"].startswith("<div>a &lt;b&gt; sweep")
    assert any("starting Ray" in message["content"]["data"]["text/plain"] for message in shown)
    assert "toy: biosses; [11/12] 1 running" in last["text/plain"]
    assert "best so far: c0, vanilla, " in last["text/plain"]
    assert '<progress value="' in last["text/html"]
    assert [message["content"]["text"] for message in messages if message["msg_type"] == "stream"] == ["this stays\n"]


@pytest.mark.slow
def test_a_figure_is_shown_without_pyplot(kernel: Kernel) -> None:
    (result,) = (message for message in kernel.run(FIGURE) if message["msg_type"] == "execute_result")
    picture = pixels(base64.b64decode(result["content"]["data"]["image/png"]))
    assert picture.shape[1] == 720
    assert len(set(map(tuple, picture.reshape(-1, 3)))) > 20
