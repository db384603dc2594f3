"""What is committed to a spool is delivered, whatever ends the daemon meanwhile."""
import http.client
import json
import os
import time

from harness import DEADLINE, Case, attack, eventually, main


def numbers(up):
    """The hosts of the alerts, whole lines only."""
    found = []
    for line in list(up.lines):
        try:
            found.append(int(json.loads(line)["host"]["name"].split("-")[1].split(".")[0]))
        except ValueError:
            continue  # begun by one that was killed
    return found


class SpoolCase(Case):
    MORE = ""

    def start(self, up, port=0, more="", **named):
        folder = named.get("folder") or getattr(self, "folder", None)
        self.folder = folder or self.scratch()
        named["folder"] = self.folder
        d = self.daemon(f"inputs:\n  - type: http\n    listen: 127.0.0.1:{port}\n"
                        f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                        f"    retry_min: 10ms\n    retry_max: 50ms\n    durability: spool\n"
                        f"    spool: {self.folder}/spool\n{self.MORE}" + more, inputs=False, **named)
        return d

    def post(self, d, first, end):
        """Gives whether it was answered with 200."""
        c = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=DEADLINE)
        try:
            c.request("POST", "/events", b"".join(attack(n) for n in range(first, end)))
            answer = c.getresponse()
            answer.read()
            return answer.status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            c.close()

    def assert_missing_none(self, up, wanted):
        eventually("all alerts", lambda: not set(wanted) - set(numbers(up)))


class Restart(SpoolCase):
    def test_alerts_of_an_upstream_that_is_away_are_answered_and_survive_kill_9(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 300))
        d.kill()
        d = self.start(up)
        self.assertTrue(self.post(d, 300, 310))
        d.kill()
        up.start()
        d = self.start(up)
        self.assert_missing_none(up, range(310))
        found = numbers(up)
        self.assertEqual(sorted(set(found)), list(range(310)))
        self.assertEqual(found, sorted(found))  # what was there before comes first, in order
        self.assert_stops(d)

    def test_a_stop_keeps_what_is_committed_and_says_so(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 50))
        c = self.assert_stops(d)
        self.assertEqual(c["waiting"], c["queued"])
        self.assertEqual((c.get("dropped_shutdown", 0), c["sent"]), (0, 0))
        self.assertGreaterEqual(c["queued"], 50)
        up.start()
        again = self.start(up)
        self.assert_missing_none(up, range(50))
        e = self.assert_stops(again)
        self.assertEqual((e["found"], e["sent"], e["waiting"]), (c["queued"], c["queued"], 0))
        self.assertEqual(e["replayed"], c["queued"])  # there was nothing else


class Delivered(SpoolCase):
    """What was delivered last is noted in a folder of memory."""

    def where(self):
        return os.path.dirname(os.readlink(f"{self.folder}/spool/cursor"))

    def test_it_waits_for_no_disk_of_the_spool(self):
        """What is written where it is mapped waits for its disk: LMDB's lock alone, which commits need and no delivery does."""
        up = self.upstream()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 50))
        self.assert_missing_none(up, range(50))
        with open(f"/proc/{d.process.pid}/maps", encoding="utf-8") as f:
            rows = [line.split(None, 5) for line in f]
        written = {os.path.basename(row[5].strip()) for row in rows if row[1] == "rw-s" and f"{self.folder}/spool/" in row[5]}
        self.assertEqual(written, {"lock.mdb"})
        self.assert_stops(d)

    def test_on_another_machine_the_last_commit_counts(self):
        up = self.upstream()
        d = self.start(up)
        there = self.scratch()
        self.assertTrue(self.post(d, 0, 50))
        self.assert_missing_none(up, range(50))
        self.assertEqual(self.where(), self.folder)
        d.kill()
        d = self.start(up, env={"RUNTIME_DIRECTORY": there})
        d.port("http")
        self.assertEqual(self.where(), there)
        up.stop()
        self.assertTrue(self.post(d, 50, 100))
        d.kill()
        os.remove(os.readlink(f"{self.folder}/spool/cursor"))
        d = self.start(up)
        up.start()
        self.assertTrue(self.post(d, 100, 110))
        self.assert_missing_none(up, range(110))
        self.assert_stops(d)
        self.assertFalse(os.path.lexists(f"{self.folder}/spool/cursor"))  # the last commit has it
        self.assertEqual([name for name in os.listdir(self.folder) if "squiblyd-spool-" in name], [])

    def test_that_it_cannot_be_noted_is_told_and_holds_up_nothing(self):
        up = self.upstream()
        d = self.start(up, env={"RUNTIME_DIRECTORY": "/nowhere"})
        d.wait_said("spool: what was delivered cannot be noted: /nowhere: No such file.*more than spool_repeats may")
        self.assertTrue(self.post(d, 0, 50))
        self.assert_missing_none(up, range(50))
        self.assert_stops(d)


class Stop(SpoolCase):
    """What is on disk is not waited for: it does not end by its deadline, which is ten minutes."""
    MORE = "shutdown_deadline: 10min\n"

    def test_with_sends_that_nobody_answers(self):
        up = self.upstream(stalled=True)
        d = self.start(up)
        for n in range(0, 9000, 1500):  # more than the kernel holds for it
            self.assertTrue(self.post(d, n, n + 1500))
        c = self.assert_stops(d)
        self.assertGreater(c["waiting"], 0)
        self.assertEqual(c.get("dropped_shutdown", 0), 0)


class Idle(SpoolCase):
    MORE = "    queue: 64KiB\n"

    def test_with_the_output_away_squiblyd_has_nothing_to_do(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 300))
        eventually("all on disk", lambda: d.counters().get("spooled", 0) >= 300)
        before, begin = self.processor(d), time.monotonic()
        while time.monotonic() - begin < 1:
            time.sleep(0.1)
        self.assertLess(self.processor(d) - before, 0.4)
        self.assert_stops(d)

    @staticmethod
    def processor(d):
        with open(f"/proc/{d.process.pid}/stat", encoding="ascii") as f:
            row = f.read().rpartition(")")[2].split()
        return (int(row[11]) + int(row[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
