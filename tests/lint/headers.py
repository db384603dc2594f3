#!/usr/bin/env python3
"""Fail when a header does not compile alone: whoever includes it must need nothing else before it."""
import pathlib
import subprocess
import sys


def main():
    root = pathlib.Path(sys.argv[1])
    compiler = sys.argv[2:]  # More than one word where it runs behind ccache, which meson puts there by itself.
    bad = 0
    for header in sorted(p for top in ("lib", "daemon", "cli") for p in (root / top).rglob("*.h")):
        done = subprocess.run([*compiler, "-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only",
                               "-I", str(root), "-include", str(header), "-x", "c", "/dev/null"],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            bad += 1
            print(f"{header.relative_to(root)}:\n{done.stderr}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
