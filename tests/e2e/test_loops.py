"""Several I/O loops: the same counts, order and promises as one, whoever lands on which.

Much else is run with several loops too: see SQUIBLY_LOOPS in harness.py and meson.build.
"""
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import threading
import time
import unittest

from harness import DEADLINE, Case, attack, eventually, main, ordinary
from test_delivery import Beats, Http, event

LOOPS = 3


def records(first, n):
    """`n` records, of which every tenth is an attack; the number is in its command line."""
    return [attack(i) if i % 10 == 0 else ordinary(i) for i in range(first, first + n)]


class Loops(Case):
    def start(self, kinds, more="", loops=LOOPS, **named):
        up = self.upstream()
        d = self.daemon(f"loops: {loops}\ninputs:\n"
                        + "".join(f"  - type: {kind}\n    listen: 127.0.0.1:0\n{options}" for kind, options in kinds)
                        + more, inputs=False, upstream=up, **named)
        d.port(kinds[0][0])
        return d, up

    def spread(self, d, name, loops=LOOPS):
        """What each loop has counted, as SIGUSR1 prints it."""
        before = len(d.err)
        d.counters()
        eventually("the table of every loop", lambda: d.said(rf"^loop {loops}", before) and d.said("^output ", before))
        found, at = {}, None
        for line in d.err[before:]:
            if re.match("[a-z]", line):
                title = re.match(r"loop (\d+)", line)
                at = title and title.group(1)
            row = re.match(rf"\s+{name}\s+(\d+)", line)
            if row and at:
                found[int(at)] = int(row.group(1))
        return found

    def test_every_kind_of_input_counts_exactly_and_in_order(self):
        d, up = self.start([("tcp", ""), ("udp", ""), ("beats", ""), ("http", "")])
        ports = {kind: d.port(kind) for kind in ("tcp", "udp", "beats", "http")}
        errors = []

        def tcp(first):
            with socket.create_connection(("127.0.0.1", ports["tcp"]), timeout=DEADLINE) as s:
                for line in records(first, 200):
                    s.sendall(line)

        def udp(first):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("127.0.0.1", ports["udp"]))
                for line in records(first, 20):
                    s.send(line.strip())

        def windows(kind, port):
            def send(first):
                client = kind(port)
                for k in range(0, 200, 40):
                    client.send([line.strip() for line in records(first + k, 40)])
                client.close()
            return send

        kinds = [(tcp, 200), (udp, 20), (windows(Beats, ports["beats"]), 200), (windows(Http, ports["http"]), 200)]
        senders, want = [], 0
        for i in range(60):
            send, n = kinds[i % 4]

            def run(send=send, i=i):
                try:
                    send(i * 1000)
                except Exception as e:  # told by the main thread
                    errors.append(e)
            senders.append(threading.Thread(target=run, daemon=True))
            want += n
        for s in senders:
            s.start()
        for s in senders:
            s.join(DEADLINE)
        self.assertEqual(errors, [])
        d.wait_received(want)
        spread = self.spread(d, "received")
        self.assertEqual(sorted(spread), [1, 2, 3])
        self.assertEqual(sum(spread.values()), want)
        self.assertTrue(all(n > 0 for n in spread.values()), spread)
        c = self.assert_stops(d, want)
        self.assertEqual((c["alerted"], c["alerts"], c["clean"]), (want // 10, want // 10, want - want // 10))
        eventually("all alerts", lambda: len(up.lines) == want // 10)
        numbers = [int(re.search(r"/(\d+)\.sct", a["process"]["command_line"]).group(1)) for a in up.alerts()]
        self.assertEqual(len(set(numbers)), want // 10)
        for i in range(60):
            mine = [n for n in numbers if n // 1000 == i]
            self.assertEqual(mine, sorted(mine))  # of one connection
            self.assertEqual(len(mine), 2 if i % 4 == 1 else 20)

    def test_one_connection_is_on_one_loop_and_uses_every_worker(self):
        d, up = self.start([("tcp", "")], "workers: 2\n")
        d.send(b"".join(records(0, 20000)))
        d.wait_received(20000)
        self.assertEqual(sorted(self.spread(d, "received").values()), [0, 0, 20000])
        self.assert_stops(d, 20000)
        numbers = [int(re.search(r"/(\d+)\.sct", a["process"]["command_line"]).group(1)) for a in up.alerts()]
        self.assertEqual(numbers, list(range(0, 20000, 10)))

    @staticmethod
    def one_more_is_taken(d, before):
        """Who is refused is reset, perhaps while he sends."""
        with contextlib.suppress(OSError):
            d.send(ordinary(1))
        return d.counters()["connections"] > before

    def test_connections_of_all_loops_are_limited_together(self):
        d, _ = self.start([("tcp", "    max_connections: 5\n")])
        held = []
        for i in range(30):
            s = d.connect()
            self.addCleanup(s.close)
            s.sendall(ordinary(i))
            held.append(s)
        c = eventually("30 connections", lambda: (c := d.counters())["connections"] + c.get("connections_refused", 0) == 30 and c)
        self.assertEqual((c["connections"], c["connections_refused"]), (5, 25))
        for s in held:
            s.close()
        d.wait_received(5)
        eventually("room", lambda: self.one_more_is_taken(d, 5))
        self.assert_stops(d)

    def test_connections_of_a_peer_are_limited_over_all_loops(self):
        d, _ = self.start([("tcp", "    max_connections_per_peer: 5\n")])
        held = []
        for i in range(30):
            s = d.connect()
            self.addCleanup(s.close)
            s.sendall(ordinary(i))
            held.append(s)
        c = eventually("30 connections", lambda: (c := d.counters())["connections"] + c.get("connections_crowded", 0) == 30 and c)
        self.assertEqual((c["connections"], c["connections_crowded"]), (5, 25))
        self.assertTrue(d.said(r"tcp \S+: 127\.0\.0\.1:\d+ refused: max_connections_per_peer \(5\) of its address are open"))
        with socket.create_connection(("127.0.0.1", d.port()), source_address=("127.0.0.2", 0)) as other:
            other.sendall(ordinary(1))
            d.wait_received(6)
        for s in held:
            s.close()
        eventually("room", lambda: self.one_more_is_taken(d, 6))
        self.assert_stops(d)

    def test_acks_are_known_to_every_connection(self):
        d, _ = self.start([("http", "    hec_acks: true\n")])
        port = d.port("http")
        channel = {"X-Splunk-Request-Channel": "FE0ECFAD-13D5-401B-847D-77833BD77131"}

        def ask(path, body):
            client = Http(port)  # each on a connection of its own
            client.connection.request("POST", path, body, channel)
            answer = json.loads(client.connection.getresponse().read())
            client.close()
            return answer

        for i in range(12):
            self.assertEqual(ask("/services/collector/raw", attack(i))["ackId"], i)
        for i in range(12):
            eventually("the ack", lambda i=i: ask("/services/collector/ack", f'{{"acks":[{i}]}}')["acks"][str(i)])
        self.assert_stops(d, 12)

    def test_hangups_under_load_lose_nothing(self):
        d, up = self.start([("tcp", ""), ("beats", "")])
        ports = d.port("tcp"), d.port("beats")
        running, sent = [True], [0] * 8

        def tcp(i):
            with socket.create_connection(("127.0.0.1", ports[0]), timeout=DEADLINE) as s:
                while running[0]:
                    s.sendall(b"".join(records(0, 50)))
                    sent[i] += 50

        def beats(i):
            client = Beats(ports[1])
            while running[0]:
                client.send([line.strip() for line in records(0, 50)])
                sent[i] += 50
            client.close()

        senders = [threading.Thread(target=(tcp, beats)[i % 2], args=(i,), daemon=True) for i in range(8)]
        for s in senders:
            s.start()
        for n in range(1, 6):
            before = d.hup()
            d.wait_said(r"reloaded: \d+ rules", before)
            self.assertGreaterEqual(d.counters().get("reloads", 0), n)
        running[0] = False
        for s in senders:
            s.join(DEADLINE)
        self.assertTrue(all(sent), sent)
        d.wait_received(sum(sent))
        c = self.assert_stops(d, sum(sent))
        self.assertEqual((c["alerted"], c["reloads"]), (sum(sent) // 10, 5))
        eventually("all alerts", lambda: len(up.lines) == sum(sent) // 10)

    def test_what_max_rate_allows_is_not_all_one_loops(self):
        """Whoever comes first takes nearly all there is then: that is not always the same one."""
        d, _ = self.start([("tcp", "    max_rate: 512KiB\n")], loops=2)
        port, many = d.port("tcp"), records(0, 1000) * 30

        def flood():
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as s:
                    s.sendall(b"".join(many))
            except OSError:
                pass
        for _ in range(32):
            threading.Thread(target=flood, daemon=True).start()

        def when(n):
            return eventually(f"{n} MiB", lambda: (lambda c: sum(c.values()) >= n << 20 and c)(self.spread(d, "bytes_in", 2)))
        begun = when(1)  # more than what may come at once
        end = when(5)    # that is 40 to 80 times
        each = {loop: end[loop] - begun[loop] for loop in end}
        self.assertGreater(min(each.values()), sum(each.values()) / 5, each)
        d.kill()

    def test_events_sent_again_to_another_loop_are_known(self):
        d, _ = self.start([("tcp", "")], "deduplicate:\n  window: 1000\n")
        data = b"".join(event(n) for n in range(50))
        for n in range(1, 11):
            d.send(data)
            d.wait_received(50 * n)
            self.assertNotIn("MISCOUNTED", "\n".join(d.err))
        c = self.assert_stops(d, 500)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (50, 450))

    def test_a_stop_with_every_loop_busy_accounts_for_all(self):
        d, up = self.start([("tcp", "")], "shutdown_deadline: 500ms\nbatches: 6\n")
        up.stalled = True
        data = b"".join(attack(i) for i in range(3000))

        def run():
            try:
                d.send(data)
            except OSError:
                pass  # it stops while we send

        senders = [threading.Thread(target=run, daemon=True) for _ in range(12)]
        for s in senders:
            s.start()
        eventually("something received", lambda: d.counters()["received"] > 10000)
        c = self.assert_stops(d)  # the deadline passes: nobody takes the alerts
        self.assertGreater(c["received"], 10000)
        up.stalled = False
        for s in senders:
            s.join(DEADLINE)


class Watchdog(Case):
    """One thread of the daemon is stopped by ptrace(2), as if it hung."""

    SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17

    def ptrace(self, what, thread):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(what, thread, None, None) < 0:
            raise unittest.SkipTest("ptrace: " + os.strerror(ctypes.get_errno()))

    def thread(self, d, name):
        tasks = f"/proc/{d.process.pid}/task"
        for thread in os.listdir(tasks):
            with open(f"{tasks}/{thread}/comm", encoding="ascii") as f:
                if f.read().strip() == name:
                    return int(thread)
        raise AssertionError(f"there is no thread {name}")

    def test_the_watchdog_is_told_nothing_while_a_loop_hangs(self):
        systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(systemd.close)
        systemd.bind("\0squibly-watchdog-%d" % os.getpid())
        systemd.settimeout(DEADLINE)
        d = self.daemon(f"loops: {LOOPS}\n",
                        env={"NOTIFY_SOCKET": "@squibly-watchdog-%d" % os.getpid(), "WATCHDOG_USEC": "600000"})

        def signs(seconds):
            end, n = time.monotonic() + seconds, 0
            systemd.setblocking(False)
            while time.monotonic() < end:
                try:
                    n += b"WATCHDOG=1" in systemd.recv(65536)
                except BlockingIOError:
                    time.sleep(0.01)
            return n

        d.port()
        eventually("a sign of life", lambda: signs(0.5))
        thread = self.thread(d, f"loop-{LOOPS}")
        self.ptrace(self.SEIZE, thread)
        self.ptrace(self.INTERRUPT, thread)
        d.wait_said("an I/O loop does not answer")
        signs(0.1)
        self.assertEqual(signs(2), 0)
        before = len(d.err)
        d.process.send_signal(signal.SIGUSR1)  # answered all the same
        d.wait_said("counters, without those of an I/O loop", before)
        os.waitpid(thread, 0x40000000)  # __WALL: it has stopped
        self.ptrace(self.DETACH, thread)
        eventually("a sign of life", lambda: signs(0.5))
        self.assert_stops(d, 0)


if __name__ == "__main__":
    main()
