from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import yaml

from blurb_tune.core.errors import InputError
from blurb_tune.core.trial import Strategy
from blurb_tune.spec import load_spec

MINIMAL = "task: demo\nmodel: tiny\n"


def write(tmp_path: Path, text: str, name: str = "sweep.yaml") -> Path:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


def problems(tmp_path: Path, text: str, overrides: list[str] | None = None) -> list[str]:
    """The problems of a spec, as `line: what`; an override's place stands for its line."""
    found = load_spec(write(tmp_path, text), overrides or []).problems
    return [f"{p.where.removeprefix(f'{tmp_path}/sweep.yaml:')}: {p.what}" for p in found]


def test_a_minimal_spec_is_filled_with_defaults(tmp_path: Path) -> None:
    spec = load_spec(write(tmp_path, MINIMAL, "my-sweep.yaml")).valid()
    assert (spec.name, spec.seeds, spec.search.sampler) == ("my-sweep", [0, 1, 2, 3, 4], "tpe")


def test_numbers_and_words_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    """`no` is a label like others, and a rate may be written as everybody writes it."""
    task = "{train: t.csv, text: a, label: b, kind: classification, labels: [no, yes, 1e3x]}"
    text = f"task: {task}\nmodel: tiny\nspace: {{learning_rate: [1e-5, 3E-5, .5e-3], weight_decay: {{low: 0, high: 1e-1}}}}\n"
    spec = load_spec(write(tmp_path, text), ["space.max_grad_norm=1e1"]).valid()
    assert spec.space.learning_rate.choice == [1e-5, 3e-5, 5e-4]
    assert (spec.space.weight_decay.high, spec.space.max_grad_norm) == (0.1, 10.0)
    assert spec.task.labels == ["no", "yes", "1e3x"]


def test_a_resolved_spec_reads_back_as_itself(tmp_path: Path) -> None:
    text = MINIMAL + "space: {strategy: [vanilla, {freeze_depth: 2}], learning_rate: {low: 1.0e-5, high: 1.0e-4, log: true}}\n"
    spec = load_spec(write(tmp_path, text)).valid()
    dumped = yaml.safe_dump(spec.model_dump(mode="json"))
    assert load_spec(write(tmp_path, dumped, "again.yaml")).valid() == spec


def test_short_forms(tmp_path: Path) -> None:
    text = (
        MINIMAL
        + "seeds: 2\nspace: {batch_size: [8, 16], strategy: [vanilla]}\npruning: {pruner: hyperband, instability: false}\n"
    )
    spec = load_spec(write(tmp_path, text)).valid()
    assert spec.seeds == [0, 1]
    assert spec.space.batch_size.choice == [8, 16]
    assert [s.strategy for s in spec.space.strategy or []] == [Strategy()]
    assert (spec.pruning.pruner.kind, spec.pruning.instability.enabled) == ("hyperband", False)


FAULTS = {
    "learing_rate: 0.1": "3: unknown key 'learing_rate'",
    "space: {learing_rate: 0.1}": "3: unknown key 'space.learing_rate'; did you mean 'learning_rate'?",
    "space: {learning_rate: {low: 0.1, high: 0.2, lg: true}}": "3: unknown key 'space.learning_rate.lg'; did you mean 'log'?",
    "space: {strategy: [{freze_depth: 1}]}": "unknown key 'space.strategy[0].freze_depth'; did you mean 'freeze_depth'?",
    "seeds: 3\nseeds: 4": "4: duplicate key 'seeds'; it stands on line 3 already",
    "space: {learning_rate: '1e-5'}": "space.learning_rate: expected a number, but got '1e-5'",
    "space: {learning_rate: [3e-5, 1_000.0]}": "space.learning_rate[1]: expected a number, but got '1_000.0'",
    "final_test: no": "3: final_test: expected true or false, but got 'no'",
    "seeds: many": "3: seeds: expected how many seeds, or a list of them, but got 'many'",
    "seeds: 2.5": "3: seeds: expected how many seeds, or a list of them, but got 2.5",
    "training: {eval_every: never}": "training.eval_every: expected `epoch` or a number of steps, 1 or more, but got 'never'",
    "training: {eval_every: 0}": "training.eval_every: expected `epoch` or a number of steps, 1 or more, but got 0",
    "seeds: [1, 2, 1]": "seeds must differ, but 1 stands more than once",
    "seeds: 0": "expected at least one seed, but got 0",
    "name: a/b": "3: name: a name becomes a folder's name",
    "name: .hidden": "3: name: a name becomes a folder's name",
    "space: {epochs: {low: 5, high: 5}}": "`low < high` must hold, but got (low=5, high=5)",
    "space: {epochs: 2.5}": "space.epochs: expected a whole number, but got 2.5",
    "space: {epochs: 3.0}": "3: space.epochs: expected a whole number, but got 3.0; write 3",
    "space: {batch_size: [8, 1e3]}": "3: space.batch_size[1]: expected a whole number, but got 1000.0; write 1000",
    "space: {epochs: 1e300}": "3: space.epochs: expected a whole number, but got 1e+300",
    "space: {epochs: {low: 1, high: 1e1}}": "space.epochs.high: expected a whole number, but got 10.0; write 10",
    "space: {learning_rate: {min: 1e-5, max: 1e-3}}": "expected a value, a choice `[a, b]`, or a range `{low: a, high: b}`",
    "space: {batch_size: {values: [8, 16]}}": "3: space.batch_size: expected a value, a choice `[a, b]`, or a range",
    "space: {epochs: {}}": "3: space.epochs: expected a value, a choice `[a, b]`, or a range `{low: a, high: b}`",
    "space: {learning_rate: 'tune.loguniform(1e-5, 1e-3)'}": "expected a number, but got 'tune.loguniform(1e-5, 1e-3)'",
    "space: {learning_rate: {low: 0, high: 1e-4, log: true}}": "space.learning_rate.low: must be greater than 0, but got 0",
    "space: {strategy: [vanilla, {freeze_depth: {low: 1, high: 3}}]}": "leave `strategy` out and search `space.freeze_depth`",
    "space: {strategy: [{reinit_count: [1, 2]}]}": "expected a whole number, but got [1, 2]; a strategy has one value",
    "space: {strategy: [{reinit_count: 1, epochs: 4}]}": "'space.strategy[0].epochs'; did you mean 'space.epochs'?",
    "epochs: 3": "3: unknown key 'epochs'; did you mean 'space.epochs'?",
    "search: {seeds: 3}": "3: unknown key 'search.seeds'; did you mean 'seeds'?",
    "space: {epochs: true}": "space.epochs: expected a whole number, but got True",
    "space: {decay_rate: 1.5}": "space.decay_rate: must be less than or equal to 1, but got 1.5",
    "space: {decay_rate: [0.9, 0.9]}": "the values of a choice must differ, but 0.9 stands twice",
    "space: {batch_size: []}": "space.batch_size: expected at least one item",
    "space: {learning_rate: {low: 0.1, high: 0.2, log: true, step: 0.1}}": "a range has `log` or `step`, not both",
    "space: {strategy: [vanilla], freeze_depth: 2}": "give `strategy` or freeze_depth, not both",
    "space: {strategy: [vanilla, {}]}": "the strategies of a list must differ, but 'vanilla' stands twice",
    "space: {strategy: [{decay_rate: 0.80001}, {decay_rate: 0.80002}]}": "must differ, but 'decay 0.8' stands twice",
    "space: {bias_correction: {low: 0, high: 1}}": "space.bias_correction: expected a value or a choice `[a, b]`, but got",
    "space: {epochs: {choice: [1, 2], chance: 1}}": "3: unknown key 'space.epochs.chance'",
    "seeds: [1, a]": "3: seeds[1]: expected a whole number, but got 'a'",
    "final_test: never": "3: final_test: expected true or false, but got 'never'",
    "storage: 5": "3: storage: expected text, but got 5",
    "training: {gradient_checkpointing: 1}": "3: training.gradient_checkpointing: expected true or false, but got 1",
    "space: {bias_correction: yes please}": "expected true or false, but got 'yes please'",
    "objective: mean_minus_sd": "objective: unknown objective 'mean_minus_sd'; did you mean 'mean_minus_std'?",
    "pruning: {pruner: medan}": "unknown pruner 'medan'; did you mean 'median'?",
    "pruning: {pruner: {kind: median, patience: 2}}": "unknown key 'pruning.pruner.patience'",
    "resources: {gpus: 1.5}": "more than one GPU per trial must be a whole number",
    "training: {cuda_graphs: true, prefix_gpu_gb: 4}": "`training.cuda_graphs` has no effect without `resources.gpus`; "
    "`training.prefix_gpu_gb` has no effect",
    "training: {cuda_graphs: true, gradient_checkpointing: true}": "cannot be had with `gradient_checkpointing`",
    "resources: {gpus: .inf}": "expected a finite number, but got inf",
    "cluster: ray://head:10001": "3: cluster: expected host:port of a cluster's head, such as head:6379, or `auto`, but got",
    "cluster: http://head:8265": "submit --address http://HEAD:8265` sends a sweep there",
    "cluster: head": "expected host:port of a cluster's head, such as head:6379, or `auto`, but got 'head'; from a machine",
    "cluster: 'head:'": "expected host:port of a cluster's head",
    "cluster: head:65536": "expected host:port of a cluster's head",
    "cluster: 6379": "3: cluster: expected text, but got 6379",
    "training: 5": "3: training: expected a mapping, but got 5",
}


MODEL_FAULTS = {
    "model: ''": "2: model: expected text that is not empty, but got ''",
    "model: 3": "2: model: expected text, but got 3",
    "model: []": "2: model: expected at least one item",
    "model: [tiny, '']": "2: model[1]: expected text that is not empty",
    "model: [tiny, 5]": "2: model[1]: expected text, but got 5",
    "model:\n- tiny\n- [minilm]": "4: model[1]: expected text, but got ['minilm']",
    "model: {choice: [tiny, 5]}": "2: model.choice[1]: expected text, but got 5",
    "model: [tiny, minilm, tiny]": "2: model: the values of a choice must differ, but 'tiny' stands twice",
    "model: {low: tiny, high: minilm}": "2: model: expected a value or a choice `[a, b]`, but got {'low': 'tiny'",
    "model: {choice: [tiny], chance: 1}": "2: unknown key 'model.chance'",
}


@pytest.mark.parametrize(("text", "expected"), MODEL_FAULTS.items(), ids=list(MODEL_FAULTS))
def test_a_fault_of_the_model_is_told_with_place_and_remedy(tmp_path: Path, text: str, expected: str) -> None:
    found = problems(tmp_path, f"task: demo\n{text}\n")
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("text", "models"),
    [("tiny", ["tiny"]), ("[minilm, tiny]", ["minilm", "tiny"]), ("{choice: [minilm, tiny]}", ["minilm", "tiny"])],
)
def test_the_model_is_a_value_or_a_choice(tmp_path: Path, text: str, models: list[str]) -> None:
    spec = load_spec(write(tmp_path, f"task: demo\nmodel: {text}\n")).valid()
    assert list(spec.models) == models
    dumped = yaml.safe_dump(spec.model_dump(mode="json"))
    assert load_spec(write(tmp_path, dumped, "again.yaml")).valid() == spec


def test_several_faulty_items_of_one_list_are_told_together(tmp_path: Path) -> None:
    found = problems(tmp_path, "task: demo\nmodel: [5, '']\nseeds: [a, 0, b]\n")
    assert [p.split(": ")[1] for p in found] == ["model[0]", "model[1]", "seeds[0]", "seeds[2]"]


@pytest.mark.parametrize(("text", "expected"), FAULTS.items(), ids=list(FAULTS))
def test_each_fault_is_told_with_place_and_remedy(tmp_path: Path, text: str, expected: str) -> None:
    found = problems(tmp_path, MINIMAL + text)
    assert len(found) == 1
    assert expected in found[0]


NUMBERS = {
    f"seeds: {'9' * 400}": "3: seeds: expected a number of at most 63 bits, but got 999",
    f"seeds: {'9' * 5000}": "3: seeds: expected a number of at most 63 bits, but got 999",
    f"seeds: [1, 0x{'f' * 5000}]": "3: seeds[1]: expected a number of at most 63 bits, but got 0xf",
    f"seeds: -{2**63}": f"3: seeds: expected a number of at most 63 bits, but got -{2**63}",
    f"search: {{seed: {2**63}}}": f"3: search.seed: expected a number of at most 63 bits, but got {2**63}",
    f"task: {2**70}": "3: task: expected a number of at most 63 bits",
    f"seeds: {10**12}": "3: seeds: expected at most 10,000 seeds, but got 1000000000000",
    "seeds: 10001": "3: seeds: expected at most 10,000 seeds, but got 10001",
    f"seeds: {list(range(10_001))}": "3: seeds: expected at most 10,000 items, but got 10,001",
    f"space: {{strategy: [{'vanilla, ' * 10_001}]}}": "3: space.strategy: expected at most 10,000 items, but got 10,001",
    f"space: {{epochs: {2**53 + 1}}}": "space.epochs: must be less than or equal to 9007199254740992",
    f"space: {{epochs: {{low: 1, high: {2**62}}}}}": "space.epochs.high: must be less than or equal to 9007199254740992",
    "space: {learning_rate: 1.0e+400}": "3: space.learning_rate: expected a finite number, but got inf",
    "space: {learning_rate: 1e400}": "3: space.learning_rate: expected a finite number, but got inf",
    "space: {learning_rate: {low: 0.1, high: 0.9, step: 1.0e-300}}": "a `step` of 1e-300 is too small to tell the numbers",
    "space: {max_grad_norm: {low: null, high: 1.0}}": "`low` and `high` must be numbers",
    "space: {1: 2}": "3: unknown key 'space.1'",
    "null: 2": "3: unknown key 'null'",
    "resources: {gpus: 5.0e-324}": "3: resources: a share of a GPU is at least 0.0001, but got 5e-324",
    f"model: [{', '.join(f'm{i}' for i in range(101))}]": "3: model: expected at most 100 models, but got 101",
    f"objective: {'x' * 9_000}": "3: objective: unknown objective 'xxx",
}


@pytest.mark.parametrize(("text", "expected"), NUMBERS.items(), ids=[text[:40] for text in NUMBERS])
def test_what_is_beyond_all_sense_is_told_with_place_and_limit(tmp_path: Path, text: str, expected: str) -> None:
    key = text.split(":")[0]
    found = problems(tmp_path, "\n".join([*(line for line in MINIMAL.splitlines() if not line.startswith(key)), text]))
    assert len(found) == 1
    assert expected.removeprefix("3: ") in found[0]
    assert len(found[0]) < 1200


def test_of_very_many_faults_the_first_are_told_and_how_many_more_there_are(tmp_path: Path) -> None:
    seeds = [f"s{index}" for index in range(9_000)]
    rates = [f"'{index + 1}e-5'" for index in range(300)]
    text = f"{MINIMAL}seeds: {seeds}\nspace:\n  learning_rate: [{', '.join(rates)}]\nfinal_test: 5\n"
    with pytest.raises(InputError) as error:
        load_spec(write(tmp_path, text)).valid()
    *first, last = error.value.problems
    assert len(first) == 100
    assert all("expected a whole number, but got 's" in problem.what for problem in first)
    assert last.what == f"{9_000 + 300 + 1 - 100:,} more problems are not listed"


def test_what_anchors_repeat_may_stand_under_a_key_of_its_own(tmp_path: Path) -> None:
    text = MINIMAL + "x-common: &common {epochs: 2, batch_size: 8}\nspace: {<<: *common, learning_rate: 1e-4}\n"
    spec = load_spec(write(tmp_path, text), ["x-more=[1]"]).valid()
    assert (spec.space.epochs, spec.space.batch_size, spec.space.learning_rate) == (2, 8, 1e-4)


def test_an_override_changes_one_of_the_places_that_an_alias_repeats(tmp_path: Path) -> None:
    text = (
        MINIMAL + "x-depth: &depth [{low: 0, high: 6}]\nspace: {freeze_depth: &same {low: 0, high: 6}, reinit_count: *same}\n"
    )
    loaded = load_spec(write(tmp_path, text + "x-more: *depth\n"), ["space.freeze_depth.high=3", "x-more.0.high=2"])
    space = loaded.valid().space
    assert (space.freeze_depth.high, space.reinit_count.high) == (3, 6)
    assert (loaded.source.data["x-more"], loaded.source.data["x-depth"]) == ([{"low": 0, "high": 2}], [{"low": 0, "high": 6}])


def test_sections_that_are_one_by_an_anchor_are_judged_each(tmp_path: Path) -> None:
    text = MINIMAL + "search: &a {seed: 1, epochs: 2}\nspace: *a\n"
    assert [p.split(";")[0] for p in problems(tmp_path, text)] == [
        "3: unknown key 'search.epochs'",
        "3: unknown key 'space.seed'",
    ]


def test_many_seeds_and_strategies_are_read(tmp_path: Path) -> None:
    seeds, rates = list(range(10_000, 0, -1)), [round(0.5 + index / 30_000, 6) for index in range(10_000)]
    strategies = "".join(f"    - {{decay_rate: {rate}, freeze_depth: {index}}}\n" for index, rate in enumerate(rates))
    spec = load_spec(write(tmp_path, f"{MINIMAL}seeds: {seeds}\nspace:\n  strategy:\n{strategies}")).valid()
    assert spec.seeds == seeds
    assert [item.decay_rate for item in spec.space.strategy or []] == rates


@pytest.mark.parametrize("address", ["auto", "head:6379", "10.0.0.1:1", "[::1]:65535"])
def test_addresses_of_a_head(tmp_path: Path, address: str) -> None:
    assert load_spec(write(tmp_path, MINIMAL), [f"cluster='{address}'"]).valid().cluster == address


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    """Every fault that touches a section of its own stands in one answer."""
    texts = ["search: {smpler: tpe}", "name: a/b", "objective: best", "seeds: [1, 1]", "score: last", "resources: {cpus: 0}"]
    for count in range(2, len(texts) + 1):
        for chosen in itertools.combinations(texts, count):
            assert len(problems(tmp_path, MINIMAL + "\n".join(chosen))) == count


def test_missing_task_and_model_are_told_beside_other_faults(tmp_path: Path) -> None:
    assert [p.split(": ", 1)[1] for p in problems(tmp_path, "modl: tiny\nseeds: 0\n")] == [
        "the key 'task' is missing",
        "the key 'model' is missing",
        "unknown key 'modl'; did you mean 'model'?",
        "seeds: expected at least one seed, but got 0",
    ]


def test_overrides_replace_what_the_file_says(tmp_path: Path) -> None:
    text = MINIMAL + "space: {epochs: ten, strategy: [vanilla, {freeze_depth: 2}]}\n"
    overrides = ["space.epochs=3", "seeds=[4, 5]", "space.strategy.1={reinit_count: 1}", "pruning.instability.grace=0.5"]
    spec = load_spec(write(tmp_path, text), overrides).valid()
    assert (spec.space.epochs, spec.seeds, spec.pruning.instability.grace) == (3, [4, 5], 0.5)
    assert [s.reinit_count for s in spec.space.strategy or []] == [0, 1]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seeds", "--set seeds: expected path.to.key=value"),
        ("space.epoch=3", "--set space.epoch=3: unknown key 'space.epoch'; did you mean 'epochs'?"),
        ("space.epochs=many", "--set space.epochs=many: space.epochs: expected a whole number, but got 'many'"),
        ("space.learning_rate='1e-5'", "expected a number, but got '1e-5'"),
        ("space.epochs=2024-13-45", "--set space.epochs=2024-13-45: space.epochs: expected a whole number, but got '2024"),
        ("space.strategy.7=vanilla", "there is no place 'space.strategy[7]' to set"),
        ("space=[", "is not valid YAML"),
        ("space=" + "[" * 100, "nested more than 20 levels deep"),
        ("space=&a [*a]", "*a stands within what it repeats"),
        ("seeds=" + "9" * 400, "seeds: expected a number of at most 63 bits, but got 999"),
        ("space.strategy.²=vanilla", "there is no place 'space.strategy.²' to set"),
        ("space.strategy.99999999999999999999=vanilla", "there is no place 'space.strategy.99999999999999999999' to set"),
        ("space.null=1", "--set space.null=1: unknown key 'space.null'"),
        ("a." * 5_000 + "b=1", "expected a path of at most 20 keys"),
        ("x" * 100_000 + "=1", "unknown key 'xxx"),
        ("name=\udcff", "this is not valid YAML: \\udcff is no character"),
        ("name=\x1b[2J", "this is not valid YAML: control characters are not allowed"),
        ('name="\\e[2J"', "a text cannot hold the control character \\x1b"),
        ("tracking.uri=[http://me:pw@host/]", "--set tracking.uri=[http://***@host/]: tracking.uri: expected text, but got"),
    ],
)
def test_a_faulty_override_is_told_as_such(tmp_path: Path, override: str, expected: str) -> None:
    found = problems(tmp_path, MINIMAL + "space: {strategy: [vanilla]}\n", [override])
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a mapping"),
        ("- a\n- b\n", "expected a mapping"),
        ("task: [unclosed\n", "not valid YAML"),
        ("task: &a [*a]\n", "sweep.yaml:1: .a stands within what it repeats"),
        ("a: " + "[" * 300_000, "sweep.yaml:1: this is nested more than 20 levels deep"),
        ("a: " * 5000, "not valid YAML"),
        ("task: !!python/object/apply:os.system ['false']\n", "not valid YAML"),
    ],
)
def test_what_is_no_spec_at_all_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        load_spec(write(tmp_path, text)).valid()


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_spec(tmp_path / "nowhere.yaml")


def test_crossed_seeds_are_their_pairs_and_their_shape_also_after_being_written(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("task: demo\nmodel: tiny\nseeds: {init: 3, order: 2}\n")
    spec = load_spec(file).valid()
    assert (spec.seeds, spec.crossed) == ([0, 1, 2, 3, 4, 5], [3, 2])
    file.write_text(yaml.safe_dump(spec.model_dump(mode="json")))
    assert load_spec(file).valid() == spec
    file.write_text("task: demo\nmodel: tiny\nseeds: 4\ncrossed: [3, 2]\n")
    with pytest.raises(InputError, match="crossed seeds are those of their pairs"):
        load_spec(file).valid()
