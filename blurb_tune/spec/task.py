"""The `task:` section as a mapping: a custom task."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from blurb_tune.spec.dimensions import SpecModel

Name = Annotated[str, Field(min_length=1)]


def _label_text(label: Any) -> Any:
    if isinstance(label, bool):
        return "true" if label else "false"
    return str(label) if isinstance(label, int) else label


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _one_or_two(columns: list[str]) -> list[str]:
    if not 1 <= len(columns) <= 2:
        raise ValueError(f"expected one column, or a list of two for pairs, but got {columns}")
    return columns


def _label_columns(value: Any) -> Any:
    columns = value if isinstance(value, list) and len(value) > 1 else [value]
    if not all(isinstance(column, str) and column for column in columns):
        raise ValueError(f"expected a column, or a list of at least two, but got {value}")
    return value


LabelColumns = Annotated[str | list[str], BeforeValidator(_label_columns)]
LabelName = Annotated[str, Field(min_length=1), BeforeValidator(_label_text)]
Columns = Annotated[list[Name], AfterValidator(_one_or_two), BeforeValidator(_as_list)]


class TaskSpec(SpecModel):
    """A custom task, from tables or a hub data set. Files are CSV, TSV, JSON, JSONL or Parquet, relative to the spec."""

    name: Name | None = Field(None, description="of the task; null: the train file's name, or the data set's")
    train: Name | None = Field(None, description="file with the training examples; either this or `hub`")
    dev: Name | None = Field(None, description="file with the examples that everything is chosen by; null: cut from train")
    test: Name | None = Field(None, description="file that is read once, at the very end; null: no final test")
    hub: Name | None = Field(None, description="data set on the hub, `owner/name` or `owner/name/config`, instead of files")
    text: Columns = Field(description="column of the text; a list of two columns for pairs; words and blanks for tagging")
    label: LabelColumns = Field(
        description="column of the label; several labels of a text have `;` between them, tags have blanks; or a list of "
        "columns with 0 and 1, one for each label"
    )
    kind: Name = Field(
        description="what is predicted, such as `classification`, `regression` or `ner`: "
        "[all kinds](own-data.md#which-kind-of-task)"
    )
    labels: Annotated[list[LabelName], Field(min_length=1)] | None = Field(
        None, description="all labels, the positive one of two last, classes with an order in it; null: those of train, sorted"
    )
    label_center: float | None = Field(
        None, description="of a regression, whose scores are learned as (score - center) / scale; null: the mean of train"
    )
    label_scale: Annotated[float, Field(gt=0)] | None = Field(
        None, description="of a regression; squared errors are in its units; null: the standard deviation of train"
    )
    metric: Name | None = Field(
        None,
        description="the score; null: that of the kind",
    )
    left_out: list[LabelName] = Field(
        [], description="labels that micro_f1 and macro_f1 leave out, such as that of no relation"
    )
    markers: list[Name] = Field([], description="placeholders in the text, such as `@GENE$`, each read as one unit")
    max_length: Annotated[int, Field(ge=8)] = Field(128, description="tokens per example; what is longer is cut off")
    label_separator: Name | None = Field(
        None, description="what stands between the labels of a text; null: `;`, or `|` or `,` where the column leaves no doubt"
    )
    sentence: Name | None = Field(
        None, description="column of a table with one word a row that says to which sentence it belongs; null: one called so"
    )
    columns: list[Name] | None = Field(
        None, description="names of the columns of tables without a header, in their order; null: the first row has them"
    )
    encoding: Name | None = Field(None, description="of the files, such as `cp1252` for Latin-1; null: UTF-8")
    id: Name | None = Field(None, description="column of ids, which must differ; null: rows are counted")
    dev_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None, description="share of train that becomes dev where there is no dev split; null: 0.2"
    )
    folds: Annotated[int, Field(ge=2)] | None = Field(
        None, description="cross-validation with so many folds instead of a dev split, for very small sets"
    )

    @property
    def title(self) -> str:
        """What the task is called."""
        return self.name or PurePath(self.train or self.hub or "custom").stem
