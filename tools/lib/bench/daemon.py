"""squiblyd over plain TCP against rsyslog, its memory, its start."""
import os
import shutil
import time

from common import ROUNDS, Squiblyd, rss_of, run_rsyslog, rsyslog_version, send_file, stop, verdict, wait_port

BAR_RSYSLOG, BAR_RSS_MIB, BAR_START_MS = 40.0, 64, 100


def run_squiblyd(corpus, folder, events):
    with Squiblyd(folder, "tcp") as server:
        send_file(server.port, corpus)
        used = server.served()
        now, most = rss_of(server.process.pid, "VmRSS"), rss_of(server.process.pid)
    server.expect(events)
    return used, now, most


def tcp(corpus, events, folder):
    ours, theirs = [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits both
        ours.append(run_squiblyd(corpus, folder, events))
        theirs.append(run_rsyslog(corpus, folder, "imptcp"))
    mine, other = min(o[0] for o in ours), min(t[0] for t in theirs)
    ratio = other / mine
    print("over loopback TCP, events per CPU second (user and system, all threads, on one core)")
    print(f"  rsyslog {rsyslog_version():10} imptcp, mmjsonparse, two re_match_i  {events / other:10.0f}   {other:.2f} s")
    print(f"  squiblyd           the shipped rules                    {events / mine:10.0f}   {mine:.2f} s")
    print(f"  ratio {ratio:.2f} (bar {BAR_RSYSLOG}: {verdict(ratio >= BAR_RSYSLOG)})\n")
    most = max(o[2] for o in ours)
    print(f"resident memory of squiblyd after that: {max(o[1] for o in ours):.1f} MiB, at most {most:.1f} MiB "
          f"(bar {BAR_RSS_MIB} MiB: {verdict(most <= BAR_RSS_MIB)})\n")


def start_once(folder):
    """Milliseconds from exec to the first connection taken."""
    began = time.monotonic()
    server = Squiblyd(folder, "tcp")
    try:
        wait_port(server.port, server.process)
        return (time.monotonic() - began) * 1000
    finally:
        stop(server.process)


def start(folder):
    cold, warm = [], []
    for _ in range(max(ROUNDS, 3)):
        shutil.rmtree(os.path.join(folder, "cache"), ignore_errors=True)
        cold.append(start_once(folder))
        warm.append(start_once(folder))
    print(f"start to listening: {min(warm):.0f} ms with cached databases "
          f"(bar {BAR_START_MS} ms: {verdict(min(warm) <= BAR_START_MS)}), {min(cold):.0f} ms without\n")
