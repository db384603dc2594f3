"""What receiving costs: against a bare recv(), over many connections, by UDP against rsyslog, idle connections."""
import itertools
import json
import os
import resource
import socket

from common import (BUILD, COPIES, ROUNDS, Rsyslog, Server, Squiblyd, free_port, load, rss_of, rsyslog_version,
                    udp_drops, verdict, wait_udp_port)
from latency import EVENT

BAR_RECV, BAR_FLAT, BAR_UDP, BAR_IDLE_MIB = 0.5, 0.85, 5.0, 40
TIMES, CONNECTIONS, IDLE = 4, (1, 10, 100, 1000), 10000
DATAGRAM, RATES, MOST_LOST = 1024, (20000, 40000, 80000, 160000, 320000), 0.01


def recv(corpus, size, events, folder):
    """One sender, the same bytes several times over."""
    ours, bare = [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits both
        port = free_port()
        with Server([f"{BUILD}/tests/bench/recv_bare", str(port)], port) as server:
            load("send_many", corpus, port, 1, TIMES)
            bare.append(server.served())
        with Squiblyd(folder, "tcp") as server:
            load("send_many", corpus, server.port, 1, TIMES)
            ours.append(server.served())
        server.expect(TIMES * events)
    size, ratio = TIMES * size, min(bare) / min(ours)
    print("one sender over loopback TCP, bytes per CPU second of the receiver on one core")
    print(f"  a bare recv() loop            {size / min(bare) / 1e6:8.0f} MB/s   {min(bare):.3f} s")
    print(f"  squiblyd, the shipped rules   {size / min(ours) / 1e6:8.0f} MB/s   {min(ours):.3f} s")
    print(f"  ratio {ratio:.2f} (bar {BAR_RECV}: {verdict(ratio >= BAR_RECV)})\n")


def connections(corpus, size, events, folder):
    """The same total over more and more connections, all at once."""
    used, wall = {n: [] for n in CONNECTIONS}, {n: [] for n in CONNECTIONS}
    for _ in range(ROUNDS):
        for n in CONNECTIONS:
            with Squiblyd(folder, "tcp", f"    max_connections: {max(CONNECTIONS) + 10}\n") as server:
                wall[n] += load("send_many", corpus, server.port, n, 1)
                used[n].append(server.served())
            server.expect(events)
    print("the same total over several connections at once, bytes per CPU second of squiblyd on one core")
    for n in CONNECTIONS:
        print(f"  {n:5} connections {size / min(used[n]) / 1e6:8.0f} MB/s   {min(used[n]):.3f} s   "
              f"{min(wall[n]):.3f} s by the clock")
    best = [min(times) for times in used.values()]
    ratio = min(best) / max(best)
    print(f"  slowest against fastest {ratio:.2f} (bar {BAR_FLAT}: {verdict(ratio >= BAR_FLAT)})\n")


# ---- UDP ----

def datagrams(corpus, folder):
    """A file of an attack and of the corpus's events that are a little shorter than a datagram, each filled up."""
    path = os.path.join(folder, "datagrams")
    with open(corpus, "rb") as events, open(path, "wb") as f:
        for line in itertools.chain([EVENT.encode()], events):
            room = DATAGRAM - len(line.rstrip(b"\r\n")) - len(b',"Padding":""')
            if 0 <= room <= DATAGRAM // 2:
                event = line.rstrip(b"\r\n")[:-1] + b',"Padding":"' + b"x" * room + b'"}'
                json.loads(event)
                f.write(event)
    return path


class UdpSquiblyd(Squiblyd):
    wait = staticmethod(wait_udp_port)


class UdpRsyslog(Rsyslog):
    wait = staticmethod(wait_udp_port)


def send_datagrams(server, path, rate):
    """One run at one rate. @return (CPU seconds a datagram, share that was lost)"""
    sent = rate * COPIES // 5
    with server:
        load("udp_send", server.port, path, DATAGRAM, rate, sent)
        used = server.served()
        lost = udp_drops(server.port)
    if not os.path.exists(server.alerts) or os.path.getsize(server.alerts) == 0:
        raise SystemExit(f"bench: {server.process.args} found nothing; its figures would mean nothing")
    if isinstance(server, Squiblyd):
        server.expect(sent - lost)
    return used / (sent - lost), lost / sent


def best_rate(start, path):
    """Faster and faster until it loses datagrams. @return (CPU seconds a datagram, the rate) that was best"""
    found = []
    for rate in RATES:
        each, lost = send_datagrams(start(), path, rate)
        if lost > MOST_LOST:
            break
        found.append((each, rate))
    if not found:
        raise SystemExit(f"bench: more than {100 * MOST_LOST:.0f} % of {RATES[0]} datagrams a second are lost")
    return min(found)


def udp(corpus, folder):
    path, ours, theirs = datagrams(corpus, folder), [], []
    for _ in range(ROUNDS):
        ours.append(best_rate(lambda: UdpSquiblyd(folder, "udp"), path))
        theirs.append(best_rate(lambda: UdpRsyslog(folder, "imudp", ' rcvbufSize="4m"'), path))
    mine, other = min(ours), min(theirs)
    ratio = other[0] / mine[0]
    print(f"UDP, datagrams of {DATAGRAM} bytes, each program at the best of {len(RATES)} rates at which it loses less "
          f"than {100 * MOST_LOST:.0f} %, datagrams per CPU second on one core")
    print(f"  rsyslog {rsyslog_version():10} imudp, mmjsonparse, two re_match_i {1 / other[0]:10.0f}   "
          f"at {other[1]} a second")
    print(f"  squiblyd           the shipped rules                  {1 / mine[0]:10.0f}   at {mine[1]} a second")
    print(f"  ratio {ratio:.2f} (bar {BAR_UDP}: {verdict(ratio >= BAR_UDP)})\n")


# ---- idle connections ----

def idle10k(folder):
    """Connections that say nothing."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < IDLE + 100:
        print(f"skipped: {IDLE} idle connections: at most {hard} open files are allowed\n")
        return
    sockets = []
    with Squiblyd(folder, "tcp", f"    max_connections: {IDLE + 10}\n    backlog: 1024\n") as server:
        before = rss_of(server.process.pid, "VmRSS")
        for i in range(IDLE):  # from several addresses, since one may not have so many free ports
            sockets.append(socket.create_connection(("127.0.0.1", server.port), 10, (f"127.0.0.{1 + i % 4}", 0)))
        server.served()
        more = rss_of(server.process.pid, "VmRSS") - before
        for s in sockets:  # each of them is still there
            s.setblocking(False)
            try:
                gone = s.recv(1) == b""
            except BlockingIOError:
                gone = False
            if gone:
                raise SystemExit("bench: squiblyd has closed an idle connection")
            s.close()
    print(f"{IDLE} idle connections: {more:.1f} MiB of resident memory above none "
          f"(bar {BAR_IDLE_MIB} MiB: {verdict(more <= BAR_IDLE_MIB)})\n")
