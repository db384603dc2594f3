#!/usr/bin/env python3
"""Fail when docs/counters.md is not the program's own list of its counters; with --write, make it so.

The list is read where the program has it: the rows of lib/base/counters.h, and of each table of struct sqd_metric in daemon/. A
table in a function that has no section here is an error, as is one in which nothing is found.
"""
import os
import re
import sys

SECTIONS = [  # function, heading, sentence
    ("records_account", "Accounts", "The first two accounts of `squibly status`, `records` and `alerts`, have besides:"),
    ("sqd_daemon_input_metrics", "Of each input", "`.inputs` of `--json`."),
    ("print_loop", "Of each loop", "Where there are several `loops`: SIGUSR1 and the end print them."),
    ("sqd_outqueue_metrics", "Of each output", "`.accounts` of `--json`, dead letters last. Messages are alerts, records that are "
     "forwarded, or dead letters."),
    ("add_forward", "Of an output that forwards records", "Besides those of each output."),
    ("sqd_outspool_metrics", "Of an output with a spool", "Besides those of each output."),
    ("print_answers", "Answers", "`.unanswered` of `--json`."),
]
SAME = {"alerts_account": "records_account"}  # tables of one section
HEAD = """# Counters

Every number that squiblyd counts, in the words in which `squibly status` and the tables at SIGUSR1 tell it. What to do about those that matter is in
[operations.md](operations.md#counters). This page is made from the source by `tests/lint/counters.py . --write`, and a test compares them.

`squibly status --json` has all of them but those of a loop; tables for people leave out most that are zero. A counter begins at zero with
squiblyd, and only grows, but those that tell how much there is now. The column "Place" says where a number stands in the account of its table:
what came = delivered + waiting + spared + dropped. Those without a place are in no account.
"""
TEXT = r'((?:"(?:[^"\\\n]|\\.)*"\s*)+)'
ROW = re.compile(r'\{\s*"([a-z_]+)",([^"{}]+),\s*' + TEXT + r'(?:,\s*(?:true|false)(?:,\s*SQD_(\w+))?)?\s*\}')
PLACES = {"received": "came", "TERM": "delivered", "DROP": "dropped", "INFO": ""}


def said(text):
    return re.sub(r'"\s*"', "", text.strip())[1:-1].replace("|", "\\|")


def table(rows):
    return "\n| Counter | Place | What it counts |\n|---|---|---|\n" + "".join(f"| `{n}` | {p} | {h} |\n" for n, p, h in rows)


def totals(root):
    with open(os.path.join(root, "lib/base/counters.h"), encoding="utf-8") as f:
        for name, kind, text in re.findall(r"X\((\w+),\s*(INFO|TERM|DROP),\s*" + TEXT + r"\)", f.read()):
            yield name, PLACES.get(name, PLACES[kind]), said(text)


def tables(root):
    """Of each function with rows: those."""
    for folder, _, names in sorted(os.walk(os.path.join(root, "daemon"))):
        for name in sorted(n for n in names if n.endswith(".c")):
            with open(os.path.join(folder, name), encoding="utf-8") as f:
                functions = re.split(r"(?m)^(?=\w[^;{}]*\)\n\{$)", f.read())
            for text in functions:
                written = re.findall(r"struct sqd_metric \w+(?:\[\])? = (\{.*?\});", text, re.S)
                rows = [(n, (p or "").lower(), said(h)) for w in written for n, _, h, p in ROW.findall(w)]
                n = sum(len(re.findall(r'\{\s*"', w)) for w in written)
                if n:
                    yield re.match(r"[^(]*?(\w+)\(", text).group(1), rows, n


def page(root):
    found = {}
    for function, rows, n in tables(root):
        function = SAME.get(function, function)
        if function not in [s[0] for s in SECTIONS] or len(rows) != n:
            sys.exit(f"{function}(): {len(rows)} counters were understood of {n}, or it has no section")
        found[function] = found.get(function, []) + rows
    text = HEAD + "\n## Of all that comes in\n\n`.counters` of `--json`.\n" + table(totals(root))
    for function, heading, sentence in SECTIONS:
        text += f"\n## {heading}\n\n{sentence}\n" + table(found[function])
    return text


def main():
    root = sys.argv[1]
    path, text = os.path.join(root, "docs/counters.md"), page(root)
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
    with open(path, encoding="utf-8") as f:
        if f.read() != text:
            print("docs/counters.md is not what the program counts: run tests/lint/counters.py . --write")
            return 1
    print(f"docs/counters.md has all {text.count('| `')} counters")
    return 0


if __name__ == "__main__":
    sys.exit(main())
