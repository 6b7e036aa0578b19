"""Whether errors are the trials' or a node's, what is tried again, and when a sweep had better stop."""

from __future__ import annotations

from collections import Counter, deque

from blurb_tune.core.trial import Cause, node_of
from blurb_tune.log.trial_record import TrialRecord

# A process that is lost again and again at the same place is its trial's doing, such as one that needs more memory than
# there is; where each attempt comes farther, machines are preempted.
MOST_LOSSES = 5
_ERRORS_OF_A_BROKEN_NODE = 5
_PATIENCE_WITH_A_NODE = 5


class Faults:
    """Counts errors in a row, and by node.

    limit: errors in a row that stop the sweep; None for no limit. Once so many (five without a limit) come from one node with
    nothing that went well there, while another node works or has not been heard of yet, the node is at fault: it is left out,
    its trials are tried again elsewhere, and the sweep stops only after five times as many. nodes: of the cluster.
    """

    def __init__(self, limit: int | None, nodes: int = 1):
        self._limit, self._nodes = limit, nodes
        self._row: deque[str] = deque(maxlen=limit or 1)
        self._of_node: Counter[str] = Counter()
        self._sound: set[str] = set()
        self.left_out: set[str] = set()
        self.abort_reason: str | None = None

    def mark_sound(self, worker: str) -> None:
        """A trial has come to an evaluation on `worker`, a `node:pid`."""
        if node := node_of(worker):
            self._sound.add(node)

    def clear(self, worker: str) -> None:
        """A trial has ended without an error."""
        node = node_of(worker)
        self._row.clear()
        self._of_node.pop(node, None)
        self.left_out.discard(node)
        self.mark_sound(worker)

    def add(self, worker: str, reason: str) -> bool:
        """A trial has errored; whether its node is to blame."""
        node = node_of(worker)
        self._row.append(node)
        self._of_node[node] += 1
        self._sound.discard(node)
        count, most = self._of_node[node], self._limit or _ERRORS_OF_A_BROKEN_NODE
        has_another = bool(self._sound) or len(self._of_node) < self._nodes
        is_the_node = bool(node) and has_another and count >= most
        if is_the_node:
            self.left_out.add(node)
        where = worker or "a process that was lost"
        if self._limit is not None and len(self._row) == self._limit and not (is_the_node and set(self._row) == {node}):
            self.abort_reason = (
                f"the sweep stopped, since {self._limit} trials in a row errored, the last one on {where}: {reason}"
            )
        elif is_the_node and count >= _PATIENCE_WITH_A_NODE * most:
            self.abort_reason = (
                f"the sweep stopped, since {count} trials in a row errored on {node}, while others did not elsewhere; "
                f"take it out of the cluster. The last one, on {where}: {reason}"
            )
        return is_the_node


def may_retry(trial: TrialRecord, cause: Cause, retries: int) -> bool:
    """Whether a trial whose error counts as its own is tried again, by its cause; `retries` is the setting of the spec."""
    match cause:
        case Cause.CODE:
            return False
        case Cause.MEMORY:
            return trial.halvings < 1
        case Cause.HANG:
            return trial.hangs < 1
        case Cause.MACHINE:
            return trial.errors < retries
