"""How MLflow's dashboard shows the runs of an experiment, as far as its address can say it.

The dashboard keeps what is behind its button "Share" in a tag of the experiment, and an address names the tag: the columns of
the list come from there.
"""

from __future__ import annotations

import json

KEY = "blurb-tune"
TAG = f"mlflow.sharedViewState.{KEY}"
_COLUMNS = (
    *("attributes.`Source`", "metrics.`dev/score`", "tags.`strategy`", "tags.`outcome`", "params.`learning_rate`"),
    *("tags.`progress`", "tags.`winner`", "metrics.`sweep/objective`", "metrics.`sweep/failed_share`"),
)
STATE = json.dumps({"selectedColumns": _COLUMNS, "runsHiddenMode": "FIRST_20_RUNS", "hideEmptyCharts": True})
QUERY = f"viewStateShareKey={KEY}"
