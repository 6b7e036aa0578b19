"""What a figure is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One picture of a sweep.

    name: file stem and anchor, such as `seeds`. title, caption: plain text, what it shows and how to read it. alt: the finding
    in a sentence, for readers who do not see it. svg: one `<svg viewBox=... role="img">` element for a page that has
    `palette.PALETTE_CSS`. Of its marks, those of class `trial` stand for one trial each and have its id in `data-trial`; those
    that stand for a configuration have its id in `data-configuration`.
    """

    name: str
    title: str
    caption: str
    alt: str
    svg: str
