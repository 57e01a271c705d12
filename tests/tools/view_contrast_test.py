"""The colours of the viewer's pages against WCAG 2.1: text 4.5 to 1 (AA), borders of controls and the focus ring 3 to 1. Computed from
the style sheets, light and dark."""

import os
import re
import unittest

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "view", "page")

TEXT = [("text", "back"), ("text", "card"), ("text", "chosen"), ("quiet", "card"), ("quiet", "back"), ("quiet", "chosen"),
        ("accent", "card"), ("on-accent", "accent"), ("warn", "card"), ("warn", "chosen"), ("good", "card"), ("good", "chosen"),
        ("bad", "card"), ("bad", "chosen")]
SHAPES = [("quiet", "card"), ("accent", "card"), ("accent", "back"), ("stage-accent", "stage"), ("accent", "chosen")]


def sheet(name):
    with open(os.path.join(PAGE, name), encoding="utf-8") as text:
        return text.read()


def luminance(colour):
    """WCAG 2.1, relative luminance, of #rgb or #rrggbb."""
    digits = colour.lstrip("#")
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    channels = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def variables(block):
    return dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]{3,6})\b", block))


def themes():
    """light: as :root has it; dark, which stands twice (chosen, and as the system says) over what light says."""
    blocks = re.findall(r":root[^{]*\{([^}]*--back[^}]*)\}", sheet("view.css"))
    light = variables(blocks[0])
    return {"light": light, "dark by the system": {**light, **variables(blocks[1])}, "dark as chosen": {**light, **variables(blocks[2])}}


class Contrast(unittest.TestCase):
    def test_by_hand(self):
        self.assertAlmostEqual(contrast("#000", "#ffffff"), 21)
        self.assertAlmostEqual(contrast("#777777", "#fff"), 4.478, places=3)  # the well-known grey that just fails

    def test_dark_stands_twice_and_is_the_same(self):
        found = themes()
        self.assertEqual(found["dark by the system"], found["dark as chosen"])
        self.assertNotEqual(found["light"], found["dark as chosen"])

    def test_text_and_shapes(self):
        for theme, colours in themes().items():
            for pairs, least in ((TEXT, 4.5), (SHAPES, 3)):
                for front, back in pairs:
                    ratio = contrast(colours[front], colours[back])
                    self.assertGreaterEqual(ratio, least, f"{theme}: --{front} {colours[front]} on --{back} {colours[back]}: {ratio:.2f}")

    def test_what_lies_on_the_slide(self):
        # Their ground is nearly opaque white, over whatever the slide shows: at worst over black, which 10 % of shine through.
        css = sheet("view.css")
        self.assertIn("background: #ffffffe6; color: #111", css)
        self.assertGreaterEqual(contrast("#111111", "#e6e6e6"), 4.5)
        self.assertIn("color: #8a1010", css)
        self.assertGreaterEqual(contrast("#8a1010", "#e6e6e6"), 4.5)

    def test_report(self):
        for colour in set(re.findall(r"(?<![-\w])color: (#[0-9a-f]{3,6})", sheet("report.css"))):
            self.assertGreaterEqual(contrast(colour, "#fff"), 4.5, colour)


if __name__ == "__main__":
    unittest.main()
