"""What is seen while a sweep runs, at every point of any sweep."""

from __future__ import annotations

import io
import re
import threading
import time

import pytest
from hypothesis import given, settings
from rich.cells import cell_len
from rich.console import Console

from blurb_tune.cli.live import LiveView, NoView, PlainLines, open_view
from blurb_tune.core.trial import Outcome
from tests.report.sweeps import START, SweepWriter, large_sweep, model_sweep, small_sweep, sweeps


def terminal(width: int = 80, height: int = 24) -> Console:
    file = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    return Console(file=file, width=width, height=height, force_terminal=True, color_system=None, legacy_windows=False)


def drawn(view: LiveView, console: Console) -> list[str]:
    with console.capture() as capture:
        console.print(view.draw())
    return capture.get().splitlines()


def after(sweep: SweepWriter, *, seconds: float = 0.0, width: int = 80, height: int = 24) -> list[str]:
    """What is seen some seconds after the sweep's last event."""
    console = terminal(width, height)
    view = LiveView(console, clock=lambda: sweep.now + seconds)
    for event in sweep.events:
        view.on_event(event)
    return drawn(view, console)


def plain_lines(sweep: SweepWriter) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture, PlainLines(console) as view:
        for event in sweep.events:
            view.on_event(event)
    return capture.get().splitlines()


def test_before_the_first_event() -> None:
    console = terminal()
    assert drawn(LiveView(console), console) == ["starting the sweep"]


def test_a_frame_in_full() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=3, slots=1)
    sweep.configuration("c0", epochs=2)
    sweep.trial("c0", 0, [0.1, 0.2])
    sweep.trial("c0", 1, [0.3, 0.4])
    sweep.configuration("c1", epochs=2, freeze_depth=4)
    sweep.trial("c1", 0, [-0.1], Outcome.PRUNED_UNSTABLE, rule="stuck")
    sweep.measure(sweep.start("c1", 1), 1, 0.5)
    lines = [line.rstrip() for line in after(sweep, seconds=6.0)]
    assert lines[0] == "toy: biosses, minilm, pearson on dev"
    # Trials took 5.75, 5.75 and 3.25 s, the one at work takes 5.25 s or is about to end, and two are to come.
    assert re.fullmatch(r"\S+ +3/6 trials, 25 s elapsed, about 10 s left", lines[1])
    assert lines[2:] == [
        "1 running, 3 finished (of these 1 pruned, 1 failed), 0 errored",
        "best so far: c0, vanilla: 0.300 ± 0.141, n 2",
        "",
        "strategy    mean ± std n failed objective vs vanilla",
        "vanilla  0.300 ± 0.141 2    0/2     0.159          -",
        "freeze 4        -0.100 1    1/1    -0.100     -0.400",
        "",
        "running      seed step epoch last score",
        "c1, freeze 4    1   10   1/2      0.500",
    ]


def test_an_unknown_plan_has_no_bar_and_no_estimate() -> None:
    sweep = SweepWriter(configurations=None)
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.1])
    assert after(sweep)[1].rstrip() == "1 trials done, 3.5 s elapsed"


def test_rows_that_do_not_fit_are_counted() -> None:
    sweep = SweepWriter(seeds=range(30), configurations=1, slots=30, name="x" * 80, models={"y" * 80: 6})
    sweep.configuration("c0")
    for seed in range(30):
        sweep.start("c0", seed)
    lines = after(sweep)
    assert len(lines) == 23
    assert lines[-1].rstrip() == "and 17 more"
    assert sum(line.startswith("c0, vanilla") for line in lines) == 13
    assert sum(line.startswith("c0, vanilla") for line in after(sweep, height=60)) == 30


def test_long_names_are_cut_and_numbers_are_not() -> None:
    sweep = SweepWriter(seeds=(0, 1, 123456), configurations=1)
    sweep.configuration("c0000", freeze_depth=12, decay_rate=0.7312, reinit_count=12, epochs=200)
    sweep.trial("c0000", 0, [-0.9])
    sweep.trial("c0000", 1, [-0.8])
    sweep.measure(sweep.start("c0000", 123456), 200, -0.8)
    lines = [line.rstrip() for line in after(sweep)]
    assert lines[6] == "freeze 12 + decay 0.7312 + reini… -0.850 ± 0.071 2    0/2    -0.921          -"
    assert lines[9] == "c0000, freeze 12 + decay 0.7312 + reinit 12 123456 2000 200/200     -0.800"


def test_several_models_are_told_apart_and_each_compared_with_its_own_vanilla() -> None:
    lines = [line.rstrip() for line in after(model_sweep())]
    assert lines[0] == "toy: biosses, base, large, pearson on dev"
    assert lines[3] == "best so far: c1, large: vanilla: 0.700 ± 0.141, n 2"
    assert [line.split()[-1] for line in lines[6:10]] == ["-", "-", "+0.300", "-0.300"]
    assert any("c2 seed 0 (base: freeze 4): completed" in line for line in plain_lines(model_sweep()))


def test_the_view_follows_a_resumed_sweep_with_its_history() -> None:
    sweep = small_sweep()
    history = sweep.record
    seen = len(sweep.events)
    sweep.resume()
    console = terminal()
    view = LiveView(console, history, clock=lambda: sweep.now)
    view.on_event(sweep.events[seen])
    lines = drawn(view, console)
    assert "11/12 trials, 0.0 s elapsed" in lines[1]
    assert lines[2].startswith("0 running, 10 finished")


def test_a_running_live_view_draws_what_other_threads_tell_it_and_vanishes() -> None:
    sweep = large_sweep(20, 5)
    console = terminal()
    with LiveView(console) as view:
        teller = threading.Thread(target=lambda: [view.on_event(event) for event in sweep.events])
        teller.start()
        deadline = time.monotonic() + 10
        while b"100/100 trials" not in console.file.buffer.getvalue() and time.monotonic() < deadline:  # type: ignore[attr-defined]
            time.sleep(0.05)
        teller.join()
        assert threading.active_count() > 1
    output = console.file.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "100/100 trials" in output
    assert output.endswith("\x1b[1A\x1b[2K"), "the last thing is to wipe out the frame"


def test_plain_lines() -> None:
    lines = plain_lines(small_sweep())
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
    texts = [line[9:] for line in lines]
    assert texts[0] == "sweep toy started: biosses, minilm, 12 trials, 2 slots"
    assert texts[1] == "[1/12] c0 seed 0 (vanilla): completed, pearson 0.100 at epoch 4 of 4"
    assert "[4/12] c0 seed 3 (vanilla): pruned_unstable, pearson - at epoch 2 of 4: stuck says so" in texts
    assert "[5/12] c1 seed 1 (freeze 2 + reinit 1): errored, to be tried again: OSError: gone" in texts
    assert '[10/12] c2 seed 1 (decay 0.8): errored, pearson - at epoch 0 of 2: ValueError: a, "b"' in texts
    numbers = "mean 0.050, std 0.208, n 4, failed 2/4, mean_minus_std -0.158"
    assert f"configuration c0 (vanilla): {numbers}" in texts
    ends = [t for t in texts if re.match(r"\[\d+/12\] c\d", t)]
    assert len(ends) == 12


def test_a_progress_line_every_half_minute_of_silence_or_work() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=1, slots=1)
    sweep.configuration("c0", epochs=100)
    trial = sweep.start("c0", 0)
    for epoch in range(1, 51):
        sweep.measure(trial, epoch, 0.1)
    told = [line for line in plain_lines(sweep) if "running" in line]
    assert len(told) == int(50 * 2.75 // 30)
    # At the 11th measurement: 30.25 s of the trial are gone, 89 epochs of 2.5 s are left, and another such trial: 475 s.
    assert told[0][9:] == "[0/2] 1 running, 0 finished (0 pruned, 0 failed), 0 errored, about 8 min left"


def test_plain_lines_are_not_wrapped_and_hold_no_markup() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1, models={"[bold]x[/]": 6})
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.1], Outcome.PRUNED_UNSTABLE, rule="stuck", reason="a reason [red] " + "that is long " * 20)
    lines = plain_lines(sweep)
    assert len(lines) == 2
    assert "biosses, [bold]x[/], 1 trial, 2 slots" in lines[0]
    assert "a reason [red] that is long" in lines[1]


def test_a_resumed_sweep_is_announced_as_such() -> None:
    sweep = small_sweep()
    history, seen = sweep.record, len(sweep.events)
    sweep.resume(slots=1)
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture:
        PlainLines(console, history).on_event(sweep.events[seen])
    assert capture.get()[9:] == "sweep toy resumed with 11 done: biosses, minilm, 12 trials, 1 slot\n"


@pytest.mark.parametrize(
    ("console", "kind"),
    [
        (terminal(), LiveView),
        (Console(file=io.StringIO()), PlainLines),
        (Console(file=io.TextIOWrapper(io.BytesIO(), encoding="latin-1"), force_terminal=True), PlainLines),
        (Console(file=io.StringIO(), force_terminal=True, force_interactive=False), PlainLines),
    ],
)
def test_the_view_fits_the_console(console: Console, kind: type) -> None:
    assert type(open_view(console)) is kind
    assert type(open_view(console, quiet=True)) is NoView


def test_quiet_is_silent() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with open_view(console, quiet=True) as view:
        for event in small_sweep().events:
            view.on_event(event)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(sweeps())
def test_every_prefix_of_every_sweep_fits_80_by_24(sweep: SweepWriter) -> None:
    console = terminal()
    now = START
    view = LiveView(console, clock=lambda: now + 1.5)
    for event in sweep.events:
        now = event.time
        view.on_event(event)
        lines = drawn(view, console)
        assert len(lines) <= 23
        assert max(cell_len(line) for line in lines) <= 80


@settings(max_examples=40, deadline=None)
@given(sweeps())
def test_every_sweep_can_be_told_in_plain_lines(sweep: SweepWriter) -> None:
    lines = plain_lines(sweep)
    ends = sum(type(event).__name__ == "TrialEnded" for event in sweep.events)
    assert sum(bool(re.search(r" seed \d+ \(.*\): ", line)) for line in lines) == ends
