"""An upstream that is away, slow, or one of several: nothing is lost in silence, nothing out of order."""
import json
import os
import socket
import struct
import tempfile
import threading
import time

from harness import LONG, Case, attack, eventually, main, ordinary

AWAY = 30 if LONG else 3  # seconds


def hosts(alerts):
    return [a["host"]["name"] for a in alerts]


def wanted(numbers):
    return [f"ws-{n}.corp.example" for n in numbers]


class Away(Case):
    def test_alerts_wait_for_an_upstream_that_is_away_and_arrive_in_order(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        d.send(b"".join(attack(n) for n in range(10)))
        # What the connection has not acknowledged when it breaks would come again.
        eventually("the alerts before", lambda: len(up.lines) == 10 and d.counters().get("sent") == 10)
        up.stop()
        down = time.monotonic()
        sent = 10
        while time.monotonic() - down < AWAY:
            d.send(attack(sent) + ordinary(sent))
            sent += 1
            d.wait_received(10 + 2 * (sent - 10))
            time.sleep(0.02)
        up.start()
        eventually(lambda: f"{sent} alerts, {len(up.lines)} are there",
                   lambda: len({a["host"]["name"] for a in up.alerts()}) == sent)
        self.assertEqual(hosts(up.alerts()), wanted(range(sent)))
        self.assert_stops(d, 10 + 2 * (sent - 10))

    def test_one_that_was_never_there_delays_no_other(self):
        up = self.upstream()
        with socket.create_server(("127.0.0.1", 0)) as s:
            nobody = s.getsockname()[1]
        d = self.daemon(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{nobody}\n"
                        f"    when_full: drop_newest\n"
                        f"  - type: tcp\n    address: 127.0.0.1:{up.port}\nshutdown_deadline: 1s\n")
        d.send(b"".join(attack(n) for n in range(200)))
        eventually("all alerts at the other", lambda: len(up.lines) == 200)
        self.assertEqual(hosts(up.alerts()), wanted(range(200)))
        d.stop()


class Burst(Case):
    """Many alerts at once: more than one piece of the queue, and more than what is given at one time."""
    ALERTS = 100_000 if LONG else 5_000

    @staticmethod
    def burst(d, begin, end):
        d.send(b"".join(attack(n) for n in range(begin, end)))

    def test_all_alerts_of_a_burst_arrive_once_and_in_order(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        self.burst(d, 0, self.ALERTS)
        eventually(lambda: f"{self.ALERTS} alerts, {len(up.lines)} are there",
                   lambda: len(up.lines) >= self.ALERTS)
        self.assertEqual(hosts(up.alerts()), wanted(range(self.ALERTS)))
        self.assert_stops(d, self.ALERTS)

    def test_a_connection_that_breaks_loses_none_and_repeats_only_what_it_had_not_acknowledged(self):
        third = self.ALERTS // 3
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            d = self.daemon(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{port}\n    retry_min: 10ms\n")
            sender = threading.Thread(target=self.burst, args=(d, 0, third))
            sender.start()
            first = self.take(server, third)
            sender.join()
            sender = threading.Thread(target=self.burst, args=(d, third, self.ALERTS))
            sender.start()
            up = self.take_all(server, self.ALERTS)
            sender.join()
        self.assertEqual(first, wanted(range(third)))
        begin = int(up[0].partition("-")[2].partition(".")[0])
        self.assertLessEqual(begin, third)
        self.assertEqual(up, wanted(range(begin, self.ALERTS)))
        self.assert_stops(d, self.ALERTS)

    @staticmethod
    def names(data):
        return [json.loads(line)["host"]["name"] for line in data.split(b"\n")[:-1]]

    def take(self, server, lines):
        """So many alerts, all that there are, of one connection; then a reset."""
        server.settimeout(60)
        s, data = server.accept()[0], b""
        with s:
            s.settimeout(60)
            while data.count(b"\n") < lines:
                data += s.recv(1 << 16)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return self.names(data)

    def take_all(self, server, last):
        """The alerts of the next connection until the last one is there; it stays open."""
        s, data, tail = server.accept()[0], [], b""
        self.addCleanup(s.close)
        s.settimeout(60)
        end = f'"ws-{last - 1}.corp.example"'.encode()
        while end not in tail or not tail.endswith(b"\n"):
            data.append(s.recv(1 << 20))
            self.assertTrue(data[-1], "closed before the end")
            tail = tail[-8192:] + data[-1]
        return self.names(b"".join(data))


class Full(Case):
    ALERTS = 3000

    def test_drop_newest_drops_counts_and_goes_on(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            nobody = s.getsockname()[1]
        d = self.daemon(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{nobody}\n    queue: 64KiB\n"
                        f"    when_full: drop_newest\nshutdown_deadline: 1s\n")
        d.send(b"".join(attack(n) for n in range(self.ALERTS)))
        c = d.wait_received(self.ALERTS)
        self.assertEqual((c["received"], c["alerted"]), (self.ALERTS, self.ALERTS))
        up = self.upstream(nobody)
        eventually("all that was kept, sent", lambda: (c := d.counters())["sent"] + c["dropped_full"] == c["alerts"])
        eventually("what was sent", lambda: len(up.lines) >= d.counters()["sent"])
        kept = len(up.lines)
        self.assertEqual(hosts(up.alerts()), wanted(range(kept)), "the oldest are kept, in order")
        self.assertLess(kept, self.ALERTS)
        self.assertGreater(kept, 20)
        after = len(d.err)
        status, _ = d.stop()
        self.assertEqual(status, 0)
        table = "\n".join(d.err[after:])
        self.assertIn(str(self.ALERTS - kept), table, "the counters say how many were dropped")

    def test_block_stops_the_input_and_loses_nothing(self):
        # Large events and few batches, so that what the kernel holds for a slow reader is soon full.
        up = self.upstream(stalled=True)
        d = self.daemon(f"batches: 4\noutputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                        "    queue: 64KiB\n    when_full: block\n")
        total, padding = 2500, b',"Comment":"' + b"x" * 16_000 + b'"}\n'
        data = b"".join(attack(n).rstrip(b"}\n") + padding for n in range(total))
        with d.connect() as s:
            s.setblocking(False)
            sent, quiet_since = 0, time.monotonic()
            while sent < len(data) and time.monotonic() - quiet_since < 2:
                try:
                    sent += s.send(data[sent:sent + 65536])
                    quiet_since = time.monotonic()
                except BlockingIOError:
                    time.sleep(0.01)
            self.assertLess(sent, len(data), "the sender must have been held up")
            up.stalled = False
            s.setblocking(True)
            s.settimeout(120)
            s.sendall(data[sent:])
        eventually(lambda: f"{total} alerts, {len(up.lines)} are there", lambda: len(up.lines) >= total, 120)
        self.assertEqual(hosts(up.alerts()), wanted(range(total)))
        c = self.assert_stops(d, total)
        self.assertEqual((c["alerted"], c["dropped"]), (total, 0))


class Several(Case):
    def test_each_output_has_its_own_level_and_format(self):
        everything, critical = self.upstream(), self.upstream()
        folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        d = self.daemon(
            f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{everything.port}\n"
            f"  - type: tcp\n    address: 127.0.0.1:{critical.port}\n    format: cef\n    min_level: critical\n"
            f"  - type: file\n    path: {folder}/alerts.json\n")
        high = attack(2).replace(b" /u", b"").replace(b"scrobj.dll", b"jscript.dll")
        d.send(attack(1) + high + ordinary(3))
        eventually("both alerts", lambda: len(everything.lines) == 2)
        eventually("the critical one", lambda: len(critical.lines) == 1)
        self.assertTrue(critical.lines[0].startswith(b"CEF:0|"))
        self.assertEqual([a["rule"]["level"] for a in everything.alerts()], ["critical", "high"])
        self.assert_stops(d, 3)
        with open(os.path.join(folder, "alerts.json"), "rb") as f:
            self.assertEqual([json.loads(line)["rule"]["level"] for line in f], ["critical", "high"])


if __name__ == "__main__":
    main()
