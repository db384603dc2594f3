"""Records that go through, from TCP to TCP, with what was found put in: against rsyslog, and against alerts alone."""
import os
import subprocess
import sys

from common import (ROUNDS, Server, Squiblyd, free_port, rsyslog_version, rsyslogd, send_file, verdict, wait_port)

BAR_RSYSLOG, BAR_ALERTS = 8.0, 0.35
# Takes one connection after another; told to end, it prints how many lines it got, and in how many bytes.
SINK = """
import signal, socket, sys
def end(*_):
    print(lines, size, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
buffer, lines, size = bytearray(1 << 20), 0, 0
with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        with server.accept()[0] as s:
            while n := s.recv_into(buffer):
                size += n
                lines += buffer.count(b"\\n", 0, n)
"""
RSYSLOG_CONF = """module(load="imptcp")
module(load="mmjsonparse")
global(maxMessageSize="1m" workDirectory="{folder}")
template(name="raw" type="string" string="%msg%\\n")
template(name="told" type="string" string="%$!all-json%\\n")
main_queue(queue.size="100000" queue.dequeueBatchSize="1024")
input(type="imptcp" address="127.0.0.1" port="{port}")
action(type="mmjsonparse" cookie="")
if re_match_i($!CommandLine, "regsvr32.*scrobj") or re_match_i($!CommandLine, "[-/]i:(https?|ftp):") then {{
	set $!squibly!level = "high";
	action(type="omfwd" target="127.0.0.1" port="{sink}" protocol="tcp" template="told")
}} else {{
	action(type="omfwd" target="127.0.0.1" port="{sink}" protocol="tcp" template="raw")
}}
"""


class Sink:
    def __init__(self):
        self.port = free_port()

    def __enter__(self):
        self.process = subprocess.Popen(["taskset", "-c", "1", sys.executable, "-c", SINK, str(self.port)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        wait_port(self.port, self.process)
        return self

    def end(self):
        """@return lines, bytes"""
        self.process.terminate()
        return tuple(int(n) for n in self.process.communicate(timeout=30)[0].split())

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def through_squiblyd(corpus, folder, events, forward):
    with Sink() as sink:
        outputs = f"  - type: tcp\n    address: 127.0.0.1:{sink.port}\n"
        if forward:
            outputs += "    forward: all\n"
        with Squiblyd(folder, "tcp", outputs=outputs) as server:
            send_file(server.port, corpus)
            used = server.served()
        server.expect(events)
        lines, _ = sink.end()
    if forward and lines != events:
        raise SystemExit(f"bench: squiblyd forwarded {lines} of {events} events")
    return used


def through_rsyslog(corpus, folder, events):
    with Sink() as sink:
        port, conf = free_port(), os.path.join(folder, "rsyslog-pass.conf")
        with open(conf, "w", encoding="utf-8") as f:
            f.write(RSYSLOG_CONF.format(port=port, folder=folder, sink=sink.port))
        with Server([rsyslogd(), "-n", "-f", conf, "-i", os.path.join(folder, "rsyslog.pid")], port,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            send_file(server.port, corpus)
            used = server.served()
        lines, _ = sink.end()
    if lines < 0.99 * events:
        raise SystemExit(f"bench: rsyslog forwarded {lines} of {events} events")
    return used


def passing(corpus, events, folder):
    through, alerts, theirs = [], [], []
    for _ in range(ROUNDS):  # in turns, so that a busy moment of the machine hits all
        through.append(through_squiblyd(corpus, folder, events, True))
        alerts.append(through_squiblyd(corpus, folder, events, False))
        theirs.append(through_rsyslog(corpus, folder, events))
    mine, less, other = min(through), min(alerts), min(theirs)
    print("every event passed on from TCP to TCP, events per CPU second (user and system, all threads, on one core)")
    print(f"  rsyslog {rsyslog_version():10} imptcp, mmjsonparse, two re_match_i, omfwd  {events / other:10.0f}   {other:.2f} s")
    print(f"  squiblyd           forward: all, the shipped rules              {events / mine:10.0f}   {mine:.2f} s")
    print(f"  squiblyd           alerts alone                                 {events / less:10.0f}   {less:.2f} s")
    print(f"  ratio to rsyslog {other / mine:.2f} (bar {BAR_RSYSLOG}: {verdict(other / mine >= BAR_RSYSLOG)}), "
          f"to alerts alone {less / mine:.2f} (bar {BAR_ALERTS}: {verdict(less / mine >= BAR_ALERTS)})\n")
