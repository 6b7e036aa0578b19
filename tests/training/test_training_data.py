from __future__ import annotations

import numpy as np

from blurb_tune.training.training_data import FoldedData, TrainingData


def test_each_fold_is_dev_once_and_train_otherwise(data: TrainingData) -> None:
    examples = data.train
    folds = tuple(np.sort(part) for part in np.array_split(np.random.default_rng(0).permutation(len(examples)), 3))
    folded = FoldedData(data.task, examples, folds, data.pad_token_id)
    for number, fold in enumerate(folds):
        part = folded.fold(number)
        assert len(part.dev) == len(fold)
        assert len(part.train) + len(part.dev) == len(examples)
        np.testing.assert_array_equal(part.dev.labels, examples.labels[fold])
        rest = np.setdiff1d(np.arange(len(examples)), fold)
        np.testing.assert_array_equal(part.train.labels, examples.labels[rest])
        first = slice(examples.offsets[rest[0]], examples.offsets[rest[0] + 1])
        np.testing.assert_array_equal(part.train.input_ids[: part.train.lengths[0]], examples.input_ids[first])
        assert part.trivial.train_loss == np.var(examples.labels[rest], dtype=np.float64)
