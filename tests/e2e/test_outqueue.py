"""What stands between alerts and every kind of output: dead letters of what is refused, and rate_limit."""
import json
import os
import tempfile
import time

from harness import Case, attack, eventually, main
from http_receiver import Elastic, Receiver


class Queue(Case):
    def table(self, d):
        """The counters of the first output."""
        before = len(d.err)
        d.counters()
        return d._parse(next(i for i in range(before, len(d.err)) if d.err[i].startswith("output ")))


class Refused(Queue):
    REASON = "because \x00\n of it"

    def start(self, dead_letter):
        script = Elastic(item=lambda _, doc, turn: 400 if doc["host"]["name"] in ("ws-3.corp.example",
                                                                                  "ws-7.corp.example") else None)
        receiver = Receiver(script)
        self.addCleanup(receiver.stop)
        d = self.daemon(f"outputs:\n  - type: elasticsearch\n    url: http://127.0.0.1:{receiver.port}\n    index: alerts\n"
                        + dead_letter)
        d.send(b"".join(attack(n) for n in range(10)))
        eventually("all counted", lambda: (c := self.table(d))["sent"] == 8 and c["dropped_refused"] == 2)
        return d

    def test_it_is_in_the_dead_letters_with_its_reason(self):
        path = os.path.join(tempfile.mkdtemp(prefix="squiblyd-e2e-"), "dead.json")
        d = self.start(f"dead_letter:\n  path: {path}\n")
        c = self.table(d)
        self.assertEqual((c["refused_kept"], c.get("refused_lost", 0)), (2, 0))
        self.assert_stops(d, 10)
        with open(path, "rb") as f:
            lines = [json.loads(line) for line in f]
        self.assertEqual([json.loads(line["message"])["host"]["name"] for line in lines],
                         ["ws-3.corp.example", "ws-7.corp.example"])
        for line in lines:
            self.assertEqual(list(line), ["@timestamp", "output", "reason", "message"])
            self.assertTrue(line["output"].startswith("elasticsearch"), line["output"])
            self.assertIn("400", line["reason"])

    def test_a_full_disk_under_the_dead_letters_holds_up_nobody(self):
        d = self.start("dead_letter:\n  path: /dev/full\nshutdown_deadline: 1s\n")
        d.stop()

    def test_without_dead_letters_it_is_counted(self):
        d = self.start("")
        self.assertEqual(self.table(d)["refused_lost"], 2)
        self.assert_stops(d, 10)


class RateLimit(Queue):
    def test_what_is_over_it_waits_and_arrives_in_order(self):
        up = self.upstream()
        d = self.daemon(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n    rate_limit: 200\n")
        began = time.monotonic()
        d.send(b"".join(attack(n) for n in range(500)))
        eventually("the first second's worth", lambda: len(up.lines) >= 200)
        eventually("all of them", lambda: len(up.lines) == 500)
        took = time.monotonic() - began
        self.assertGreater(took, 1.3)  # 300 at 200 a second, less what is lost to clocks
        self.assertEqual([a["host"]["name"] for a in up.alerts()], [f"ws-{n}.corp.example" for n in range(500)])
        c = self.table(d)
        self.assertGreater(c["rate_held"], 0)
        self.assertGreater(c["rate_held_ms"], 500)  # where alerts come slowly, they wait less
        self.assertLess(c["rate_held"], 500, "not a timer for each message")
        self.assert_stops(d, 500)


class Threads(Queue):
    """Each output may wait for its disk on a thread of its own."""

    def test_there_is_one_for_each_file(self):
        folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        d = self.daemon("workers: 1\nloops: 1\noutputs:\n"
                        + "".join(f"  - type: file\n    path: {folder}/{n}.json\n" for n in range(20)))
        d.send(attack(1))
        eventually("an alert in each", lambda: all(os.path.getsize(f"{folder}/{n}.json") for n in range(20)))
        self.assertGreater(len(os.listdir(f"/proc/{d.process.pid}/task")), 20)
        self.assert_stops(d, 1)


if __name__ == "__main__":
    main()
