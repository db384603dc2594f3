"""The measurements of tools/bench. bench.py SHARED ROUNDS, from the top of the source tree."""
import datetime
import gzip
import os
import platform
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SHARED, ROUNDS = sys.argv[1], int(sys.argv[2])
TICKS = os.sysconf("SC_CLK_TCK")
BAR_SCAN, BAR_RSYSLOG, BAR_RSS_MIB, BAR_START_MS = 0.7, 3.0, 64, 100
BAR_DERIVED = 0.25
RSYSLOG_CONF = """module(load="imptcp")
module(load="mmjsonparse")
global(maxMessageSize="1m" workDirectory="{folder}")
template(name="raw" type="string" string="%msg%\\n")
main_queue(queue.size="100000" queue.dequeueBatchSize="1024")
input(type="imptcp" address="127.0.0.1" port="{port}")
action(type="mmjsonparse" cookie="")
if re_match_i($!CommandLine, "regsvr32.*scrobj") or re_match_i($!CommandLine, "[-/]i:(https?|ftp):") then {{
	action(type="omfile" file="{folder}/rsyslog.alerts" template="raw")
}}
"""


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return re.search(r"model name\s*: (.*)", f.read()).group(1)


def cpu_of(pid):
    """CPU seconds (user and system) of a process, all its threads."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_of(pid, which="VmHWM"):
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(re.search(rf"{which}:\s*(\d+)", f.read()).group(1)) / 1024


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def timed(args, **named):
    """CPU seconds of one run of a program on CPU 0."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(["taskset", "-c", "0", *args], stdin=subprocess.DEVNULL, capture_output=True,
                         check=True, **named)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), run


def verdict(ok):
    return "met" if ok else "MISSED"


def scan(corpus, size, folder):
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    squibly, bare, events = [], [], 0
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits both
        seconds, run = timed(["build/tests/bench/yajl_bare", corpus])
        bare.append(seconds)
        seconds, run = timed(["build/squibly", "scan", "--format", "json", corpus], env=env)
        squibly.append(seconds)
        events = int(re.search(rb"(\d+) events", run.stderr).group(1))
    ratio = min(bare) / min(squibly)
    print("squibly scan, rules and all, against bare yajl callbacks, CPU seconds on one core")
    print(f"  bare yajl     {size / min(bare) / 1e6:8.0f} MB/s   {min(bare):.2f} s")
    print(f"  squibly scan  {size / min(squibly) / 1e6:8.0f} MB/s   {min(squibly):.2f} s   "
          f"{events / min(squibly):.0f} events/s")
    print(f"  ratio {ratio:.2f} (bar {BAR_SCAN}: {verdict(ratio >= BAR_SCAN)})\n")
    return events


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
        _, run = timed(["build/tests/bench/derive_cost", path])
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
            used, run = timed(["build/squibly", "scan", "--rules", rules, "--format", "json", corpus], env=env)
            times.append(used)
            events = int(re.search(rb"(\d+) events", run.stderr).group(1))
    empty = os.path.join(folder, "empty.ndjson")
    with open(empty, "w", encoding="utf-8"):
        pass
    load = min(timed(["build/squibly", "scan", "--rules", "patterns", empty], env=env)[0] for _ in range(ROUNDS))
    cold = timed(["build/squibly", "scan", "--rules", "patterns", empty],
                 env=dict(env, XDG_CACHE_HOME=os.path.join(folder, "cold")))[0]
    with_pack, without = events / min(seconds["patterns"]), events / min(seconds[one])
    print("the shipped rules against a single one that never matches, events per CPU second")
    print(f"  with {with_pack:.0f}, without {without:.0f}, ratio {with_pack / without:.2f}")
    print(f"  loading them takes {load * 1000:.0f} ms of CPU with cached databases, {cold * 1000:.0f} ms with compiling\n")


def wait_port(port, process):
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"bench: {process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.002)
    raise SystemExit(f"bench: {process.args} does not listen")


def push(port, corpus):
    """Send the file over one connection, from CPU 1 (or wherever this runs)."""
    with socket.create_connection(("127.0.0.1", port)) as s, open(corpus, "rb") as f:
        s.sendfile(f)


def settle(pid):
    """Wait until the process has been idle for half a second; gives its CPU seconds."""
    last, since = cpu_of(pid), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        now = cpu_of(pid)
        if now > last + 0.015:
            last, since = now, time.monotonic()
    return cpu_of(pid)


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def squiblyd_config(folder, port):
    path = os.path.join(folder, "squiblyd.yaml")
    with open(path, "w", encoding="utf-8") as f:
        f.write(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:{port}\n"
                f"outputs:\n  - type: file\n    path: {folder}/squiblyd.alerts\n")
    return path


def start_squiblyd(folder, port, log):
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    return subprocess.Popen(["taskset", "-c", "0", "build/squiblyd", "-c", squiblyd_config(folder, port)],
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, env=env)


def run_squiblyd(corpus, folder, events):
    port = free_port()
    with open(os.path.join(folder, "squiblyd.log"), "w+", encoding="utf-8") as log:
        process = start_squiblyd(folder, port, log)
        try:
            wait_port(port, process)
            before = settle(process.pid)
            push(port, corpus)
            used = settle(process.pid) - before
            now, most = rss_of(process.pid, "VmRSS"), rss_of(process.pid)
        finally:
            stop(process)
        log.seek(0)
        text = log.read()
    received = int(re.findall(r"received (\d+) = ", text)[-1])
    if received != events:
        raise SystemExit(f"bench: squiblyd received {received} of {events} events")
    return used, now, most


def run_rsyslog(corpus, folder):
    port = free_port()
    conf = os.path.join(folder, "rsyslog.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(RSYSLOG_CONF.format(port=port, folder=folder))
    process = subprocess.Popen(["taskset", "-c", "0", shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin"),
                                "-n", "-f", conf, "-i", os.path.join(folder, "rsyslog.pid")],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    try:
        wait_port(port, process)
        before = settle(process.pid)
        push(port, corpus)
        used = settle(process.pid) - before
    finally:
        stop(process)
    with open(os.path.join(folder, "rsyslog.alerts"), "rb") as f:
        alerts = sum(1 for _ in f)
    if not alerts:
        raise SystemExit("bench: rsyslog found nothing; its figures would mean nothing")
    return used, alerts


def daemon(corpus, events, folder):
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(run_squiblyd(corpus, folder, events))
        theirs.append(run_rsyslog(corpus, folder))
    version = subprocess.run([shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin"), "-v"],
                             capture_output=True, text=True, check=True).stdout.split()[1]
    mine, other = min(o[0] for o in ours), min(t[0] for t in theirs)
    ratio = other / mine
    print("over loopback TCP, events per CPU second (user and system, all threads, on one core)")
    print(f"  rsyslog {version:10} imptcp, mmjsonparse, two re_match_i  {events / other:10.0f}   {other:.2f} s")
    print(f"  squiblyd           the shipped rules                    {events / mine:10.0f}   {mine:.2f} s")
    print(f"  ratio {ratio:.2f} (bar {BAR_RSYSLOG}: {verdict(ratio >= BAR_RSYSLOG)})\n")
    most = max(o[2] for o in ours)
    print(f"resident memory of squiblyd after that: {max(o[1] for o in ours):.1f} MiB, at most {most:.1f} MiB "
          f"(bar {BAR_RSS_MIB} MiB: {verdict(most <= BAR_RSS_MIB)})\n")


def start_once(folder):
    """Milliseconds from exec to the first connection taken."""
    port = free_port()
    with open(os.path.join(folder, "start.log"), "w", encoding="utf-8") as log:
        began = time.monotonic()
        process = start_squiblyd(folder, port, log)
        try:
            wait_port(port, process)
            return (time.monotonic() - began) * 1000
        finally:
            stop(process)


def start(folder):
    cold, warm = [], []
    for _ in range(max(ROUNDS, 3)):
        shutil.rmtree(os.path.join(folder, "cache"), ignore_errors=True)
        cold.append(start_once(folder))
        warm.append(start_once(folder))
    print(f"start to listening: {min(warm):.0f} ms with cached databases "
          f"(bar {BAR_START_MS} ms: {verdict(min(warm) <= BAR_START_MS)}), {min(cold):.0f} ms without")


def main():
    folder = tempfile.mkdtemp(prefix="squibly-bench-")
    try:
        corpus = os.path.join(folder, "corpus.ndjson")
        with open(corpus, "wb") as f:
            subprocess.run([os.path.join(SHARED, "tools", "corpus"), "-n", "10"], stdout=f, check=True)
        size = os.path.getsize(corpus)
        print(f"tools/bench {ROUNDS}: {datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %z}, {cpu_name()}, "
              f"{os.cpu_count()} CPUs, Linux {platform.release()}; {size / 1e6:.0f} MB; best of {ROUNDS}\n")
        with open(corpus, "rb") as f:  # into the page cache
            while f.read(1 << 24):
                pass
        events = scan(corpus, size, folder)
        pack(corpus, folder)
        derived(folder)
        daemon(corpus, events, folder)
        start(folder)
    finally:
        shutil.rmtree(folder)


main()
