"""Disks that are full, or cannot be written any more, under a spool, dead letters and files of alerts: what is said and
counted, who waits and who does not, and that all goes on when the disk is itself again."""
import http.client
import json
import os
import subprocess
import time
import unittest

from harness import BUILD, DEADLINE, Case, attack, eventually, lines_of, main, ordinary, squibly
from test_spool import SpoolCase, numbers

MORTAL = os.path.join(BUILD, "tests", "e2e", "squiblyd_mortal")
MIB = 1 << 20


class Disk:
    """A file system of its own, so small that it fills, seen by whoever is run with `wrap`; ours is at `path`."""

    def __init__(self, case, size, folder):
        self.inside = folder
        os.makedirs(folder, exist_ok=True)
        self.holder = subprocess.Popen(
            ["unshare", "-Urm", "sh", "-c", f"mount -t tmpfs -o size={size} tmpfs {self.inside} && echo ready && exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        case.addCleanup(self.end)
        if self.holder.stdout.readline() != b"ready\n":
            raise unittest.SkipTest(f"nothing can be mounted here: {self.holder.stderr.read().decode().strip()}")
        self.path = f"/proc/{self.holder.pid}/root{self.inside}"
        self.wrap = ("nsenter", "-t", str(self.holder.pid), "-U", "-m", "--preserve-credentials")

    def end(self):
        self.holder.stdin.close()
        self.holder.wait()
        self.holder.stdout.close()
        self.holder.stderr.close()

    def fill(self):
        """To the last byte."""
        with open(f"{self.path}/filler", "ab", buffering=0) as f:
            for size in (65536, 4096, 1):
                try:
                    while f.write(b"x" * size) == size:
                        pass
                except OSError:
                    continue

    def empty(self):
        os.remove(f"{self.path}/filler")

    def remount(self, how):
        """Gives whether it could be: not to read only while somebody writes."""
        return subprocess.run([*self.wrap, "mount", "-o", f"remount,{how}", self.inside], capture_output=True).returncode == 0


class FullSpool(SpoolCase):
    """The disk is smaller than what the spool may become."""

    def disk_of(self, size):
        """The folder of the spool is a disk of its own."""
        self.folder = self.scratch()
        self.disk = Disk(self, size, f"{self.folder}/spool")

    def start(self, up, more="", **named):
        named.setdefault("wrap", self.disk.wrap)
        return super().start(up, more=more, **named)

    def fill(self, d, whole=False):
        """Post until it is said that the spool cannot be written; gives the numbers sent and those answered."""
        self.assertTrue(self.post(d, 0, 10))
        if whole:
            self.disk.fill()
        n, answered = 10, [*range(10)]
        connection = None
        while not d.said("not safe, retrying"):
            connection = connection or http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=1)
            try:
                connection.request("POST", "/events", b"".join(attack(i) for i in range(n, n + 50)))
                if connection.getresponse().read() is not None:
                    answered += range(n, n + 50)
            except OSError:
                connection.close()
                connection = None
            n += 50
            self.assertLess(n, 20000)
        if connection:
            connection.close()
        return n, answered

    def check(self, d, up, sent, answered):
        """The receiver is back: all comes, and it commits again, also for who asks now."""
        self.assert_missing_none(up, answered)
        self.assert_missing_none(up, range(sent))
        d.wait_said("commits again")
        self.assertTrue(self.post(d, sent, sent + 10))
        self.assert_missing_none(up, range(sent + 10))
        self.assertEqual(sorted(set(numbers(up))), list(range(sent + 10)))
        self.assertGreater(self.assert_stops(d)["commit_failures"], 0)

    def test_it_is_told_and_all_goes_on_when_the_receiver_is_back(self):
        self.disk_of("2m")
        up = self.upstream()
        up.stop()
        d = self.start(up)
        d.port("http")
        sent, _ = self.fill(d)
        d.wait_said(r"spool.*No space left on device.*not safe, retrying")
        up.start()
        self.assert_missing_none(up, range(sent))
        self.assertTrue(self.post(d, sent, sent + 10))
        self.assert_missing_none(up, range(sent + 10))
        self.assert_stops(d)

    def test_the_status_promises_no_safety_that_is_not_there(self):
        self.disk_of("1m")
        up = self.upstream()
        up.stop()
        path = f"{self.folder}/control.sock"
        d = self.start(up, more=f"control:\n  path: {path}\n")
        d.port("http")
        self.fill(d)
        o = json.loads(squibly("status", "-j", "-s", path)[0])["outputs"][0]
        self.assertEqual(o["kept_on"], "both")
        self.assertIn("No space left on device", o["spool_error"])
        self.assertTrue(0 < o["memory_only"] <= o["waiting"], o)
        self.assertNotIn("full_in_ms", o)
        text = squibly("status", "-s", path)[0].decode()
        self.assertRegex(text, r"(?m)^  !! the spool cannot be written: .*No space left on device; \d+ of \d+ are in memory only$")
        self.assertIn("when squiblyd ends, what is in memory only is lost", text)
        up.start()
        d.wait_said("commits again")
        eventually("nothing waits", lambda: json.loads(squibly("status", "-j", "-s", path)[0])["outputs"][0]["kept_on"] == "disk")
        self.assert_stops(d)

    def test_what_was_answered_survives_kill_9_on_a_full_disk(self):
        self.disk_of("2m")
        up = self.upstream()
        up.stop()
        d = self.start(up)
        d.port("http")
        _, answered = self.fill(d)
        d.kill()
        self.assertGreater(len(answered), 10)
        up.start()
        d = self.start(up)
        self.assert_missing_none(up, answered)
        found = numbers(up)
        self.assertEqual(found, sorted(found))
        c = self.assert_stops(d)
        self.assertEqual(c.get("set_aside", 0), 0)

    def test_all_goes_on_when_somebody_makes_room(self):
        self.disk_of("4m")
        up = self.upstream()
        up.stop()
        d = self.start(up)
        sent, answered = self.fill(d, whole=True)
        self.assertFalse(d.said("commits again"))
        self.disk.empty()
        d.wait_said("commits again")
        up.start()
        self.check(d, up, sent, answered)

    def test_it_does_not_start_on_a_disk_that_is_full(self):
        """What LMDB maps for writing has its place on the disk first: SIGBUS would be the end of us."""
        self.disk_of("4m")
        self.disk.fill()
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertEqual(d.wait(), 1, d.err)
        self.assertTrue(d.said("cannot start: .*No space left on device"), d.err)
        self.disk.empty()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 10))
        self.assert_stops(d)

    def test_it_does_not_start_on_a_disk_that_is_read_only(self):
        self.disk_of("4m")
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 10))
        d.kill()
        self.assertTrue(self.disk.remount("ro"))
        d = self.start(up)
        self.assertEqual(d.wait(), 1)
        self.assertTrue(d.said("cannot start: .*Read-only file system"), d.err)
        self.assertTrue(self.disk.remount("rw"))
        up.start()
        d = self.start(up)
        self.assert_missing_none(up, range(10))
        self.assertEqual(self.assert_stops(d).get("set_aside", 0), 0)


class ReadOnly(SpoolCase):
    """Files that are open and may not be written any more, as ext4 does it with errors=remount-ro."""

    def test_it_is_told_and_nothing_is_lost(self):
        up = self.upstream()
        up.stop()
        marker = os.path.join(self.scratch(), "read-only")
        d = self.start(up, program=MORTAL, env={"SQ_MORTAL": "rofs:1+", "SQ_MORTAL_WHILE": marker})
        self.assertTrue(self.post(d, 0, 10))
        with open(marker, "w", encoding="ascii"):
            pass
        c = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=DEADLINE)
        c.request("POST", "/events", b"".join(attack(n) for n in range(10, 20)))
        d.wait_said("spool.*Read-only file system.*not safe, retrying")
        failures = d.counters()["commit_failures"]
        self.assertGreater(d.counters()["unanswered"], 0)  # not before it is safe, or delivered
        eventually("another try", lambda: d.counters()["commit_failures"] > failures)
        os.remove(marker)
        d.wait_said("commits again")
        self.assertEqual(c.getresponse().read() and 200, 200)
        c.close()
        d.kill()
        up.start()
        d = self.start(up)
        self.assert_missing_none(up, range(20))
        self.assertEqual(self.assert_stops(d).get("set_aside", 0), 0)


class FullFile(Case):
    """Files of alerts and dead letters on a disk that is full."""

    def start(self, up):
        self.disk = Disk(self, "4m", self.scratch())
        d = self.daemon("inputs:\n  - type: http\n    listen: 127.0.0.1:0\n"
                        f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                        f"  - type: file\n    path: {self.disk.inside}/alerts.json\n    queue: 4MiB\n"
                        f"dead_letter:\n  path: {self.disk.inside}/dead.json\n", inputs=False, wrap=self.disk.wrap)
        d.port("http")
        return d

    @staticmethod
    def post(d, data, deadline=DEADLINE):
        c = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=deadline)
        c.request("POST", "/events", data)
        return c

    def answered(self, c):
        answer = c.getresponse()
        answer.read()
        c.close()
        return answer.status

    def test_alerts_wait_until_there_is_room_and_no_line_is_torn_or_doubled(self):
        up = self.upstream()
        d = self.start(up)
        self.assertEqual(self.answered(self.post(d, attack(0))), 200)
        self.disk.fill()
        waiting = self.post(d, b"".join(attack(n) for n in range(1, 400)))
        up.expect(400)  # the other output has nothing to do with it
        d.wait_said("alerts.json: No space left on device; retrying")
        c = d.wait_received(400)
        self.assertGreater(c["unanswered"], 0)  # the sender keeps what is not written
        self.disk.empty()
        d.wait_said("alerts.json: writing works again, after")
        self.assertEqual(sum("alerts.json: No space left" in line for line in d.err), 1, "one line for one outage")
        self.assertEqual(self.answered(waiting), 200)
        self.assert_stops(d, 400)
        alerts = [json.loads(line) for line in lines_of(f"{self.disk.path}/alerts.json")]
        self.assertEqual([a["host"]["name"] for a in alerts], [f"ws-{n}.corp.example" for n in range(400)])

    def test_dead_letters_hold_up_nobody_and_are_whole(self):
        up = self.upstream()
        d = self.start(up)
        self.assertEqual(self.answered(self.post(d, b"broken 0\n")), 200)
        eventually("a dead letter", lambda: len(lines_of(f"{self.disk.path}/dead.json")) == 1)
        self.disk.fill()
        first = self.post(d, b"".join(b"broken %d\n" % n for n in range(1, 200)))
        d.wait_said("dead.json: No space left on device; retrying")
        began = time.monotonic()
        self.assertEqual(self.answered(first), 200)
        self.assertLess(time.monotonic() - began, 5)  # as soon as it is known, not when somebody looks again
        self.assertEqual(self.answered(self.post(d, ordinary(0) + b"broken 200\n")), 200)
        self.assertEqual(d.wait_received(202)["malformed"], 201)
        self.disk.empty()
        d.wait_said("dead.json: writing works again")
        c = self.assert_stops(d, 202)
        records = [json.loads(line)["record"] for line in lines_of(f"{self.disk.path}/dead.json")]
        self.assertEqual(records, [f"broken {n}" for n in range(201)])
        self.assertEqual((c["dead_letters"], c.get("dead_letters_lost", 0)), (201, 0))


if __name__ == "__main__":
    main()
