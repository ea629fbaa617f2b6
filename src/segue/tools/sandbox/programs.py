"""The named programs: code of ours that runs in the sandbox over rows given as data.

They are text, for Monty to run, and keep to what Monty knows. Arithmetic is in decimals made of the digits that stand
in the rows, so that 0.1 + 0.2 is 0.3; whole numbers stay whole.
"""

from __future__ import annotations

_SHARED = """
from decimal import Decimal

def columns_of(rows):
    names = []
    for row in rows:
        for name in row:
            if name not in names:
                names.append(name)
    return names

def known(name, what, names):
    if name not in names:
        raise ValueError(f"{what}: no column {name!r}; the table has: {', '.join(names) or 'none'}")
    return name

def as_decimal(cell):
    if isinstance(cell, bool):
        return Decimal(int(cell))
    if isinstance(cell, int):
        return Decimal(cell)
    if isinstance(cell, float):
        return Decimal(str(cell))
    if isinstance(cell, str):
        try:
            found = Decimal(cell.strip())
        except Exception:
            return None
        return found if found.is_finite() else None
    return None

def is_numeric(rows, name):
    cells = [row.get(name) for row in rows if row.get(name) is not None]
    return bool(cells) and all(isinstance(c, (int, float)) and not isinstance(c, bool) for c in cells)

def as_number(value):
    if value == value.to_integral_value():
        return int(value)
    digits = len(value.as_tuple().digits)
    return float(value) if digits <= 15 else str(value)

def shown(cell):
    return "(empty)" if cell is None or cell == "" else str(cell)
"""

SUMMARISE = (
    _SHARED
    + """
notes = []
names = columns_of(rows)
if by is not None:
    known(by, "by", names)
if value is None:
    numeric = [n for n in names if n != by and not n.endswith("_id") and is_numeric(rows, n)]
    if len(numeric) == 1:
        value = numeric[0]
        notes.append(f"value is {value}, the only column of numbers")
    elif numeric:
        notes.append(f"only rows are counted; name a value out of: {', '.join(numeric)}")
if value is not None:
    known(value, "value", names)

def figures(members, whole_count, whole_sum):
    out = {"count": len(members)}
    if value is None:
        out["share_percent"] = as_number((Decimal(100 * len(members)) / Decimal(whole_count)).quantize(Decimal("0.01")))
        return out
    numbers = sorted(n for n in members if n is not None)
    if len(numbers) < len(members):
        out["missing"] = len(members) - len(numbers)
    if not numbers:
        return out
    total, middle = sum(numbers, Decimal(0)), len(numbers) // 2
    median = numbers[middle] if len(numbers) % 2 else (numbers[middle - 1] + numbers[middle]) / Decimal(2)
    out["sum"] = as_number(total)
    out["mean"] = as_number((total / Decimal(len(numbers))).quantize(Decimal("0.000001")))
    out["median"] = as_number(median)
    out["min"] = as_number(numbers[0])
    out["max"] = as_number(numbers[-1])
    if whole_sum > 0 and numbers[0] >= 0:
        out["share_percent"] = as_number((Decimal(100) * total / whole_sum).quantize(Decimal("0.01")))
    return out

order, members = [], {}
for at, row in enumerate(rows):
    cell = None
    if value is not None and row.get(value) is not None and row.get(value) != "":
        cell = as_decimal(row.get(value))
        if cell is None:
            raise ValueError(f"value: row {at + 1} of {value!r} holds {row.get(value)!r}, which is no number")
    key = row.get(by) if by is not None else None
    key = key if key is None or isinstance(key, (str, int, float, bool)) else str(key)
    if key not in members:
        members[key] = []
        order.append(key)
    members[key].append(cell)

everything = [cell for key in order for cell in members[key]]
whole = sum((cell for cell in everything if cell is not None), Decimal(0))
groups = []
if by is not None:
    for key in order:
        group = {by: key}
        group.update(figures(members[key], len(everything), whole))
        groups.append(group)
    ranked = "count" if value is None else "sum"
    groups.sort(key=lambda group: (-Decimal(str(group.get(ranked, 0))), str(group[by])))
total = figures(everything, len(everything), whole) if everything else {"count": 0}
total.pop("share_percent", None)
{"by": by, "value": value, "groups": groups, "total": total, "row_count": len(rows), "notes": notes}
"""
)
"""Takes `rows`, `by`, `value`; gives one group of figures for each value of `by`, and those of all rows."""

PLOT = (
    _SHARED
    + """
MOST = 60
notes = []
names = columns_of(rows)
if not rows:
    raise ValueError("there are no rows to plot")
if y is None:
    numeric = [n for n in names if n != x and not n.endswith("_id") and is_numeric(rows, n)]
    if not numeric:
        raise ValueError(f"y: no column of numbers; the table has: {', '.join(names)}")
    y = numeric[0]
    notes.append(f"y is {y}")
if x is None:
    others = [n for n in names if n != y]
    x = others[0] if others else y
    notes.append(f"x is {x}")
known(x, "x", names)
known(y, "y", names)
points = []
for at, row in enumerate(rows):
    if row.get(y) is None or row.get(y) == "":
        continue
    number = as_decimal(row.get(y))
    if number is None:
        raise ValueError(f"y: row {at + 1} of {y!r} holds {row.get(y)!r}, which is no number")
    points.append((shown(row.get(x)), number))
if len(points) < len(rows):
    notes.append(f"{len(rows) - len(points)} rows without {y} are left out")
if len(points) > MOST:
    notes.append(f"the first {MOST} of {len(points)} points are drawn")
    points = points[:MOST]
if not points:
    raise ValueError(f"y: every row of {y!r} is empty")

def escaped(text):
    for char, name in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;")):
        text = text.replace(char, name)
    return "".join(c if c.isprintable() else " " for c in text)

def short(text, most):
    return text if len(text) <= most else text[: most - 1] + "…"

numbers = [number for _, number in points]
low, high = min(min(numbers), Decimal(0)), max(max(numbers), Decimal(0))
span = (high - low) or Decimal(1)

def part(number, size):
    return int((number - low) * Decimal(size) / span)

def bars(left, wide, row):
    out, zero = [], left + part(Decimal(0), wide)
    for at, (label, number) in enumerate(points):
        top, end = 40 + at * row, left + part(number, wide)
        start, width = min(zero, end), max(abs(end - zero), 1)
        out.append(f'<text x="{left - 8}" y="{top + 14}" text-anchor="end">{escaped(short(label, 24))}</text>')
        out.append(f'<rect x="{start}" y="{top + 2}" width="{width}" height="{row - 6}" fill="#3b6ea5"/>')
        out.append(f'<text x="{max(zero, end) + 6}" y="{top + 14}">{as_number(number)}</text>')
    return out

def line(left, wide, tall):
    steps, marks, out = max(len(points) - 1, 1), [], []
    every = (len(points) + 11) // 12
    for at, (label, number) in enumerate(points):
        across, down = left + wide * at // steps, 40 + tall - part(number, tall)
        marks.append(f"{across},{down}")
        out.append(f'<circle cx="{across}" cy="{down}" r="3" fill="#3b6ea5"/>')
        if at % every == 0:
            name = escaped(short(label, 10))
            out.append(f'<text x="{across}" y="{40 + tall + 18}" text-anchor="middle">{name}</text>')
    for number in (low, high):
        down = 44 + tall - part(number, tall)
        out.append(f'<text x="{left - 8}" y="{down}" text-anchor="end">{as_number(number)}</text>')
    return [f'<polyline points="{" ".join(marks)}" fill="none" stroke="#3b6ea5" stroke-width="2"/>'] + out

title = f"{y} by {x}"
if kind == "line":
    body, width, height = line(110, 600, 260), 760, 340
else:
    body, width, height = bars(190, 430, 22), 760, 60 + 22 * len(points)
svg = "\\n".join(
    [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
     f"<title>{escaped(title)}</title>",
     f'<text x="16" y="22" font-size="15">{escaped(short(title, 80))}</text>'] + body + ["</svg>"]
)
pad = max(len(short(label, 24)) for label, _ in points)
largest = max(abs(low), abs(high)) or Decimal(1)
text = "\\n".join(
    f"{short(label, 24).ljust(pad)} | {'█' * int(abs(number) * 40 / largest)} {as_number(number)}"
    for label, number in points
)
{"title": title, "text": text, "svg": svg, "points": len(points), "notes": notes}
"""
)
"""Takes `rows`, `x`, `y`, `kind`; gives a chart as SVG and as text."""
