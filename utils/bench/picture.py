"""Draws the figures of the saturated setting as an SVG: hand-written bars, no library.

Left: CPU per request; right: throughput. One group of bars per workload, each scaled to the
longest of its group. The colours follow the reader's light or dark mode; the page has a ground
of its own, so that it stays readable where only one of picture and README follows.
"""
from xml.sax.saxutils import escape

from report import median

ROWS = [("get64 c50 p1", "50 clients, no pipeline"), ("get64 c50 p16", "50 clients, pipeline 16"),
        ("get64 c50 p64", "50 clients, pipeline 64"), ("get64 c500 p1", "500 clients, no pipeline")]
SUBJECTS = ["keyway", "nutcracker", "haproxy"]
NAMES = {"haproxy": "haproxy tcp"}
WIDTH = 840
BAR = 16
STEP = 21
GROUP_GAP = 36
LEFT = {"cpu": 96, "rate": 508}
BAR_MAX = 230
TOP = 92

STYLE = """
.page { fill: #ffffff; }
text { font: 13px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 17px; font-weight: 600; }
.head, .group { font-weight: 600; }
.soft { fill: #59636e; font-size: 12px; }
.ours { font-weight: 600; }
.keyway { fill: #1f6feb; }
.nutcracker { fill: #8c959f; }
.haproxy { fill: #c4ccd4; }
@media (prefers-color-scheme: dark) {
  .page { fill: #0d1117; }
  text { fill: #e6edf3; }
  .soft { fill: #9198a1; }
  .keyway { fill: #4493f8; }
  .nutcracker { fill: #7d8590; }
  .haproxy { fill: #484f58; }
}
"""


def us(value):
    return f"{value:.2f} µs" if value < 9.95 else f"{value:.1f} µs"


def rate(value):
    return f"{value / 1e6:.2f} M/s" if value >= 999500 else f"{value / 1e3:.0f} k/s"


def text(x, y, words, kind="", anchor="start"):
    return (f'<text x="{x:g}" y="{y:g}" class="{kind}" text-anchor="{anchor}">'
            f"{escape(words)}</text>")


def bars(values, column, y, form):
    """One group of one column; VALUES by subject."""
    longest = max(values.values())
    parts = []
    for i, (subject, value) in enumerate(values.items()):
        width = max(2, value / longest * BAR_MAX)
        at = y + i * STEP
        ours = "ours" if subject == "keyway" else ""
        if column == "cpu":
            parts.append(text(LEFT[column] - 8, at + 13, NAMES.get(subject, subject), ours,
                              "end"))
        parts.append(f'<rect x="{LEFT[column]}" y="{at}" width="{width:.1f}" height="{BAR}" '
                     f'rx="2" class="{subject}"/>')
        parts.append(text(LEFT[column] + width + 6, at + 13, form(value), ours))
    return parts


def can_draw(result):
    return all(median(result["cells"], "saturated", workload, subject, "proxy_us") is not None
               for workload, _ in ROWS for subject in ("keyway", "nutcracker"))


def draw(result):
    """The SVG of RESULT as text; can_draw must hold."""
    cells = result["cells"]
    parts = [text(16, 30, "GET 64 B, one proxy worker on one core, instant servers behind it",
                  "title"),
             text(LEFT["cpu"], 58, "CPU per request (shorter is better)", "head"),
             text(LEFT["rate"], 58, "Requests per second (longer is better)", "head")]
    y = TOP
    for workload, title in ROWS:
        parts.append(text(LEFT["cpu"], y - 8, title, "soft"))
        parts.append(text(LEFT["rate"], y - 8, title, "soft"))
        for column, field, form in (("cpu", "proxy_us", us), ("rate", "rps", rate)):
            values = {s: median(cells, "saturated", workload, s, field) for s in SUBJECTS}
            parts += bars({s: v for s, v in values.items() if v is not None}, column, y, form)
        y += len(SUBJECTS) * STEP + GROUP_GAP
    machine = result["machine"]
    versions = ", ".join(f"{s} {result['versions'].get(s, '')}".strip() for s in SUBJECTS)
    foot = (f"{versions}; {machine['cpu']}, {machine['cpus']} cores; medians of "
            f"{result['rounds']} rounds; `make bench`, {result['date'][:10]}")
    parts.append(text(16, y, foot, "soft"))
    height = y + 16
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
            f'width="{WIDTH}" height="{height}" role="img" aria-label="CPU per request and '
            'requests per second of keyway, nutcracker and haproxy">')
    ground = '<rect class="page" width="100%" height="100%" rx="6"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", ground, *parts, "</svg>", ""])
