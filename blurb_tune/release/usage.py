"""How a released model is called: what its card shows."""

from __future__ import annotations

from blurb_tune.preflight import Plan
from blurb_tune.release.folder import Facts
from blurb_tune.tasks.kinds import MULTI_LABEL, REGRESSION, SPANS

# A model says something of the first piece of each word of the text; what it gives for other pieces was never trained.
_ANSWERING = """\
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

model = AutoModelForQuestionAnswering.from_pretrained("{folder}")
tokenizer = AutoTokenizer.from_pretrained("{folder}")
question, text = "...", "..."
encoded = tokenizer(question, text, return_tensors="pt", truncation="only_second")
with torch.no_grad():
    found = model(**encoded)
starts, ends = found.start_logits[0].tolist(), found.end_logits[0].tolist()
words = [word if part == 1 else None for part, word in zip(encoded.sequence_ids(), encoded.word_ids())]
pieces = [i for i, word in enumerate(words) if word is not None and word not in words[:i]]  # the first of each word
spans = [(i, j) for i in pieces for j in pieces if i <= j]
first, last = max(spans, key=lambda span: starts[span[0]] + ends[span[1]])
whole = tokenizer(text)  # of a long text, its last word may have been cut
text[encoded.token_to_chars(first).start : whole.word_to_chars(words[last]).end]"""


def pipeline_of(plan: Plan) -> str:
    if plan.task.kind == SPANS:
        return "question-answering"
    return "token-classification" if plan.task.per_token else "text-classification"


def usage(plan: Plan, facts: Facts) -> str:
    kind = pipeline_of(plan)
    options = ', function_to_apply="none"' if plan.task.kind == REGRESSION else ""
    options += ', aggregation_strategy="first"' if plan.task.per_token else ""
    options += ", top_k=None" if plan.task.kind == MULTI_LABEL else ""
    folder = f"FOLDER/{facts.members[0]}" if facts.members else "FOLDER"
    pair = len(facts.fields) == 2 and not plan.task.per_token
    text = '{"text": "...", "text_pair": "..."}' if pair else '"..."'
    columns = ", ".join(f"`{field}`" for field in facts.fields)
    code = f'from transformers import pipeline\n\nmodel = pipeline("{kind}", model="{folder}"{options})\nmodel({text})'
    if plan.task.kind == SPANS:  # for which transformers 5 has no pipeline
        code = _ANSWERING.format(folder=folder)
    one = "This loads one member, each of which is a model by itself. " if facts.members else ""
    does = "takes the mean of all" if facts.members else "does the same"
    return (
        f"```python\n{code}\n```\n\n{one}`blurb-tune predict FOLDER FILE --to OUT` {does} for whole tables with "
        f"{columns}, with texts cut and probabilities calibrated as in the sweep."
    )
