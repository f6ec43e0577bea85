"""Medians, ratios, the table and the targets."""
import statistics

from measure import WORKLOADS

RIVAL = "nutcracker"
# Issue targets: CPU per request, keyway over nutcracker, saturated.
CPU_TARGETS = {"get64 c50 p1": 0.70, "get64 c50 p16": 0.23, "get64 c50 p64": 0.10,
               "get64 c500 p1": 0.60, "mget10 c50 p16": 0.50}


def pick(cells, setting, workload, subject):
    return [cell for cell in cells if cell["setting"] == setting and
            cell["workload"] == workload and cell["subject"] == subject]


def median(cells, setting, workload, subject, field):
    """The median of FIELD over the rounds, None when there is none."""
    values = [cell[field] for cell in pick(cells, setting, workload, subject) if field in cell]
    return statistics.median(values) if values else None


def ratio(cells, setting, workload, above, below, value):
    """The median over the rounds of VALUE(above) / VALUE(below), each within one round."""
    uppers = {c["round"]: c for c in pick(cells, setting, workload, above) if "rps" in c}
    lowers = {c["round"]: c for c in pick(cells, setting, workload, below) if "rps" in c}
    ratios = [value(uppers[r]) / value(lowers[r]) for r in uppers if r in lowers]
    return statistics.median(ratios) if ratios else None


def proxy_us(cell):
    return cell["proxy_us"]


def rps(cell):
    return cell["rps"]


def p99(cell):
    return cell["p99_us"]


def all_us(cell):
    return cell["proxy_us"] + cell["servers_us"]


def failures(cells, subject):
    return [cell for cell in cells if cell["subject"] == subject and cell.get("failure")]


# ---- the table ----------------------------------------------------------------------------

def us(value):
    return f"{value:.2f}" if value < 9.95 else f"{value:.1f}"


def rate(value):
    return f"{value / 1e6:.2f}M" if value >= 999500 else f"{value / 1e3:.0f}k"


def load_text(cells, setting, workload, subject):
    found = pick(cells, setting, workload, subject)
    if not found:
        has_failed = any(c["setting"] == setting for c in failures(cells, subject))
        return "failed" if has_failed else "-"

    def of(field):
        return median(cells, setting, workload, subject, field)

    if of("rps") is None:
        return "failed"
    mark = " (errors!)" if any(cell.get("errors") for cell in found) else ""
    return (f"{us(of('proxy_us'))} + {us(of('servers_us'))}, {rate(of('rps'))}, "
            f"{of('p50_us') / 1e3:.2f} / {of('p99_us') / 1e3:.2f}{mark}")


def ratio_text(value):
    return "-" if value is None else f"{value:.2f}"


def load_rows(result):
    cells = result["cells"]
    for setting in ("saturated", "real"):
        for workload in [w[0] for w in WORKLOADS]:
            if not any(pick(cells, setting, workload, s) for s in result["subjects"]):
                continue
            row = [f"{setting}: {workload}"]
            row += [load_text(cells, setting, workload, s) for s in result["subjects"]]
            row += [ratio_text(ratio(cells, setting, workload, "keyway", RIVAL, value))
                    for value in (proxy_us, rps, p99)]
            yield row


def plain_row(result, title, setting, workload, field, form):
    cells = result["cells"]
    values = {s: median(cells, setting, workload, s, field) for s in result["subjects"]}
    texts = ["-" if v is None else form.format(v) for v in values.values()]
    ours, theirs = values.get("keyway"), values.get(RIVAL)
    share = ratio_text(ours / theirs) if ours is not None and theirs else "-"
    return [title, *texts, share, "-", "-"]


def one_row(result, subject, title):
    cells = result["cells"]
    workload = "get64 c500 p1"
    values = [load_text(cells, "one", workload, s) if s in ("keyway", "direct") else "-"
              for s in result["subjects"]]
    if "direct" in result["subjects"]:
        values[result["subjects"].index("direct")] = load_text(cells, "one", workload, subject)
    ratios = [ratio(cells, "one", workload, "keyway", subject, value)
              for value in (all_us, rps, p99)]
    return [title, *values, *map(ratio_text, ratios)]


def table(result):
    """The markdown table with everything in it."""
    ran = {cell["setting"] for cell in result["cells"]}
    subjects = result["subjects"]
    rows = list(load_rows(result))
    if "one" in ran:
        rows.append(one_row(result, "direct", "one server, c500 p1 (ratios to direct)"))
        rows.append(one_row(result, "direct-alone", "the same, direct server alone on a CPU"))
    if "memory" in ran:
        rows.append(plain_row(result, "KiB per idle client", "memory", "idle", "kib_per_client",
                              "{:.2f}"))
        rows.append(plain_row(result, "idle RSS, KiB", "memory", "idle", "idle_rss_kib",
                              "{:.0f}"))
    if "startup" in ran:
        rows.append(plain_row(result, "first reply, ms", "startup", "first reply",
                              "first_reply_ms", "{:.1f}"))
    head = ["", *subjects, "CPU ratio", "rate ratio", "p99 ratio"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    lines += ["", "Cells: CPU us per request of the proxy + of the servers, requests/s, "
              "p50 / p99 ms (of a batch of P requests); medians of "
              f"{result['rounds']} round(s) of {result['seconds']} s.",
              f"Ratios: keyway / {RIVAL}, median of the rounds' ratios; in the rows `one server` "
              "keyway / direct, CPU of proxy and server together."]
    return "\n".join(lines + notes(result))


def notes(result):
    """Lines about what makes a figure doubtful."""
    lines = []
    for subject in result["absent"]:
        lines.append(f"Not installed, so not measured: {subject}.")
    for subject in result["subjects"]:
        bad = failures(result["cells"], subject)
        if bad:
            lines.append(f"{subject}: {len(bad)} cells failed, first: {bad[0]['setting']} "
                         f"{bad[0]['workload']}: {bad[0]['failure']}")
    shares = [cell["strangers_share"] for cell in result["cells"] if "strangers_share" in cell]
    if shares and max(shares) >= 0.03:
        noisy = sum(share >= 0.03 for share in shares)
        lines.append(f"Other programs were running: in {noisy} of {len(shares)} cells they took "
                     f"3 % of the machine or more (mean {statistics.mean(shares):.0%}, most "
                     f"{max(shares):.0%}).")
    if result.get("stolen_share", 0) >= 0.01:
        lines.append(f"The hypervisor took {result['stolen_share']:.0%} of the CPU time.")
    idle = []
    for workload in [w[0] for w in WORKLOADS]:
        for subject in result["subjects"]:
            busy = median(result["cells"], "saturated", workload, subject, "proxy_busy")
            if subject != "direct" and busy is not None and busy < 0.9:
                idle.append(f"{subject} {workload} {busy:.0%}")
    if idle:
        lines.append("Saturated, but the other CPU (load and stub) was the limit; the proxy was "
                     "busy for: " + ", ".join(idle) + ".")
    return [""] + lines if lines else []


# ---- targets ------------------------------------------------------------------------------

def targets(result):
    """Yields (name, value or None, comparison, limit) per target of the issue."""
    cells = result["cells"]
    for workload, limit in CPU_TARGETS.items():
        value = ratio(cells, "saturated", workload, "keyway", RIVAL, proxy_us)
        yield f"CPU per request / {RIVAL}, saturated {workload}", value, "<=", limit
    workload = "get64 c500 p1"
    yield ("rate through keyway / direct, one server",
           ratio(cells, "one", workload, "keyway", "direct", rps), ">=", 1.4)
    yield ("CPU of proxy and server / direct, one server",
           ratio(cells, "one", workload, "keyway", "direct", all_us), "<=", 1.1)
    yield ("KiB per idle client", median(cells, "memory", "idle", "keyway", "kib_per_client"),
           "<=", 1.0)
    yield ("idle RSS, KiB", median(cells, "memory", "idle", "keyway", "idle_rss_kib"),
           "<=", 8192)
    yield ("first reply, ms",
           median(cells, "startup", "first reply", "keyway", "first_reply_ms"), "<=", 20)
    yield "failed cells of keyway", len(failures(cells, "keyway")), "<=", 0


def judge(result):
    """One line per target, and whether all that were measured are met."""
    lines = []
    is_met = True
    for name, value, comparison, limit in targets(result):
        if value is None:
            lines.append(f"----  {name}: not measured ({comparison} {limit})")
            is_met = False
            continue
        good = value <= limit if comparison == "<=" else value >= limit
        is_met = is_met and good
        lines.append(f"{'PASS' if good else 'MISS'}  {name}: {value:.4g} ({comparison} {limit})")
    return lines, is_met
