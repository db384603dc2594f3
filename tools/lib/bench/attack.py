"""The worst case: every event is an attack. squiblyd against what it was before it was made fast."""
import gzip
import json
import os
import re
import shutil
import subprocess

from common import BUILD, COPIES, ROUNDS, SHARED, Squiblyd, load, on_disk, verdict

BAR_ATTACK = 4.0
BEFORE = "045fe34"  # the last commit that reads every event whole, by yajl
EVENTS = 10000      # for each copy of the corpus that the other measurements take
NUMBER = re.compile(rb'("(?:RecordNumber|EventRecordID|record_id|RecordId)": ?"?)\d+')
HOST = re.compile(rb'"(?:Hostname|Computer|computer_name)": ?"([^"]+)"')


def program_before():
    """squiblyd of that commit, as tools/build makes it. @return its path, or None where git does not have it"""
    folder = os.path.join(BUILD, f"before-{BEFORE}")
    program = os.path.join(folder, "build", "daemon", "squiblyd")
    if os.access(program, os.X_OK):
        return program
    source = os.path.join(folder, "source")
    os.makedirs(source, exist_ok=True)
    tree = subprocess.run(["git", "archive", BEFORE], capture_output=True, check=False) if shutil.which("git") else None
    if not tree or tree.returncode:
        return None
    subprocess.run(["tar", "-x", "-C", source], input=tree.stdout, check=True)
    for args in (["meson", "setup", f"{folder}/build", source, "--buildtype=release", "-Dtests=false"],
                 ["ninja", "-C", f"{folder}/build", "daemon/squiblyd"]):
        subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return program


def attacks(corpus, folder):
    """What alerts, of the corpus and of the labelled command lines: each event once, as it was sent."""
    labelled = os.path.join(folder, "labelled.ndjson")
    with open(labelled, "wb") as f:
        for shape in ("nxlog", "winlogbeat"):
            with gzip.open(os.path.join(SHARED, "labelled", f"commandlines.{shape}.jsonl.gz")) as lines:
                f.write(lines.read())
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    found = subprocess.run([f"{BUILD}/squibly", "scan", "-q", "--format", "json", corpus, labelled], env=env,
                           stdin=subprocess.DEVNULL, capture_output=True, check=True).stdout
    return list(dict.fromkeys(json.loads(alert)["event"]["original"].encode() for alert in found.splitlines()))


def attack_file(corpus, folder):
    """Attacks over and over, each time of other hosts and with other record numbers, so that none is a repetition."""
    path, events = os.path.join(folder, "attacks.ndjson"), attacks(corpus, folder)
    rounds = max(EVENTS * COPIES // len(events), 1)
    number = 1000000
    with open(path, "wb") as f:
        for i in range(rounds):
            for event in events:
                number += 1
                event = NUMBER.sub(rb"\g<1>%d" % number, event)
                for host in set(HOST.findall(event)):
                    event = event.replace(host, b"WS%06d.corp.example" % i)
                f.write(event + b"\n")
        on_disk(f)
    return path, rounds * len(events), len(events)


def attack(corpus, folder):
    before = program_before()
    if not before:
        print(f"skipped: every event an attack: git has no commit {BEFORE} here\n")
        return
    path, events, different = attack_file(corpus, folder)
    now = f"{BUILD}/squiblyd"
    used, alerts = {before: [], now: []}, {}
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits both
        for program, times in used.items():
            with Squiblyd(folder, "tcp", program=program) as server:
                load("send_many", path, server.port, 1, 1)
                times.append(server.served())
            server.expect(events)
            alerts[program] = server.written_alerts()
    # Rules have come since, and find more in the same events: that is work which only one of the two does.
    if not events <= alerts[before] <= alerts[now]:
        raise SystemExit(f"bench: {events} attacks gave too few alerts: {alerts}")
    old, new = (min(times) for times in used.values())
    print(f"every event an attack ({different} different ones, each of other hosts and record numbers), "
          "per CPU second on one core")
    for name, program, seconds in ((f"before ({BEFORE})", before, old), ("squiblyd", now, new)):
        print(f"  {name:16} {events / seconds:8.0f} events   {alerts[program] / seconds:8.0f} alerts   {seconds:.2f} s")
    print(f"  ratio {old / new:.2f} (bar {BAR_ATTACK}: {verdict(old / new >= BAR_ATTACK)})\n")
