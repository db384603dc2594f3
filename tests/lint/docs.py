#!/usr/bin/env python3
"""Fail when the documents name what is not there, or a counter, an option or a section is without a test or a word.

- Files and folders in backticks exist (with * for any part), links and their anchors lead somewhere.
- Every name_with_underscores in backticks (option, counter, member, function) is a word of the tree; but for docs/decisions, which
  tell of other programs, and of what was tried.
- Every section of the configuration is in the table of docs/configuration.md.
- Every counter, every number of an output and every option is named by some test.
- Every option that a program takes is in its --help.
"""
import fnmatch
import os
import re
import sys

# Names that belong to other programs.
FOREIGN = {"auto_configure", "do_softirq", "event_data_as_map", "json_lines", "max_elapsed_time", "om_tcp",
           "otlp_json", "proxy_protocol", "raw_json", "render_event_as_xml", "retry_on_failure", "send_batch_max_size", "splunk_hec",
           "tcp_rmem", "to_json"}
SOURCES = ("cli", "conf", "daemon", "lib", "patterns", "systemd", "tests", "tools")
WORD = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")


def tree(root):
    for folder, folders, names in os.walk(root):
        folders[:] = [f for f in folders if not f.startswith((".", "build")) and f not in ("corpus", "__pycache__")]
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), root)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as f:
        return f.read()


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def is_there(files, path):
    path = path.rstrip("/")
    return any(fnmatch.fnmatch(f, path) or fnmatch.fnmatch(f, path + ".c") or fnmatch.fnmatch(f, path + "/*") for f in files)


def check_links(root, doc, text):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)#?([^)\s]*)\)", text):
        path = os.path.normpath(os.path.join(os.path.dirname(doc), target)) if target else doc
        if target.startswith("http"):
            continue
        if not os.path.exists(os.path.join(root, path)):
            yield f"{doc}: {target} is not there"
        elif anchor and anchor not in [slug(h) for h in re.findall(r"(?m)^#+ (.*)$", read(root, path))]:
            yield f"{doc}: {target}#{anchor} is no heading"


def check_names(files, words, doc, text):
    for quoted in re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text)):
        if re.fullmatch(r"[\w.*/-]+", quoted) and quoted.split("/")[0] in SOURCES + ("docs",) and "/" in quoted:
            if not is_there(files, quoted):
                yield f"{doc}: there is no {quoted}"
        for word in WORD.findall(quoted):
            if word not in words and word not in FOREIGN and not doc.startswith("docs/decisions/"):
                yield f"{doc}: nothing is called {word}"


def check_helps(file, text):
    """Options of getopt, and the help in the same file."""
    for option in re.findall(r'\{ "([a-z-]+)", \w+_argument,', text):
        if not re.search(rf'"[^"\n]*--{option}[ =,\\]', text):
            yield f"{file}: --help does not name --{option}"


def sections(root):
    """Keys at the top level of the commented configuration that hold more than a value."""
    return re.findall(r"(?m)^#?([a-z_]+):$", read(root, "conf/squiblyd.yaml"))


def main():
    root = sys.argv[1]
    files = sorted(tree(root))
    sources = [f for f in files if f.split("/")[0] in SOURCES and not f.endswith(".md")]
    texts = {f: read(root, f) for f in sources}
    words = set(re.findall(r"\w+", "\n".join(sources))).union(*(re.findall(r"\w+", t) for t in texts.values()))
    tested = set().union(*(re.findall(r"\w+", re.sub(r"\\[nrt]", " ", t)) for f, t in texts.items() if f.startswith("tests/")))
    findings = []
    for doc in (f for f in files if f.endswith(".md")):
        findings += check_links(root, doc, read(root, doc))
        findings += check_names(files, words, doc, read(root, doc))
    table = read(root, "docs/configuration.md")
    findings += [f"docs/configuration.md: no row for `{s}`" for s in sections(root) if f"| `{s}` |" not in table]
    counters = re.findall(r"X\((\w+),\s*(?:INFO|TERM|DROP)", texts["lib/base/counters.h"])
    findings += [f"lib/base/counters.h: no test names the counter {c}" for c in counters if c not in tested]
    for f, text in texts.items():
        if f.startswith(("cli/", "daemon/")):
            findings += check_helps(f, text)
        if f.startswith("daemon/"):  # { "sent", c->sent, "Messages written" ...
            findings += [f"{f}: no test names {n}" for n in re.findall(r'\{\s*"([a-z_]+)",[^"{}]+,\s*"[A-Z][^"]{8,}"', text) if n not in tested]
        if f.startswith(("lib/", "daemon/")):
            findings += [f"{f}: no test names the option {o}" for o in re.findall(r'\{ *"(\w+)", *SQ_OPT_', text) if o not in tested]
    print("\n".join(findings) or f"{len(counters)} counters and all documents are in order")
    return bool(findings) or len(counters) < 20


if __name__ == "__main__":
    sys.exit(main())
