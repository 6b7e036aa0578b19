# %% [markdown]
# # A sweep in a notebook
#
# The `tiny` model on the built-in `demo` task: no data, no GPU, half a minute.
# It is too small to learn much; what it shows is how to ask.

# %%
import blurb_tune as bt

spec = {
    "name": "in-python",
    "task": "demo",
    "model": "tiny",
    "seeds": 2,
    "space": {"strategy": ["vanilla", {"reinit_count": 1}], "epochs": 2},
    "search": {"sampler": "grid"},
    "final_test": False,
}

# %% [markdown]
# A mistake is an exception. It has everything that is wrong, each with its key
# path.

# %%
try:
    bt.validate({**spec, "seeds": 0, "space": {"strategy": [{"reinit_cuont": 1}]}})
except bt.InputError as error:
    print(error)

# %% [markdown]
# `run` shows how far it is in one line below the cell. The same call goes on
# where an interrupted one stopped.

# %%
print(bt.validate(spec).trials, "trials")
sweep = bt.run(spec)
print(sweep.answer.recipe)

# %% [markdown]
# Trials, configurations and measurements are data frames of pandas.

# %%
trials = sweep.trials_dataframe()
configurations = sweep.configurations_dataframe()
print(configurations[["configuration", "strategy", "n", "mean", "std", "failed"]])
strategies = configurations[["configuration", "strategy"]]
scores = trials.merge(strategies)
print(scores.pivot(index="seed", columns="strategy", values="dev_score"))

# %%
measurements = sweep.measurements_dataframe()
print(measurements.pivot(index="epoch", columns="trial_id", values="train_loss"))

# %% [markdown]
# The figures of the report are figures of matplotlib.

# %%
sweep.plot("seeds").savefig("seeds.pdf")
sweep.plot("curves")

# %% [markdown]
# More seeds: nothing runs twice. A folder is opened without running anything.

# %%
sweep = sweep.extend(seeds=3)
best = bt.open(sweep.folder).best
print(best.strategy, best.scores, f"{best.failed} of {best.ended} failed")
