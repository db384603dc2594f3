"""The spool when the process dies, or the disk fails, at every step of a commit; and by chance."""
import fcntl
import http.client
import json
import os
import random
import struct
import subprocess
import termios
import time

from harness import BUILD, DEADLINE, LONG, SQUIBLY, eventually, lines_of, main, squibly
from test_delivery import Beats, Http, Repeated, Sender, event
from test_spool import SpoolCase, numbers

LIMIT = 20  # alerts, spool_repeats of those who count what comes twice
MORTAL = os.path.join(BUILD, "tests", "e2e", "squiblyd_mortal")
UNSYNCED = os.path.join(BUILD, "tests", "e2e", "squibly_unsynced")


def ids(up):
    """Of each host, the ids of all alerts about it."""
    found = {}
    for line in list(up.lines):
        try:
            alert = json.loads(line)
        except ValueError:
            continue  # begun by one that was killed
        found.setdefault(alert["host"]["name"], set()).add(alert["event"]["id"])
    return found


class Faults(SpoolCase):
    def mortal(self, up, what, **named):
        return self.start(up, program=MORTAL, env={"SQ_MORTAL": what}, **named)

    def post_until_death(self, d):
        """Gives the numbers that were answered; the daemon is dead then."""
        answered = []
        try:
            d.port("http")
        except AssertionError:
            return answered
        for n in range(0, 2000, 10):
            if not self.post(d, n, n + 10):
                break
            answered += range(n, n + 10)
        d.process.wait(DEADLINE)
        return answered

    def check_death(self, what):
        self.folder = None
        up = self.upstream()
        up.stop()
        d = self.mortal(up, what)
        answered = self.post_until_death(d)
        self.assertEqual(d.process.returncode, -9, what)
        up.start()
        d = self.start(up)
        d.port("http")
        self.assert_missing_none(up, answered)
        c = self.assert_stops(d)
        # A file that was only begun, without anything in it, is no spool and cannot be told from a damaged one.
        self.assertEqual(c.get("set_aside", 0), int(what == "torn:1"), what)
        found = numbers(up)
        self.assertLessEqual(len(found), len(answered) + 10, what)  # and what was not answered any more
        self.assertEqual(found, sorted(found))
        self.assertTrue(all(len(i) == 1 for i in ids(up).values()))
        return len(answered)

    def test_killed_before_any_step_of_a_commit(self):
        self.assertGreater(sum([self.check_death(f"kill:{n}") for n in self.steps((2, 6, 11, 12, 13, 30))]), 0)

    def test_killed_after_any_step_of_a_commit(self):
        self.assertGreater(sum([self.check_death(f"after:{n}") for n in self.steps((5, 8, 9, 10, 25))]), 0)

    def test_killed_in_the_middle_of_a_write(self):
        self.assertGreater(sum([self.check_death(f"torn:{n}") for n in self.steps((7, 10, 14))]), 0)

    @staticmethod
    def steps(few):
        return range(1, 40) if LONG else few

    def test_a_commit_that_fails_is_told_and_made_anew(self):
        up = self.upstream()
        up.stop()
        d = self.mortal(up, "eio:12")
        for n in range(0, 100, 10):
            self.assertTrue(self.post(d, n, n + 10))
        d.wait_said("cannot be committed: .*what is not committed is not safe, retrying")
        d.wait_said("commits again")
        c = d.counters()
        self.assertEqual(c["commit_failures"], 1)
        d.kill()
        up.start()
        d = self.start(up)
        self.assert_missing_none(up, range(100))
        self.assert_stops(d)

    def test_while_the_disk_is_full_senders_are_answered_when_their_alerts_are_delivered(self):
        up = self.upstream()
        up.stop()
        d = self.mortal(up, "full:12+")
        n, answered = 0, 0
        connection = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=2)
        while not d.said("not safe, retrying"):
            try:
                connection.request("POST", "/events", self.events(n, n + 10))
                self.assertEqual(connection.getresponse().read() and 200, 200)
                answered += 10
            except OSError:
                connection.close()
                connection = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=2)
            n += 10
            self.assertLess(n, 3000)
        self.assertFalse(d.said("commits again"))
        self.assertLess(answered, n)  # whoever came after that was not answered
        up.start()
        self.assert_missing_none(up, range(n))
        eventually("answers", lambda: d.counters().get("unanswered", 0) == 0)
        self.assertTrue(self.post(d, n, n + 10))
        connection.close()
        self.assert_stops(d)

    @staticmethod
    def events(first, end):
        from harness import attack
        return b"".join(attack(n) for n in range(first, end))

    def test_a_second_daemon_on_one_spool_does_not_start(self):
        up = self.upstream()
        d = self.start(up)
        d.port("http")
        second = self.start(up)
        self.assertEqual(second.wait(), 1)
        self.assertTrue(second.said("cannot start: .*another process writes this spool"), second.err)
        self.assertTrue(self.post(d, 0, 10))
        self.assert_stops(d)

    def test_a_damaged_file_is_set_aside_and_the_daemon_goes_on(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 50))
        d.kill()
        with open(f"{self.folder}/spool/data.mdb", "r+b") as f:
            f.truncate(os.path.getsize(f.name) // 2)
        up.start()
        d = self.start(up)
        d.wait_said("set aside as .*data.mdb.damaged-")
        self.assertTrue(self.post(d, 50, 60))
        self.assert_missing_none(up, range(50, 60))
        self.assertEqual(self.assert_stops(d)["set_aside"], 1)
        self.assertTrue([n for n in os.listdir(f"{self.folder}/spool") if "damaged" in n])


class Repeats(SpoolCase):
    """What a receiver gets twice after kill -9 is what had been given to it and was not answered; it has its id."""
    ROUNDS = 20 if LONG else 5
    MORE = f"    spool_repeats: {LIMIT}\n"

    def backlog(self, n):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        for first in range(0, n, 100):
            self.assertTrue(self.post(d, first, first + 100))
        d.kill()
        up.start()
        return up

    def assert_repeats(self, up, n, most):
        """All came, each again with the id of its first, and no more came again."""
        self.assert_missing_none(up, range(n))
        each = ids(up).values()
        self.assertEqual({len(i) for i in each}, {1})
        self.assertEqual(len(set().union(*each)), n)
        found = numbers(up)
        self.assertLessEqual(len(found) - n, most)

    def test_what_was_answered_comes_once(self):
        up = self.backlog(300)
        d = self.start(up)
        d.port("http")
        eventually("all answered", lambda: d.counters().get("sent", 0) == 300)
        d.kill()  # before a commit has the cursor, perhaps
        self.assertIn(" 0 waiting", squibly("spool", "list", f"{self.folder}/spool")[0].decode())
        d = self.start(up)
        self.assertTrue(self.post(d, 300, 310))
        self.assert_repeats(up, 310, 0)
        c = self.assert_stops(d)
        self.assertEqual((c.get("found", 0), c["sent"]), (0, 10))

    def test_of_what_was_on_its_way_no_more_comes_twice_than_spool_repeats(self):
        n, dice = self.ROUNDS * 200, random.Random(5)
        up = self.backlog(n)
        for _ in range(self.ROUNDS):
            before = len(up.lines)
            d = self.start(up)
            # A connection that is young may be lost yet: nothing is answered, and all that was given comes again.
            eventually("alerts", lambda b=before, d=d: len(up.lines) > b or d.said("connected"))
            time.sleep(dice.random() * 0.3)
            d.kill()
            eventually("an end", lambda: not up.connections)
        d = self.start(up)
        self.assert_repeats(up, n, self.ROUNDS * LIMIT)
        self.assert_stops(d)


class Tool(SpoolCase):
    def test_list_show_verify_and_drain(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 20))
        dir_ = f"{self.folder}/spool"
        listed = squibly("spool", "list", dir_)[0].decode()  # while squiblyd runs
        self.assertRegex(listed, "20 waiting, .*, cursor at number 1$")
        shown = squibly("spool", "show", "-n", "3", dir_)[0].splitlines()
        self.assertEqual([json.loads(line)["host"]["name"] for line in shown],
                         [f"ws-{n}.corp.example" for n in range(3)])
        long = squibly("spool", "show", "--long", dir_)[0].splitlines()
        self.assertRegex(long[0].decode(), r"^1 [0-9a-f]{32} ")
        self.assertIn("another process", squibly("spool", "verify", dir_, status=2)[1])
        self.assertIn("another process", squibly("spool", "drain", dir_, status=2)[1])
        self.assert_stops(d)
        self.assertIn("20 alerts, nothing is damaged", squibly("spool", "verify", dir_)[0].decode())
        shown = squibly("spool", "show", "-n", "3", dir_, dir_)[0].splitlines()
        self.assertEqual(len(shown), 6)  # so many of each
        self.assertEqual(len(squibly("spool", "drain", dir_)[0].splitlines()), 20)
        self.assertIn(" 0 waiting", squibly("spool", "list", dir_)[0].decode())
        self.assertEqual(squibly("spool", "drain", dir_)[0], b"")
        with open(f"{dir_}/data.mdb", "r+b") as f:
            f.truncate(8192 + 4096)
        self.assertIn("damaged", squibly("spool", "verify", dir_, status=1)[1])
        squibly("spool", "show", "/nowhere", status=2)
        squibly("spool", "melt", dir_, status=2)

    def test_nothing_is_taken_out_that_the_disk_of_the_output_has_not(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 20))
        self.assert_stops(d)
        dir_ = f"{self.folder}/spool"
        with open(f"{self.folder}/drained", "wb") as f:
            run = subprocess.run([UNSYNCED, "spool", "drain", dir_], stdout=f, stderr=subprocess.PIPE, timeout=DEADLINE, check=False)
        self.assertEqual(run.returncode, 2)
        self.assertIn(b"cannot write to standard output: Input/output error", run.stderr)
        self.assertIn(" 20 waiting", squibly("spool", "list", dir_)[0].decode())
        with open(f"{self.folder}/drained", "wb") as f:
            subprocess.run([SQUIBLY, "spool", "drain", dir_], stdout=f, timeout=DEADLINE, check=True)
        self.assertEqual(len(lines_of(f"{self.folder}/drained")), 20)
        self.assertIn(" 0 waiting", squibly("spool", "list", dir_)[0].decode())

    def test_who_is_not_read_keeps_nothing_from_being_used_again(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 1500))  # more than a pipe holds, and than is read at a time
        dir_ = f"{self.folder}/spool"
        with subprocess.Popen([SQUIBLY, "spool", "show", dir_], stdout=subprocess.PIPE) as reader:
            eventually("a full pipe", lambda: self.unread(reader.stdout) > 32768 and self.sleeps(reader.pid))
            self.assertIsNone(self.looks_at(dir_, reader.pid))
            self.assertTrue(self.post(d, 1500, 1510))  # for who asks after that: it could go on for ever
            self.assertEqual(len(reader.stdout.read().splitlines()), 1500)
        self.assertEqual(reader.returncode, 0)
        self.assert_stops(d)

    @staticmethod
    def unread(pipe):
        return struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"    "))[0]

    @staticmethod
    def sleeps(pid):
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] == "S"

    @staticmethod
    def looks_at(dir_, pid):
        """Which commit a reader looks at: LMDB has a table of them, 64 bytes for each, begun by that number and the
        process; None: at none just now."""
        with open(f"{dir_}/lock.mdb", "rb") as f:
            table = f.read()
        rows = [struct.unpack_from("<QI", table, at) for at in range(0, len(table) - 63, 64)]
        commits = [commit for commit, process in rows if process == pid]
        if len(commits) != 1:
            raise AssertionError(f"{len(commits)} rows of that reader")
        return commits[0] if commits[0] != 2 ** 64 - 1 else None


class Chance(SpoolCase):
    ROUNDS = 20 if LONG else 4

    def check(self, kind, client):
        up = self.upstream()
        d = self.daemon(f"inputs:\n  - type: {kind}\n    listen: 127.0.0.1:0\n", inputs=False)
        port, folder = d.port(kind), d.folder
        d.kill()
        dice = random.Random(kind)
        senders = [Sender(client, port, 1_000_000 * i, self.record) for i in (1, 2)]
        for sender in senders:
            sender.start()
        text = (f"inputs:\n  - type: {kind}\n    listen: 127.0.0.1:{port}\n"
                f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n    retry_min: 10ms\n"
                f"    retry_max: 50ms\n    durability: spool\n    spool: {folder}/spool\n"
                f"    spool_repeats: {LIMIT}\n")
        for _ in range(self.ROUNDS):
            d = self.daemon(text, inputs=False, folder=folder)
            d.port(kind)
            if dice.random() < 0.5 and up.running:
                up.stop()
            before = [s.answers for s in senders]
            eventually("answers", lambda before=before: all(
                s.answers > n + 2 or s.error for s, n in zip(senders, before)))  # upstream or not
            time.sleep(dice.random() * 0.3)
            d.kill()
            if not up.running:
                up.start()
        d = self.daemon(text, inputs=False, folder=folder)
        for sender in senders:
            sender.running = False
        for sender in senders:
            sender.join(DEADLINE)
            self.assertIsNone(sender.error)
        sent = {n for s in senders for n in s.acknowledged if n % 10 != 9}
        self.assertGreater(len(sent), 50)
        eventually("all alerts", lambda: not sent - {self.number(a) for a in up.whole_alerts()})
        self.assert_stops(d)
        again = Repeated(self, up, self.number)
        window = len(senders) * Sender.WINDOW * again.of_a_record
        self.assertLessEqual(again.n, self.ROUNDS * (window + LIMIT))

    @staticmethod
    def number(a):
        return int(a["winlog"]["record_id"])

    @staticmethod
    def record(n):
        return f"broken {n}".encode() if n % 10 == 9 else event(n).strip()

    def test_what_a_beat_was_told_survives(self):
        self.check("beats", Beats)

    def test_what_was_answered_over_http_survives(self):
        self.check("http", Http)


if __name__ == "__main__":
    main()
