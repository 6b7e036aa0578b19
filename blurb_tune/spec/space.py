"""The section on what is searched: the axes of the techniques, and the optimization settings."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from blurb_tune.core.trial import STRATEGY_NAMES, Configuration, Strategy
from blurb_tune.spec.dimensions import MAX_CHOICES, MAX_NUMBER, Dimension, Options, SpecModel, duplicates
from blurb_tune.techniques.protocol import Axis
from blurb_tune.techniques.registry import AXES, SETTING_OF, is_neutral

_DEFAULT = Configuration()
_FIRST = {
    "strategy",
    *("freeze_depth", "decay_rate", "reinit_count"),
    *("learning_rate", "batch_size", "epochs", "warmup_share", "weight_decay", "bias_correction", "max_grad_norm"),
}
_Dropout = Annotated[float, Field(ge=0, lt=1)]
Positive = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


def _value_type(axis: Axis) -> Any:
    """The values of a technique's axis, with its bounds."""
    if axis.type is str:
        return Literal[axis.choices]
    if axis.type is bool:
        return bool
    low, high = ("gt" if axis.open_low else "ge"), ("lt" if axis.open_high else "le")
    bounds: dict[str, Any] = {low: axis.low, high: MAX_NUMBER if axis.high is None and axis.type is int else axis.high}
    return Annotated[axis.type, Field(**{name: bound for name, bound in bounds.items() if bound is not None})]


def _dimension_type(axis: Axis) -> Any:
    value: Any = _value_type(axis)
    return Options[value] if axis.type in (bool, str) else Dimension[value]


class _StrategySpec(SpecModel):
    @model_validator(mode="before")
    @classmethod
    def _vanilla(cls, data: Any) -> Any:
        if isinstance(data, str):
            if data != "vanilla":
                raise ValueError(f"expected `vanilla` or a mapping such as {{freeze_depth: 4}}, but got {data!r}")
            return {}
        return data

    @model_validator(mode="after")
    def _has_no_idle_setting(self) -> _StrategySpec:
        values = {name: getattr(self, name) for name in AXES}
        for name, first in SETTING_OF.items():
            if is_neutral(name, values) and values[name] != AXES[name].neutral:
                raise ValueError(f"`{name}` has no effect without `{first.name}`")
        return self

    @property
    def strategy(self) -> Strategy:
        return Strategy(**{name: getattr(self, name) for name in STRATEGY_NAMES})


def _with_axes(name: str, base: type[SpecModel], fields: dict[str, Any], doc: str | None = None) -> Any:
    """A model with what a base has, and a field for each axis of the techniques."""
    return create_model(name, __base__=base, __doc__=doc, __module__=__name__, **fields)


StrategySpec: Any = _with_axes(
    "StrategySpec",
    _StrategySpec,
    {name: (_value_type(axis), axis.neutral) for name, axis in AXES.items()},
    "One strategy of an explicit list; what is left out is neutral. The word `vanilla` stands for all neutral.",
)


class _StrategyList(SpecModel):
    strategy: Annotated[list[StrategySpec], Field(min_length=1, max_length=MAX_CHOICES)] | None = Field(
        None, description="an explicit list of strategies, instead of the dimensions of the techniques below"
    )


_Techniques: Any = _with_axes(
    "_Techniques",
    _StrategyList,
    {name: (_dimension_type(axis), Field(axis.neutral, description=axis.meaning)) for name, axis in AXES.items()},
)


class SpaceSpec(_Techniques):  # type: ignore[misc]
    """What is searched. Each hyperparameter is a fixed value, a choice `[a, b]`, or a range `{low, high, step | log}`."""

    learning_rate: Dimension[Annotated[float, Field(gt=0)]] = Field(_DEFAULT.learning_rate, description="peak, at the head")
    batch_size: Dimension[Positive] = Field(_DEFAULT.batch_size, description="examples per step")
    epochs: Dimension[Positive] = Field(_DEFAULT.epochs, description="passes over the training set")
    warmup_share: Dimension[Annotated[float, Field(ge=0, lt=1)]] = Field(
        _DEFAULT.warmup_share, description="share of the steps with rising learning rate"
    )
    weight_decay: Dimension[Annotated[float, Field(ge=0)]] = Field(
        _DEFAULT.weight_decay, description="decoupled; `no_weight_decay` says on what there is none"
    )
    bias_correction: Options[bool] = Field(True, description="Adam's bias correction; false reproduces BERTAdam")
    max_grad_norm: Dimension[Annotated[float, Field(gt=0)] | None] = Field(
        _DEFAULT.max_grad_norm, description="gradients are clipped to this norm; null: no clipping"
    )
    lr_scheduler_type: Options[Literal["linear", "cosine", "constant"]] = Field(
        "linear", description="the learning rate behind the warm-up: down to 0 in a line or half a cosine, or constant"
    )
    adam_beta1: Dimension[Annotated[float, Field(ge=0, lt=1)]] = Field(
        _DEFAULT.adam_beta1, description="Adam's decay rate of the first moment"
    )
    adam_beta2: Dimension[Annotated[float, Field(ge=0, lt=1)]] = Field(
        _DEFAULT.adam_beta2, description="Adam's decay rate of the second moment"
    )
    adam_epsilon: Dimension[Annotated[float, Field(gt=0)] | None] = Field(
        _DEFAULT.adam_epsilon, description="Adam's epsilon; null: 1e-8, 1e-6 without bias correction"
    )
    no_weight_decay: Options[Literal["bias_and_layer_norm", "layer_norm", "none"]] = Field(
        "bias_and_layer_norm",
        description="which parameters have no weight decay: `bias_and_layer_norm`, as in BERT's own optimizer and in "
        "transformers, `layer_norm` (its bias too), or `none`: all have it",
    )
    label_smoothing_factor: Dimension[Annotated[float, Field(ge=0, lt=1)]] = Field(
        _DEFAULT.label_smoothing_factor,
        description="share of each label that is spread evenly over all classes in training, for kinds of tasks in which one "
        "of several classes is right; losses are reported without it",
    )
    hidden_dropout_prob: Dimension[_Dropout | None] = Field(
        _DEFAULT.hidden_dropout_prob,
        description="dropout of embeddings and blocks, and of the head where the model's config has no rate for that; null: "
        "what the model's config says",
    )
    attention_probs_dropout_prob: Dimension[_Dropout | None] = Field(
        _DEFAULT.attention_probs_dropout_prob,
        description="dropout of the attention's weights; null: what the model's config says",
    )
    classifier_dropout: Dimension[_Dropout | None] = Field(
        _DEFAULT.classifier_dropout, description="dropout of the head; null: what the model's config says"
    )

    def digest_content(self) -> dict[str, Any]:
        """What the digest of a sweep is made of: without axes that are as by default and have not always been there, so that a
        sweep of an earlier version can be taken up."""
        content: dict[str, Any] = self.model_dump(mode="json")
        for values in (content, *(content["strategy"] or ())):
            for name in values.keys() - _FIRST:
                if values[name] == getattr(_DEFAULT, name):
                    del values[name]
        return content

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> SpaceSpec:
        both = [name for name, axis in AXES.items() if getattr(self, name) != axis.neutral]
        if self.strategy is not None and both:
            raise ValueError(f"give `strategy` or {', '.join(both)}, not both")
        for name in both:
            if name in SETTING_OF and SETTING_OF[name].name not in both:
                raise ValueError(f"`{name}` has no effect without `{SETTING_OF[name].name}`")
        if self.strategy is not None:
            for label in duplicates(s.strategy.label for s in self.strategy):
                raise ValueError(f"the strategies of a list must differ, but {label!r} stands twice")
        return self
