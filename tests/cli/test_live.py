"""What is seen while a sweep runs, at every point of any sweep."""

from __future__ import annotations

import io
import itertools
import re
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from rich.cells import cell_len
from rich.console import Console

from blurb_tune.cli.live import LiveView, open_view
from blurb_tune.cli.plain_lines import PlainLines
from blurb_tune.cli.view import View
from blurb_tune.core.numbers import duration
from blurb_tune.core.pulse import Pulse
from blurb_tune.core.trial import Outcome
from blurb_tune.log.record import SweepRecord
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
    view = LiveView(console, "toy", clock=Clock(sweep, seconds))
    for event in sweep.events:
        view.on_event(event)
    return drawn(view, console)


class Clock:
    """At first the sweep's beginning, for the view begins with it; then some seconds after its last event."""

    def __init__(self, sweep: SweepWriter, seconds: float = 0.0):
        self._times = itertools.chain([START], itertools.repeat(sweep.now + seconds))

    def __call__(self) -> float:
        return next(self._times)


def plain_lines(sweep: SweepWriter) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    with console.capture() as capture, PlainLines(console) as view:
        for event in sweep.events:
            view.on_event(event)
    return capture.get().splitlines()


def test_from_the_first_moment_it_says_what_is_done_and_how_long_that_took() -> None:
    console, now = terminal(), START
    view = LiveView(console, "toy", clock=lambda: now)
    assert drawn(view, console) == ["toy", "  starting ..."]
    view.on_phase("checking the spec")
    now += 3.0
    view.begin("toy: biosses, minilm", Path("runs/toy-ab12cd"), SweepRecord())
    view.on_phase("starting Ray")
    now += 65.0
    lines = [line.rstrip() for line in drawn(view, console)]
    assert lines == ["toy: biosses, minilm", "runs/toy-ab12cd/", "  checking the spec: 3.0 s", "  starting Ray ... 1 min 05 s"]


def test_the_time_that_starting_takes_counts_as_elapsed() -> None:
    sweep, console = SweepWriter(configurations=1), terminal()
    now = sweep.now - 20.0
    view = LiveView(console, "toy", clock=lambda: now)
    sweep.configuration("c0")
    sweep.start("c0", 0)
    for event in sweep.events:
        view.on_event(event)
    now = sweep.now
    assert "20 s elapsed" in "\n".join(drawn(view, console))


def test_a_frame_in_full() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=3, slots=1)
    sweep.configuration("c0", epochs=2)
    sweep.trial("c0", 0, [0.1, 0.2])
    sweep.trial("c0", 1, [0.3, 0.4])
    sweep.configuration("c1", epochs=2, freeze_depth=4, learning_rate=2e-5)
    sweep.trial("c1", 0, [-0.1], Outcome.PRUNED_UNSTABLE, rule="stuck")
    sweep.measure(sweep.start("c1", 1), 1, 0.5)
    lines = [line.rstrip() for line in after(sweep, seconds=6.0)]
    assert lines[:2] == ["toy: biosses, minilm, pearson on dev", "ab12cd"]
    # Trials took 5.75, 5.75 and 3.25 s, the one at work takes 5.25 s or is about to end, and two are to come. Of 6 trials
    # with 2 epochs each three have ended, the stopped one among them, and one is half through.
    assert re.fullmatch(r"\S+ +7/12 epochs, 25 s elapsed, about 10 s left", lines[2])
    assert lines[3:] == [
        "3/6 trials ended, 1 running: 2 completed, 1 failed",
        "best so far: c0, vanilla, lr 5e-5: 0.300 ± 0.141, n 2",
        "",
        "strategy    mean ± std n failed objective vs vanilla",
        "vanilla  0.300 ± 0.141 2    0/2     0.159          -",
        "freeze 4        -0.100 1    1/1    -0.100     -0.400",
        "",
        "running               seed epoch train loss dev score",
        "c1, freeze 4, lr 2e-5    1 1.0/2    ▅ 1.000   ▅ 0.500",
    ]


def running_row(pulses: list[Pulse], *, seconds: float = 0.0, epochs: int = 10) -> str:
    """What is shown of a trial that was measured at epochs 1 to 3 of 10, and then said something of itself."""
    sweep, console = SweepWriter(seeds=(0,), configurations=1), terminal()
    sweep.configuration("c0", epochs=epochs)
    trial = sweep.start("c0", 0, attempt=2)
    for epoch, value in enumerate((0.1, 0.3, 0.2), start=1):
        sweep.measure(trial, epoch, value)
    now = sweep.now
    view = LiveView(console, "toy", clock=lambda: now)
    for event in sweep.events:
        view.on_event(event)
    view.on_pulses(pulses)
    now += seconds
    return drawn(view, console)[-1].rstrip()


def test_a_running_trial_shows_its_curves_and_the_step_it_is_at() -> None:
    assert running_row([]) == "c0, vanilla    0 3.0/10  ▅▅▅ 1.000 ▁█▅ 0.200"
    assert running_row([Pulse("c0-s0", 2, "training", 37, 100)]) == "c0, vanilla    0 3.7/10  ▅▅▅ 1.000 ▁█▅ 0.200"
    assert "3.0/10" in running_row([Pulse("c0-s0", 1, "training", 90, 100)]), "what an earlier attempt said is no news"
    assert "3.0/10" in running_row([Pulse("c9-s0", 1, "training", 90, 100)]), "nor what another sweep's trial said"


def test_what_is_old_is_not_shown_as_new() -> None:
    pulse = Pulse("c0-s0", 2, "training", 37, 100)
    assert "3.7/10" in running_row([pulse], seconds=19.0)
    assert "silent 30 s" in running_row([pulse], seconds=30.0)
    assert "3.0/10" in running_row([], seconds=1000.0), "nobody says anything where there are no pulses"


def test_a_trial_says_that_it_starts_and_loads() -> None:
    sweep, console = SweepWriter(seeds=(0, 1), configurations=1), terminal()
    sweep.configuration("c0")
    for seed in (0, 1):
        sweep.start("c0", seed)
    view = LiveView(console, "toy", clock=Clock(sweep))
    for event in sweep.events:
        view.on_event(event)
    view.on_pulses([Pulse("c0-s1", 1, "loading the model")])
    assert [line.split()[3] for line in drawn(view, console)[-2:]] == ["starting", "loading"]


def test_what_trials_wait_for_is_seen_as_long_as_they_do() -> None:
    console, sweep = terminal(), small_sweep()
    view = LiveView(console, "toy", clock=Clock(sweep))
    for event in sweep.events:
        view.on_event(event)
    view.on_waiting("2 trials wait for GPU (0 of 4 free)")
    assert "2 trials wait for GPU (0 of 4 free)" in "\n".join(drawn(view, console))
    view.on_waiting("")
    assert "wait for" not in "\n".join(drawn(view, console))


def test_a_configuration_of_which_every_run_failed_is_never_the_best() -> None:
    sweep = SweepWriter(seeds=(0, 1), configurations=2)
    sweep.configuration("c0")
    for seed in (0, 1):
        sweep.trial("c0", seed, [0.5], Outcome.COLLAPSED)
    assert after(sweep)[4].rstrip() == "best so far: none; of the first, c0, 2 of 2 runs failed"
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True, color_system="standard")
    view = LiveView(console, "toy", clock=Clock(sweep))
    for event in sweep.events:
        view.on_event(event)
    assert "\x1b[32m" not in "\n".join(drawn(view, console)), "nothing is green"
    sweep.configuration("c1", freeze_depth=2)
    sweep.trial("c1", 0, [0.6])
    for event in sweep.events[-4:]:
        view.on_event(event)
    assert "\x1b[32mbest so far: c1, freeze 2" not in "\n".join(drawn(view, console)), "c0 has all its seeds"
    sweep.trial("c1", 1, [0.6])
    for event in sweep.events[-3:]:
        view.on_event(event)
    assert "\x1b[32mbest so far: c1, freeze 2: 0.600 ± 0.000, n 2" in "\n".join(drawn(view, console))


def test_an_unknown_plan_has_no_bar_and_no_estimate() -> None:
    sweep = SweepWriter(configurations=None)
    sweep.configuration("c0")
    sweep.trial("c0", 0, [0.1])
    assert after(sweep)[2].rstrip() == "1 trial done, 3 s elapsed"


def test_rows_that_do_not_fit_are_counted() -> None:
    sweep = SweepWriter(seeds=range(30), configurations=1, slots=30, name="x" * 80, models={"y" * 80: 6})
    sweep.configuration("c0")
    for seed in range(30):
        sweep.start("c0", seed)
    lines = after(sweep)
    assert len(lines) == 23
    assert lines[-1].rstrip() == "and 15 more"
    assert sum(line.startswith("c0, vanilla") for line in lines) == 15
    assert sum(line.startswith("c0, vanilla") for line in after(sweep, height=60)) == 30


def test_long_names_are_cut_and_numbers_are_not() -> None:
    sweep = SweepWriter(seeds=(0, 1, 123456), configurations=1)
    sweep.configuration("c0000", freeze_depth=12, decay_rate=0.7312, reinit_count=12, epochs=200)
    sweep.trial("c0000", 0, [-0.9])
    sweep.trial("c0000", 1, [-0.8])
    sweep.measure(sweep.start("c0000", 123456), 200, -0.8)
    lines = [line.rstrip() for line in after(sweep)]
    assert lines[7] == "freeze 12 + decay 0.7312 + reini… -0.850 ± 0.071 2    0/2    -0.921          -"
    assert lines[10] == "c0000, freeze 12 + decay 0.… 123456 200.0/200    ▅ 1.000  ▅ -0.800"


def test_several_models_are_told_apart_and_each_compared_with_its_own_vanilla() -> None:
    lines = [line.rstrip() for line in after(model_sweep())]
    assert lines[0] == "toy: biosses, base, large, pearson on dev"
    assert lines[4] == "best so far: c1, large: vanilla: 0.700 ± 0.141, n 2"
    assert [line.split()[-1] for line in lines[7:11]] == ["-", "-", "+0.300", "-0.300"]
    assert any("c2 seed 0 (base: freeze 4): completed" in line for line in plain_lines(model_sweep()))


def test_the_view_follows_a_resumed_sweep_with_its_history_and_its_time() -> None:
    sweep = small_sweep()
    history, worked = sweep.record, sweep.now - START
    sweep.now += 3600.0
    now = sweep.now - 10.0
    seen = len(sweep.events)
    sweep.resume()
    console = terminal()
    view = LiveView(console, "toy", clock=lambda: now)
    view.begin("toy", Path("runs/toy"), history)
    view.on_event(sweep.events[seen])
    now = sweep.now
    lines = drawn(view, console)
    assert lines[1].rstrip() == "runs/toy/"
    # The time of both drivers, without the hour between them; this one's with the ten seconds before its first event.
    assert f"{duration(int(worked - 0.25 + 10.25))} elapsed" in lines[2]
    assert lines[3].startswith("11/12 trials ended, 0 running: 5 completed, 4 failed, 1 cut short, 1 errored")


def test_a_running_live_view_draws_what_other_threads_tell_it_and_vanishes() -> None:
    sweep = large_sweep(20, 5)
    console = terminal()
    with LiveView(console, "toy") as view:
        teller = threading.Thread(target=lambda: [view.on_event(event) for event in sweep.events])
        teller.start()
        deadline = time.monotonic() + 10
        while b"100/100 trials ended" not in console.file.buffer.getvalue() and time.monotonic() < deadline:  # type: ignore[attr-defined]
            time.sleep(0.05)
        teller.join()
        assert threading.active_count() > 1
    output = console.file.buffer.getvalue().decode()  # type: ignore[attr-defined]
    assert "100/100 trials" in output
    assert output.endswith("\x1b[1A\x1b[2K"), "the last thing is to wipe out the frame"


def test_a_frame_that_does_not_differ_is_not_drawn_again() -> None:
    console, sweep = terminal(), small_sweep()
    written = console.file.buffer  # type: ignore[attr-defined]
    with LiveView(console, "toy", clock=Clock(sweep)) as view:
        for event in sweep.events:
            view.on_event(event)
        time.sleep(1.2)
        before = len(written.getvalue())
        time.sleep(1.2)
        assert len(written.getvalue()) == before
        view.on_waiting("news")
        time.sleep(1.2)
        assert len(written.getvalue()) > before


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
    assert told[0][9:] == "[0/2] 1 running, 0 finished (0 pruned, 0 failed), 0 errored, 11/200 epochs, about 8 min left"


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
        view = PlainLines(console)
        view.begin("toy", Path("runs/toy"), history)
        view.on_event(sweep.events[seen])
    first, second = (line[9:] + "\n" for line in capture.get().splitlines())
    assert first == "toy, in runs/toy/\n"
    assert second == "sweep toy resumed with 11 done: biosses, minilm, 12 trials, 1 slot\n"


def test_plain_lines_say_what_is_done_before_the_first_result() -> None:
    sweep = SweepWriter(seeds=(0,), configurations=1)
    sweep.configuration("c0")
    sweep.start("c0", 0)
    console = Console(file=io.StringIO(), width=80)
    now = sweep.now
    with console.capture() as capture, PlainLines(console, clock=lambda: now) as view:
        view.on_phase("starting Ray")
        for event in sweep.events:
            view.on_event(event)
        for pulse in ("loading the model", "loading the model", "training", "evaluating", "training"):
            view.on_pulses([Pulse("c0-s0", 1, pulse, 7, 100)])
        now += 30.0
        view.on_pulses([Pulse("c0-s0", 1, "training", 20, 100)])
    lines = [line[9:] for line in capture.get().splitlines()]
    assert lines[0] == "starting Ray"
    assert lines[2:] == [
        "the first trials: loading the model",
        "the first trials: training",
        "[0/1] 1 running, 0 finished (0 pruned, 0 failed), 0 errored, 4/20 epochs",
    ]


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
    assert type(open_view(console, "toy")) is kind
    assert type(open_view(console, "toy", quiet=True)) is View


def test_quiet_is_silent() -> None:
    console = Console(file=io.StringIO(), force_terminal=True)
    with open_view(console, "toy", quiet=True) as view:
        for event in small_sweep().events:
            view.on_event(event)
    assert console.file.getvalue() == ""  # type: ignore[attr-defined]


@settings(max_examples=60, deadline=None)
@given(sweeps())
def test_every_prefix_of_every_sweep_fits_80_by_24(sweep: SweepWriter) -> None:
    console = terminal()
    now = START
    view = LiveView(console, "toy", clock=lambda: now + 1.5)
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
