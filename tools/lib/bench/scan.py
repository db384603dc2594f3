"""squibly scan against bare yajl, the shipped rules against nearly none, the cost of derived fields."""
import gzip
import os
import re
import shutil
import subprocess

from common import BUILD, COPIES, ROUNDS, SHARED, by_the_clock, free_memory, on_disk, timed, verdict

BAR_SCAN, BAR_DERIVED, BAR_RG_CLOCK, BAR_RG_CPU = 0.7, 0.25, 0.6, 0.8
RG_BYTES = 100_000_000  # of the file that is searched, for each copy of the corpus that the others take


def scan(corpus, size, events, folder):
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    squibly, bare = [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits both
        seconds, run = timed([f"{BUILD}/tests/bench/yajl_bare", corpus])
        bare.append(seconds)
        seconds, run = timed([f"{BUILD}/squibly", "scan", "--format", "json", corpus], env=env)
        squibly.append(seconds)
        if int(re.search(rb"(\d+) events", run.stderr).group(1)) != events:
            raise SystemExit(f"bench: squibly scan did not see {events} events")
    ratio = min(bare) / min(squibly)
    print("squibly scan, rules and all, against bare yajl callbacks, CPU seconds on one core")
    print(f"  bare yajl     {size / min(bare) / 1e6:8.0f} MB/s   {min(bare):.2f} s")
    print(f"  squibly scan  {size / min(squibly) / 1e6:8.0f} MB/s   {min(squibly):.2f} s   "
          f"{events / min(squibly):.0f} events/s")
    print(f"  ratio {ratio:.2f} (bar {BAR_SCAN}: {verdict(ratio >= BAR_SCAN)})\n")


def big_file(corpus, size, folder):
    """The corpus until there is 1 GB (10 copies), in the page cache. @return (path, bytes); no path: no room"""
    times = -(-RG_BYTES * COPIES // size)
    if min(shutil.disk_usage(folder).free, free_memory()) < 2 * times * size:
        return None, times * size
    path = os.path.join(folder, "big.ndjson")
    with open(path, "wb") as f:
        for _ in range(times):
            with open(corpus, "rb") as part:
                shutil.copyfileobj(part, f, 1 << 20)
        on_disk(f)
    return path, times * size


def scan_rg(corpus, size, events, folder):
    """A file that both read from the page cache; ripgrep only looks for two words in it."""
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    path, total = big_file(corpus, size, folder)
    if not path:
        print(f"skipped: squibly scan against ripgrep: no room for a file of {total / 1e9:.1f} GB in {folder} and in "
              "memory (TMPDIR)\n")
        return
    squibly, rg, output = [], [], os.path.join(folder, "scan.out")
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits both
        rg.append(by_the_clock(["rg", "-c", "-i", "regsvr32|scrobj", path], output))
        squibly.append(by_the_clock([f"{BUILD}/squibly", "scan", "--format", "json", path], output, env))
        if int(re.search(rb"(\d+) events", squibly[-1][2]).group(1)) != total // size * events:
            raise SystemExit(f"bench: squibly scan did not see {total // size * events} events")
    os.unlink(path)
    clock, cpu = (min(s[i] for s in squibly) / min(r[i] for r in rg) for i in (0, 1))
    version = subprocess.run(["rg", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    print(f"a file of {total / 1e9:.2f} GB in the page cache, {os.cpu_count()} CPUs, alerts to a file")
    for name, runs in ((f"ripgrep {version}, -c -i 'regsvr32|scrobj'", rg),
                       ("squibly scan, the shipped rules", squibly)):
        seconds, used = (min(run[i] for run in runs) for i in (0, 1))
        print(f"  {name:40} {seconds:.3f} s by the clock ({total / seconds / 1e6:.0f} MB/s), {used:.3f} CPU seconds")
    print(f"  ratio by the clock {clock:.2f} (bar {BAR_RG_CLOCK}: {verdict(clock <= BAR_RG_CLOCK)}), "
          f"of CPU seconds {cpu:.2f} (bar {BAR_RG_CPU}: {verdict(cpu <= BAR_RG_CPU)})\n")


def process_events(folder, corpus):
    """Two files: the corpus once, and that with the labelled starts of processes in two shapes."""
    real, both = os.path.join(folder, "real.ndjson"), os.path.join(folder, "both.ndjson")
    with open(real, "wb") as f:
        subprocess.run([corpus, "-n", "1"], stdout=f, check=True)
    shutil.copyfile(real, both)
    with open(both, "ab") as f:
        for shape in ("nxlog", "winlogbeat"):
            with gzip.open(os.path.join(SHARED, "labelled", f"commandlines.{shape}.jsonl.gz")) as labelled:
                shutil.copyfileobj(labelled, f)
    return real, both


def derived(folder):
    print("derived fields of the start of a process against reading it, CPU nanoseconds an event")
    for name, path in zip(("the corpus", "with labelled attacks"),
                          process_events(folder, os.path.join(SHARED, "tools", "corpus"))):
        _, run = timed([f"{BUILD}/tests/bench/derive_cost", path])
        events, read, derive = (int(n) for n in run.stdout.split())
        ratio = derive / read
        print(f"  {name:22} {events:6} events   read {read:6}   derive {derive:6}   {100 * ratio:.0f} % "
              f"(bar {100 * BAR_DERIVED:.0f} %: {verdict(ratio <= BAR_DERIVED)})")
    print()


NOTHING = """title: Nothing
logsource:
  product: windows
  category: process_creation
detection:
  selection:
    Image: nothing
  condition: selection
level: low
"""


def pack(corpus, folder):
    """What the shipped rules cost beside one that never matches, and what loading them takes."""
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    one = os.path.join(folder, "one.yml")
    with open(one, "w", encoding="utf-8") as f:
        f.write(NOTHING)
    events, seconds = 0, {"patterns": [], one: []}
    for _ in range(ROUNDS):
        for rules, times in seconds.items():
            used, run = timed([f"{BUILD}/squibly", "scan", "--rules", rules, "--format", "json", corpus], env=env)
            times.append(used)
            events = int(re.search(rb"(\d+) events", run.stderr).group(1))
    empty = os.path.join(folder, "empty.ndjson")
    with open(empty, "w", encoding="utf-8"):
        pass
    load = min(timed([f"{BUILD}/squibly", "scan", "--rules", "patterns", empty], env=env)[0] for _ in range(ROUNDS))
    cold = timed([f"{BUILD}/squibly", "scan", "--rules", "patterns", empty],
                 env=dict(env, XDG_CACHE_HOME=os.path.join(folder, "cold")))[0]
    with_pack, without = events / min(seconds["patterns"]), events / min(seconds[one])
    print("the shipped rules against a single one that never matches, events per CPU second")
    print(f"  with {with_pack:.0f}, without {without:.0f}, ratio {with_pack / without:.2f}")
    print(f"  loading them takes {load * 1000:.0f} ms of CPU with cached databases, {cold * 1000:.0f} ms with compiling\n")
