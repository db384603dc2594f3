"""The measurements of tools/bench. bench SHARED ROUNDS [NAME...], from the top of the source tree."""
import datetime
import os
import platform
import shutil
import subprocess
import sys
import tempfile

import alerts
import attack
import daemon
import kafka
import latency
import passing
import receive
import rules
import scan
import skim
import spool
import wire
from common import COPIES, ROUNDS, SHARED, cpu_name, on_disk

NAMES = ("scan", "scan-rg", "pack", "derived", "tcp", "start", "lumberjack", "tls", "idle", "bulk", "skim",
         "recv", "pass", "spool", "attack", "alerts", "rules", "connections", "latency", "udp",
         "idle10k", "kafka")


def main():
    wanted = sys.argv[3:] or NAMES
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise SystemExit(f"bench: there is no {unknown[0]} ({', '.join(NAMES)})")
    folder = tempfile.mkdtemp(prefix="squibly-bench-")
    try:
        corpus = os.path.join(folder, "corpus.ndjson")
        with open(corpus, "wb") as f:
            subprocess.run([os.path.join(SHARED, "tools", "corpus"), "-n", str(COPIES)], stdout=f, check=True)
            on_disk(f)
        size = os.path.getsize(corpus)
        print(f"tools/bench {ROUNDS}: {datetime.datetime.now().astimezone():%Y-%m-%d %H:%M %z}, {cpu_name()}, "
              f"{os.cpu_count()} CPUs, Linux {platform.release()}; {size / 1e6:.0f} MB; best of {ROUNDS}\n")
        with open(corpus, "rb") as f:  # into the page cache
            events = sum(1 for _ in f)
        run = {
            "scan": lambda: scan.scan(corpus, size, events, folder),
            "scan-rg": lambda: scan.scan_rg(corpus, size, events, folder),
            "pack": lambda: scan.pack(corpus, folder),
            "derived": lambda: scan.derived(folder),
            "tcp": lambda: daemon.tcp(corpus, events, folder),
            "start": lambda: daemon.start(folder),
            "lumberjack": lambda: wire.lumberjack(corpus, events, folder),
            "tls": lambda: wire.tls(corpus, size, events, folder),
            "idle": lambda: wire.idle(folder),
            "bulk": lambda: wire.bulk(corpus, events, folder),
            "skim": lambda: skim.skim(corpus),
            "recv": lambda: receive.recv(corpus, size, events, folder),
            "pass": lambda: passing.passing(corpus, events, folder),
            "attack": lambda: attack.attack(corpus, folder),
            "spool": lambda: spool.spool(corpus, folder),
            "alerts": lambda: alerts.alerts(folder),
            "rules": lambda: rules.rules(corpus, folder),
            "connections": lambda: receive.connections(corpus, size, events, folder),
            "latency": lambda: latency.latency(corpus, folder),
            "udp": lambda: receive.udp(corpus, folder),
            "idle10k": lambda: receive.idle10k(folder),
            "kafka": lambda: kafka.kafka(corpus, events, folder),
        }
        for name in NAMES:
            if name in wanted:
                run[name]()
                sys.stdout.flush()
    finally:
        shutil.rmtree(folder)


main()
