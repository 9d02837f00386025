"""The ratios as bars in an SVG, written by hand: no library needed to draw rectangles."""

from html import escape

COLOURS = ("#2f6f4f", "#d9a441", "#7b8794")
BAR, GAP, LEFT, WIDTH, TOP = 11, 9, 290, 900, 58


def draw(title: str, series: list[str], rows: list[tuple[str, list[float | None]]]) -> str:
    """One group of bars for each row; 1 is the line that everything is measured against."""
    longest = max((value for _, values in rows for value in values if value), default=1.0)
    scale = (WIDTH - LEFT - 60) / max(longest, 1.0)
    step = len(series) * BAR + GAP
    height = TOP + len(rows) * step + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="14" font-weight="bold">{escape(title)}</text>',
    ]
    for index, name in enumerate(series):
        x = LEFT + index * 200
        parts.append(f'<rect x="{x}" y="32" width="10" height="10" fill="{COLOURS[index]}"/>')
        parts.append(f'<text x="{x + 15}" y="41">{escape(name)}</text>')
    for number, (name, values) in enumerate(rows):
        parts += _group(name, values, TOP + number * step, scale)
    one = LEFT + scale
    parts.append(f'<line x1="{one:.1f}" x2="{one:.1f}" y1="{TOP - 6}" y2="{height - 8}" stroke="#b03030"/>')
    parts.append("</svg>")
    return "\n".join(parts) + "\n"


def _group(name: str, values: list[float | None], y: int, scale: float) -> list[str]:
    middle = y + len(values) * BAR / 2 + 4
    parts = [f'<text x="{LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>']
    for index, value in enumerate(values):
        if value is None:
            continue
        top = y + index * BAR
        width = value * scale
        parts.append(
            f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="{BAR - 2}" fill="{COLOURS[index]}"/>'
        )
        parts.append(f'<text x="{LEFT + width + 4:.1f}" y="{top + 8}" font-size="9">{value:.2f}</text>')
    return parts
