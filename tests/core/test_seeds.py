from __future__ import annotations

from blurb_tune.core.seeds import derive, derive_share, streams


def test_derived_seeds_are_the_same_on_every_machine() -> None:
    assert derive(0, "dropout") == 3649701898025879767
    assert derive(3, "order", 7) == derive(3, "order", 7)


def test_every_name_and_seed_gives_another_stream() -> None:
    found = {derive(seed, name, index) for seed in range(20) for name in ("order", "init") for index in range(20)}
    assert len(found) == 800
    assert all(0 <= seed < 2**63 for seed in found)


def test_seeds_that_agree_in_their_lowest_32_bits_give_seeds_that_do_not() -> None:
    seeds = [low + (high << 32) for low in range(5) for high in (0, 1, 2, 2**30)]
    found = {derive(seed, name) % 2**32 for seed in seeds for name in ("dropout", "init", "order")}
    assert len(found) == 60


def test_shares_are_uniform() -> None:
    shares = [derive_share(0, "control", f"c{index:03d}-s0") for index in range(2000)]
    assert all(0 <= share < 1 for share in shares)
    assert 0.07 < sum(share < 0.1 for share in shares) / 2000 < 0.13


def test_crossed_seeds_stand_for_pairs_and_others_for_themselves() -> None:
    assert [streams(seed, (2, 3)) for seed in range(6)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert streams(6, (2, 3)) == (6, 6)
    assert streams(1_000_004, (2, 3)) == (1_000_004, 1_000_004)
    assert streams(4, None) == (4, 4)
