"""Read meson's testlog.json: print every failure in full, name what was skipped, add up the counts.

testlog.py COUNTS NAME LOG   adds "passed failed skipped" to the file COUNTS
"""
import json
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP", "IGNORED"}


def why_skipped(test):
    """What a test said of what it left out, or None. One that ran in part counts as skipped, too."""
    lines = (test.get("stdout") or "").splitlines() + (test.get("stderr") or "").splitlines()
    said = [line.strip() for line in lines if line.strip().lower().startswith("skipped:")]
    if said:
        return said[0][len("skipped:"):].strip()
    return "no reason given" if test["result"] in SKIPPED else None


def main():
    counts_path, name, log_path = sys.argv[1:]
    with open(counts_path, encoding="utf-8") as f:
        passed, failed, skipped = map(int, f.read().split())
    with open(log_path, encoding="utf-8") as f:
        tests = [json.loads(line) for line in f if line.strip()]
    bad = [t for t in tests if t["result"] not in PASSED | SKIPPED]
    left_out = [t for t in tests if t not in bad and why_skipped(t)]

    for test in bad:
        print(f"---- {name}: {test['name']}: {test['result']} after {test['duration']:.1f} s ----")
        print(" ".join(test["command"]))
        for stream in ("stdout", "stderr"):
            if test.get(stream):
                print(test[stream].rstrip("\n"))
        print("----")
    for test in left_out:
        print(f"   skipped {test['name']}: {why_skipped(test)}")
    good = len(tests) - len(bad) - len(left_out)
    print(f"   {good} passed, {len(bad)} failed, {len(left_out)} skipped")
    with open(counts_path, "w", encoding="utf-8") as f:
        f.write(f"{passed + good} {failed + len(bad)} {skipped + len(left_out)}\n")


main()
