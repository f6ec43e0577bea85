"""lint_lib.py - what the lint-* programs share: which files, their text without comments, reports.

A checker collects findings with report() and ends with finish(), which prints them as
`file:line: rule: what to do` and exits non-zero when there are any.
"""

import argparse
import glob
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)

COMPILE = ["-std=c11", "-D_GNU_SOURCE", "-Isrc", "-I.", "-Wall", "-Wextra", "-Werror"]

findings = []


def arguments(doc, *extra):
    """The command line; each of EXTRA is (name, options) for add_argument."""
    parser = argparse.ArgumentParser(description=doc.strip().split("\n")[0])
    parser.add_argument("--build", default="build", help="the folder that was built into")
    for name, options in extra:
        parser.add_argument(name, **options)
    return parser.parse_args()


def sources(*endings, roots=("src",)):
    """The paths under ROOTS that end in one of ENDINGS, sorted."""
    found = []
    for root in roots:
        for ending in endings:
            found += glob.glob(f"{root}/**/*{ending}", recursive=True)
    return sorted(found)


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def room_of(path):
    """"net" for src/net/sock.c, None for src/main.c."""
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else None


TOKEN = re.compile(r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""",
                   re.VERBOSE | re.DOTALL)


def without_comments(text, keep_strings=False):
    """TEXT with comments (and the insides of strings) blanked; every line stays where it was."""
    def blank(match):
        token = match.group()
        if token[0] == "/":
            return re.sub(r"[^\n]", " ", token)
        return token if keep_strings else token[0] + " " * (len(token) - 2) + token[-1]
    return TOKEN.sub(blank, text)


class Function:
    """A function's definition: its name, the lines it spans, its parameters and its body."""

    def __init__(self, head, first_line, last_line, body):
        self.first_line = first_line
        self.last_line = last_line
        self.lines_count = last_line - first_line + 1
        self.body = body
        opening = head.find("(")
        self.name = (re.findall(r"\w+", head[:opening]) or ["?"])[-1]
        self.is_static = re.match(r"\s*static\b", head) is not None
        inside = head[opening + 1:head.rfind(")")].strip()
        self.params_count = 0 if inside in ("", "void") else split_count(inside)


def split_count(text):
    """How many parts the commas outside of parentheses make."""
    depth = 0
    count = 1
    for char in text:
        depth += (char == "(") - (char == ")")
        count += char == "," and depth == 0
    return count


def functions_of(text):
    """The functions TEXT defines. The house's format makes this easy: a function's opening brace is
    the only thing ever alone at the start of a line, and so is the closing one."""
    lines = without_comments(text).split("\n")
    found = []
    for index, line in enumerate(lines):
        if line.rstrip() != "{":
            continue
        first = index
        while first > 0 and lines[first - 1].strip() and lines[first - 1][0] not in "#}" \
                and not lines[first - 1].rstrip().endswith((";", "}")):
            first -= 1
        last = index
        while last < len(lines) - 1 and lines[last].rstrip() != "}":
            last += 1
        found.append(Function(" ".join(lines[first:index]), first + 1, last + 1,
                              "\n".join(lines[index:last + 1])))
    return found


def line_at(text, offset):
    return text.count("\n", 0, offset) + 1


def report(path, line, rule, message):
    findings.append((path, line, rule, message))


def note(message):
    """Something worth knowing that is no failure."""
    print(f"{os.path.basename(sys.argv[0])}: {message}")


def finish():
    for path, line, rule, message in sorted(findings):
        print(f"{path}:{line}: {rule}: {message}")
    sys.exit(1 if findings else 0)


def run_all(commands):
    """Run COMMANDS, as many at a time as there are processors; their (status, output), in order."""
    def run(command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace")
        return done.returncode, done.stdout
    with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
        return list(pool.map(run, commands))


COMPLAINT = re.compile(r"(?:\./)?([^:\s]+):(\d+):(?:\d+:)? (?:fatal )?(?:error|warning): (.*)")


def report_compiler(path, rule, output, advice):
    """Hand on the first complaint in a compiler's OUTPUT, with its own place where it names one."""
    for line in output.split("\n"):
        match = COMPLAINT.match(line)
        if match:
            report(match.group(1), int(match.group(2)), rule, f"{match.group(3)} ({advice})")
            return
    report(path, 1, rule, f"{output.strip() or 'no output'} ({advice})")
