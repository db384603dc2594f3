"""The upstream takes no alerts for a while (block policy): Lumberjack clients stay connected, send nothing
again, and all goes on afterwards. Filebeat's part is in its own file."""
import time

from clients import SANITIZED, ClientCase, numbers_in, report_of
from harness import LONG, eventually, main

STALL = 120 if LONG and not SANITIZED else 12  # seconds, longer than the client's patience
PATIENCE = 30 if STALL > 30 else 7
EVENTS = 20000


class StallCase(ClientCase):
    def stalled_collector(self):
        up = self.upstream(stalled=True)
        d = self.collector("beats\n", outputs=f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                                              "    queue: 64KiB\n    when_full: block\n")
        return up, d

    def wait_stuck(self, d):
        """Wait until nothing has been taken in for a second, though there is more; when that began."""
        last, since = -1, time.monotonic()

        def look():
            nonlocal last, since
            now = d.counters()["received"]
            if now != last:
                last, since = now, time.monotonic()
            return 0 < last and time.monotonic() - since > 1
        eventually(lambda: f"a standstill, {last} received", look)
        self.assertLess(last, EVENTS, "nothing was held up")
        return since

    def hold(self, since, client):
        while time.monotonic() - since < STALL:
            self.assertIsNone(client.process.poll(), client.said())
            time.sleep(0.1)

    def wait_all(self, up):
        eventually(lambda: f"{EVENTS} alerts, {len(up.lines)} are there", lambda: len(up.lines) >= EVENTS)

    def assert_all(self, up, d):
        self.wait_all(up)
        self.assert_stops(d, EVENTS)  # nothing was received twice
        seen = numbers_in(up.lines)
        self.assertEqual(len(seen), EVENTS)
        self.assertEqual(sum(seen.values()), EVENTS)


class GoLumber(StallCase):
    def test_it_waits_and_sends_nothing_again(self):
        up, d = self.stalled_collector()
        client = self.lumber_send(d.port("beats"), self.events(0, EVENTS), "-timeout", f"{PATIENCE}s")
        self.hold(self.wait_stuck(d), client)
        up.stalled = False
        report = report_of(client.wait())
        self.assertEqual((report["errors"], report["connections"], report["resent"], report["acked"]),
                         ([], 1, 0, EVENTS))
        self.assertGreater(report["longest_wait"], STALL)
        self.assert_all(up, d)


if __name__ == "__main__":
    main()
