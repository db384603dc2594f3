#!/usr/bin/env python3
"""Fail when libsquibly.a asks for anything that touches the world: files, sockets, threads, clocks, a loop."""
import re
import subprocess
import sys

IMPURE = re.compile(r"^(uv_\w+|open|openat|fopen|freopen|read|write|close|socket|connect|bind|listen|accept4?|send\w*|recv\w*|"
                    r"pthread_(?!self|once)\w+|thrd_\w+|clock_gettime|gettimeofday|time|localtime\w*|getenv|syslog|"
                    r"printf|puts|putchar|perror|system|fork|exec\w+|sleep|usleep|nanosleep|rand|random)(@.*)?$")
# Aborting is allowed to say why (lib/base/base.c).
EXCUSED = {"base.c.o": {"fprintf", "stderr", "abort"}}


def main():
    member, findings = "", []
    for line in subprocess.run(["nm", "-u", sys.argv[1]], check=True, capture_output=True, text=True).stdout.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif line.strip():
            symbol = line.split()[-1]
            home = member.rsplit("_", 1)[-1]
            if IMPURE.match(symbol) and symbol not in EXCUSED.get(home, ()):
                findings.append(f"{member}: {symbol}")
    print("\n".join(findings) or "libsquibly is pure")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
