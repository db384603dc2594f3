#!/usr/bin/env python3
"""Fail when an include points up the layers, a foreign header escapes its one file, or a file grows too long.

The picture of the layers is in docs/architecture.md; this is what enforces it.
"""
import pathlib
import re
import sys

RANK = {"lib/base": 0, "lib/text": 1, "lib/wire": 2, "lib/model": 3, "lib/derive": 4, "lib/rules": 4, "lib/engine": 5,
        "lib/host": 6, "daemon/base": 7, "daemon/flow": 8, "daemon/input": 9, "daemon/output": 9, "daemon/core": 10,
        "daemon": 11, "cli": 11}

# Replacing a library touches one file. (cli unpacks .gz and .zst files, which lib never sees.)
ONLY = {"uv.h": ("daemon/",), "hs.h": ("lib/rules/hsdb.c",), "hs/": ("lib/rules/hsdb.c",),
        "yajl/": ("lib/text/json.c",), "lmdb.h": ("lib/host/spool",), "yaml.h": ("lib/text/yaml.c",), "pcre2.h": ("lib/rules/regex.c",),
        "zlib.h": ("lib/wire/gelf.c", "lib/wire/lumber_out.c", "lib/wire/unpack.c", "cli/"), "zstd.h": ("lib/wire/unpack.c", "cli/"),
        "isa-l": ("lib/host/spool_chunk.c", "lib/wire/gzip.c", "lib/wire/unpack.c"), "http_parser.h": ("lib/wire/http.c",), "llhttp.h": ("lib/wire/http.c",), "openssl/": ("lib/host/hmac.c", "lib/host/tls"), "uthash.h": ("lib/", "daemon/"),
        "curl/": ("daemon/output/http_client.c",),
        "librdkafka/": ("daemon/base/kafka.c", "daemon/input/kafka", "daemon/output/kafka")}

# lib/ below lib/host is pure: no I/O, no threads, no clock.
IMPURE = {"unistd.h", "fcntl.h", "pthread.h", "threads.h", "sys/socket.h", "sys/stat.h", "dirent.h",
          "signal.h", "poll.h", "netdb.h", "time.h", "sys/time.h"}

MAX_LINES = 600
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|atoi|atol|gets|scanf|sscanf|strncpy|"
                    r"alloca|signal|system|localtime)\s*\(")
# C17 7.13.1.1: a call of setjmp may stand in few places, and the whole of what `if` asks is one.
JUMP = re.compile(r"\bsetjmp\s*\((?<!if \(setjmp\()")
MULTIPLIED = re.compile(r"\bmalloc\s*\([^;]*\*\s")


def code_of(text):
    """The text without comments and strings, line ends kept."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group(0))
    return re.sub(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def check(root):
    files = sorted(p for top in ("lib", "daemon", "cli") for p in (root / top).rglob("*.[ch]"))
    for path in files:
        name, text = str(path.relative_to(root)), path.read_text()
        here = name.rsplit("/", 1)[0]
        if here not in RANK:
            yield f"{name}: folder has no rank"
            continue
        if text.count("\n") > MAX_LINES:
            yield f"{name}: more than {MAX_LINES} lines; split it by subject"
        for number, line in enumerate(code_of(text).splitlines(), 1):
            found = BANNED.search(line)
            if found:
                yield f"{name}:{number}: {found.group(1)} is banned"
            if MULTIPLIED.search(line):
                yield f"{name}:{number}: malloc of a product; use calloc or reallocarray"
            if JUMP.search(line):
                yield f"{name}:{number}: setjmp is all that an if asks: if (setjmp(...))"
            if "//" in line:
                yield f"{name}:{number}: // comment"
        if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text):
            yield f"{name}: left for later; do it, or write an issue"
        for include in re.findall(r'^\s*#\s*include\s+[<"]([^>"]+)', text, re.M):
            for head, homes in ONLY.items():
                if include.startswith(head) and not name.startswith(homes):
                    yield f"{name}: {include} belongs in {', '.join(homes)}"
            if here.startswith("lib/") and RANK[here] < RANK["lib/host"] and include in IMPURE:
                yield f"{name}: {include} in lib, which is pure"
            there = include.rsplit("/", 1)[0]
            if there in RANK and RANK[there] > RANK[here]:
                yield f"{name}: {include} is a higher layer"
            if RANK.get(there) == RANK[here] and there != here:
                yield f"{name}: {include} is a sibling; meet in a lower layer"
            if here == "cli" and there.startswith("daemon"):
                yield f"{name}: {include}: the tool sees lib alone"


def main():
    findings = list(check(pathlib.Path(sys.argv[1])))
    print("\n".join(findings) or "layers are kept")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
