"""BitFit: exactly the biases and what is freshly drawn learn."""

from __future__ import annotations

from tests.models.encoders import is_idle


def test_biases_and_the_head_change_and_nothing_else(subject, family):
    subject.treat(bitfit=True)
    before = subject.weights()
    subject.train(5)
    expected = {
        name
        for name in before
        if (name.rpartition(".")[2] in ("bias", "q_bias", "v_bias") or name not in subject.pretrained.weights)
        and not is_idle(name, family)
    }
    # ModernBERT has biases in its head alone.
    assert any(name in subject.pretrained.weights for name in expected) or family == "modernbert"
    assert subject.changed(before) == expected


def test_with_frozen_blocks_the_biases_above_learn(subject, family, level):
    subject.treat(bitfit=True, freeze_depth=2)
    before = subject.weights()
    subject.train(5)
    changed = subject.changed(before)
    assert changed
    assert min(map(level, changed)) > 2


def test_few_parameters_learn(new_subject):
    """In BERT-base 0.08 % of the encoder's, by the paper; here of a narrow one."""
    subject = new_subject("bert")
    subject.treat(bitfit=True)
    encoder = {n: p for n, p in subject.model.named_parameters() if n in subject.pretrained.weights}
    assert sum(p.numel() for p in encoder.values() if p.requires_grad) == sum(
        p.numel() for n, p in encoder.items() if n.endswith(".bias")
    )
