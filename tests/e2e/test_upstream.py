"""An upstream that is away, slow, or one of several: nothing is lost in silence, nothing out of order."""
import json
import os
import socket
import tempfile
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
        eventually("the alerts before", lambda: len(up.lines) == 10)
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
        eventually("what was kept", lambda: len(up.lines) > 0)
        before = -1
        while before != len(up.lines):  # until nothing more comes for a while
            before = len(up.lines)
            time.sleep(0.5)
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
        high = attack(2).replace(b" /u", b"").replace(b"scrobj.dll", b"other.dll")
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
