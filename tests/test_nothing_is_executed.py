"""What comes from storage, a folder or the network is data: no module of the package unpickles or executes any of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "blurb_tune").rglob("*.py"))
# Each with why it is none of that.
ALLOWED = {
    ("blurb_tune/execution/adapters.py", "cloudpickle.load"): "Tune's own error, from the driver's folder of mode 0700",
    ("blurb_tune/execution/forked.py", "runpy.run_path"): "what this user's own processes ask for, by a folder of mode 0700",
    ("blurb_tune/execution/worker.py", "os.execv"): "Ray's own program, in a process that Ray has started to be just that",
}

_UNPICKLERS = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "jsonpickle"}
_BUILT_IN = {"eval", "exec", "compile", "__import__"}
_BY_NAME = {
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all",
    "os.system", "os.popen", "os.execv", "runpy.run_path", "runpy.run_module", "importlib.import_module",
    "pandas.read_pickle", "pd.read_pickle", "torch.hub.load", "torch.package.PackageImporter", "torch.jit.load",
    "mlflow.pyfunc.load_model", "subprocess.getoutput", "subprocess.getstatusoutput", "tune.Tuner.restore", "Tuner.restore",
}  # fmt: skip
_UNSAFE_LOADERS = {"Loader", "UnsafeLoader", "FullLoader", "CLoader", "CFullLoader", "CUnsafeLoader"}
# Calls that are safe with a constant only.
_NEEDED = {"torch.load": ("weights_only", True), "np.load": ("allow_pickle", False), "numpy.load": ("allow_pickle", False)}
_FORBIDDEN_VALUES = {"trust_remote_code": True, "allow_pickle": True, "weights_only": False, "shell": True}


def findings(code: str) -> Iterator[str]:
    """What of a module unpickles, or executes what it is given."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.split(".")[0] in _UNPICKLERS)
            case ast.ImportFrom(module=module, names=names):
                if (module or "").split(".")[0] in _UNPICKLERS:
                    yield str(module)
                if module == "yaml":
                    yield from (f"yaml.{name.name}" for name in names if name.name in _UNSAFE_LOADERS)
                    yield from (f"yaml.{name.name}" for name in names if f"yaml.{name.name}" in _BY_NAME)
            case ast.Attribute() if _name(node) in {f"yaml.{loader}" for loader in _UNSAFE_LOADERS}:
                yield _name(node)
            case ast.Call(func=function, keywords=keywords):
                yield from _of_call(_name(function), keywords)


def _of_call(name: str, keywords: list[ast.keyword]) -> Iterator[str]:
    root, last = name.split(".")[0], name.split(".")[-1]
    given = {keyword.arg: keyword.value.value if isinstance(keyword.value, ast.Constant) else ... for keyword in keywords}
    if name in _BUILT_IN or name in _BY_NAME or (root in _UNPICKLERS and last in ("load", "loads", "Unpickler")):
        yield name
    if name in _NEEDED and given.get(_NEEDED[name][0]) is not _NEEDED[name][1]:
        yield name
    for keyword, value in _FORBIDDEN_VALUES.items():
        if keyword in given and given[keyword] in (value, ...):
            yield f"{keyword}={given[keyword]}"
    if last in ("from_pretrained", "from_config") and name.startswith("Auto") and given.get("trust_remote_code") is not False:
        yield f"{name} without trust_remote_code=False"
    if last == "from_pretrained" and name.startswith("AutoModel") and given.get("use_safetensors") is not True:
        yield f"{name} without use_safetensors=True"


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_name(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


@pytest.mark.parametrize("module", MODULES, ids=lambda file: str(file.relative_to(ROOT)))
def test_nothing_that_comes_from_outside_is_executed(module: Path) -> None:
    place = str(module.relative_to(ROOT))
    found = [what for what in findings(module.read_text(encoding="utf-8")) if (place, what) not in ALLOWED]
    assert not found, f"{place}: {', '.join(found)}"


def test_what_is_allowed_is_still_there() -> None:
    for place, what in ALLOWED:
        assert list(findings((ROOT / place).read_text(encoding="utf-8"))).count(what) == 1


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import pickle", "pickle"),
        ("from ray import cloudpickle\ncloudpickle.loads(x)", "cloudpickle.loads"),
        ("from joblib import load", "joblib"),
        ("import yaml\nyaml.load(x, yaml.SafeLoader)", "yaml.load"),
        ("from yaml import UnsafeLoader", "yaml.UnsafeLoader"),
        ("import yaml\nclass L(yaml.FullLoader): pass", "yaml.FullLoader"),
        ("eval(x)", "eval"),
        ("torch.load(x)", "torch.load"),
        ("torch.load(x, weights_only=y)", "torch.load"),
        ("np.load(x)", "np.load"),
        ("load_dataset(x, trust_remote_code=y)", "trust_remote_code=Ellipsis"),
        ("AutoTokenizer.from_pretrained(x)", "AutoTokenizer.from_pretrained without trust_remote_code=False"),
        ("AutoModel.from_pretrained(x, trust_remote_code=False)", "AutoModel.from_pretrained without use_safetensors=True"),
        ("subprocess.run(x, shell=True)", "shell=True"),
    ],
)
def test_each_way_to_execute_is_found(code: str, found: str) -> None:
    assert found in list(findings(code))


def test_what_only_reads_is_not_found() -> None:
    code = (
        "import yaml\nyaml.safe_load(x)\nmodel.eval()\nre.compile(x)\njson.loads(x)\ntorch.load(x, weights_only=True)\n"
        "np.load(x, allow_pickle=False)\nAutoModel.from_pretrained(x, trust_remote_code=False, use_safetensors=True)\n"
        "yaml.SafeLoader\ncloudpickle.dumps(x)"
    )
    assert list(findings(code)) == []
