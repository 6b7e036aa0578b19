from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from blurb_tune.execution.shares import Want, shares

WANTS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.builds(Want, st.floats(0.1, 100), st.integers(0, 50)), min_size=1, max_size=8
)


@given(st.integers(0, 60), WANTS)
def test_every_slot_that_is_wanted_is_given_and_none_twice(total: int, wants: dict[str, Want]) -> None:
    given_ = shares(total, wants)
    assert sum(given_.values()) == min(total, sum(want.slots for want in wants.values()))
    assert all(0 <= given_[name] <= want.slots for name, want in wants.items())


@given(st.integers(1, 60), WANTS)
def test_nobody_who_wants_more_has_less_for_its_priority_than_another_by_more_than_a_slot(
    total: int, wants: dict[str, Want]
) -> None:
    given_ = shares(total, wants)
    for name, want in wants.items():
        if given_[name] < want.slots:
            for other, has in given_.items():
                assert given_[name] / want.priority >= (has - 1) / wants[other].priority - 1e-9


def test_priorities_are_shares() -> None:
    assert shares(6, {"a": Want(2, 50), "b": Want(1, 50)}) == {"a": 4, "b": 2}
    assert shares(4, {"a": Want(1, 50), "b": Want(1, 1)}) == {"a": 3, "b": 1}
    assert shares(1, {"b": Want(1, 5), "a": Want(1, 5), "c": Want(2, 5)}) == {"a": 0, "b": 0, "c": 1}
    assert shares(8, {"alone": Want(0.5, 20)}) == {"alone": 8}
