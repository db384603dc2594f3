"""Alerts that are raised at once: how long until the last of them is with its receiver, by TCP."""
import os
import subprocess
import sys
import time

from common import BUILD, COPIES, ROUNDS, Squiblyd, free_port, on_disk, send_file, verdict, wait_port
from latency import EVENT

BAR_SECONDS = 3.0
ALERTS = 10_000 * COPIES
# Prints the time when it has got so many lines; what connects only to see whether it listens sends none.
SINK = """
import socket, sys, time
want, buffer = int(sys.argv[2]), bytearray(1 << 20)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while want > 0:
        with server.accept()[0] as s:
            while want > 0 and (n := s.recv_into(buffer)):
                want -= buffer.count(b"\\n", 0, n)
print(time.monotonic(), want)
"""


def burst_file(folder):
    """Attacks, each of another host. @return the path, and how many alerts they are to raise"""
    path = os.path.join(folder, "burst.ndjson")
    with open(path, "w", encoding="ascii") as f:
        f.write(EVENT)
    env = dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache"))
    each = subprocess.run([f"{BUILD}/squibly", "scan", "-q", "--format", "json", path], env=env, check=True,
                          stdin=subprocess.DEVNULL, capture_output=True).stdout.count(b"\n")
    if not each:
        raise SystemExit("bench: the event of tools/bench latency alerts no more")
    events = -(-ALERTS // each)
    with open(path, "w", encoding="ascii") as f:
        for i in range(events):
            f.write(EVENT.replace("latency-00000000", f"burst-{i:08}"))
        on_disk(f)
    return path, events * each


def once(path, alerts, folder):
    """@return seconds from the first byte in to the last alert out"""
    port = free_port()
    with subprocess.Popen(["taskset", "-c", "1", sys.executable, "-c", SINK, str(port), str(alerts)],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as sink:
        try:
            wait_port(port, sink)
            with Squiblyd(folder, "tcp", outputs=f"  - type: tcp\n    address: 127.0.0.1:{port}\n") as server:
                began = time.monotonic()
                send_file(server.port, path)
                ended, missing = sink.communicate(timeout=120)[0].split()
        finally:
            sink.kill()
    if int(missing):
        raise SystemExit(f"bench: of {alerts} alerts {int(missing)} were missing (below zero: too many)")
    return float(ended) - began


def alerts(folder):
    path, n = burst_file(folder)
    took = min(once(path, n, folder) for _ in range(ROUNDS))
    print(f"{n} alerts raised at once, from the first byte of their events to the last alert at a receiver by TCP, "
          "squiblyd on one core")
    print(f"  {took:.2f} s, {n / took:.0f} alerts a second (bar {BAR_SECONDS} s: {verdict(took <= BAR_SECONDS)})\n")
