"""SVG that was made smaller, drawn by a browser beside what it was made of."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from hyperweb.build import minify_svg

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

# Returns for each pair how far the most different channels are apart, how many by more than rounding, and the ink.
COMPARE = """
async (pairs) => {
    const size = 96;
    const drawn = async (text) => {
        const image = new Image();
        image.src = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
        await image.decode();
        const canvas = new OffscreenCanvas(size, size);
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.fillStyle = "#fff";
        context.fillRect(0, 0, size, size);
        context.drawImage(image, 0, 0, size, size);
        return context.getImageData(0, 0, size, size).data;
    };
    const found = [];
    for (const [before, after] of pairs) {
        const [one, other] = [await drawn(before), await drawn(after)];
        let [most, many, inked] = [0, 0, 0];
        for (let at = 0; at < one.length; at += 1) {
            const apart = Math.abs(one[at] - other[at]);
            most = Math.max(most, apart);
            many += apart > 8;
            inked += one[at] < 255;
        }
        found.push([most, many, inked]);
    }
    return found;
}
"""
# Of a drawing, in each of four channels.
PIXELS = 96 * 96 * 4
TAKES = {"M": 2, "L": 2, "H": 1, "V": 1, "C": 6, "S": 4, "Q": 4, "T": 2, "Z": 0}


def path(chance: random.Random) -> str:
    """Returns path data with any command, lines that go on straight, and lines that close what they began."""
    data = "M 20,20"
    for _ in range(chance.randint(2, 12)):
        command = chance.choice("MLLLHVCSQTAZ")
        relative = chance.random() < 0.5
        low, high = (-15, 15) if relative else (2, 46)

        def number(low: int = low, high: int = high) -> str:
            return str(round(chance.uniform(low, high), chance.choice([0, 0, 1, 2, 3])))

        if command == "A":
            flags = f"{chance.choice('01')} {chance.choice('01')}"
            numbers = f"{chance.choice(['5 5 30', '9.5 4 0', '12 3 200'])} {flags} {number()} {number()}"
        elif command == "C" and relative and chance.random() < 0.4:
            numbers = chance.choice(["1 1 2.0 2 3 3", "2 4 4 4 6 0", "0 0 5 5 5 5"])
        elif command == "L" and relative and chance.random() < 0.4:
            numbers = "4 2 l 2 1 l 2.0 1.0"
        elif command == "L" and chance.random() < 0.2:
            command, relative, numbers = "M", False, "5 5 L 15 5 L 15 15 L 5 5 Z"
        else:
            numbers = " ".join(number() for _ in range(TAKES[command]))
        data += f" {command.lower() if relative else command} {numbers}"
    return data


def drawing(chance: random.Random) -> str:
    """Returns an SVG file with a path that is filled and stroked."""
    join = chance.choice(["miter", "round", "bevel"])
    cap = chance.choice(["butt", "round", "square"])
    marker = chance.choice(["", "", "url(#m)"])
    marks = f'marker-mid="{marker}" marker-end="{marker}"' if marker else ""
    defined = '<marker id="m" markerWidth="2" markerHeight="2"><circle r="1.0px"/></marker>' if marker else ""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
    <!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">
    <svg xmlns="http://www.w3.org/2000/svg" version="1.1" x="0px" y="0px" width="48.0px" height="48.0px"
      viewBox="0, 0, 48.00, 48.00">
      <defs>{defined}</defs>
      <g fill="#FF0000" fill-opacity="0.50" stroke="rgb(0, 0, 128)" stroke-width="1.50px">
        <path stroke-linejoin="{join}" stroke-linecap="{cap}" {marks} d="{path(chance)}"/>
        <polygon points="1.0,1.0 6.50,-0.5 6,6" fill="Magenta" stroke-dasharray="1.0, 0.5"/>
      </g>
    </svg>"""


def test_drawings_look_the_same(page: Page) -> None:
    chance = random.Random(7)
    before = [drawing(chance) for _ in range(250)]
    after = [minify_svg(text).decode() for text in before]
    page.goto("about:blank")
    found = page.evaluate(COMPARE, list(zip(before, after, strict=True)))
    apart = []
    for text, made, (_, many, inked) in zip(before, after, found, strict=True):
        assert inked > 0, text
        assert len(made) < len(text) / 1.5
        if many:
            apart.append((many, text, made))
    # Where a curve turns on the spot, the last bit of a coordinate decides about some pixels.
    assert len(apart) <= len(before) // 50, apart
    assert all(many < PIXELS // 100 for many, _, _ in apart), apart
