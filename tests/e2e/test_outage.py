"""Receivers that are away, deaf, slow or rude, each kind of output that speaks over a connection: another output goes
on meanwhile and loses nothing, memory stays within the queue, and what waited arrives in order when the receiver has
come to its senses. (A queue that is full has tests in test_upstream.py.)"""
import json
import os
import shutil
import socket
import statistics
import struct
import tempfile
import threading
import time

from harness import LONG, Case, attack, eventually, main
from http_receiver import Receiver as HttpReceiver

EVENTS = 3000  # alerts about them are more than what the kernels on both sides buffer for a deaf receiver here
QUEUE_MIB = 16
PADDING = b',"Comment":"' + b"x" * 1500 + b'"}\n'


def padded(n):
    return attack(n).rstrip(b"}\n") + PADDING


def number_of(line):
    return int(json.loads(line)["host"]["name"][len("ws-"):].split(".")[0])


class Receiver:
    """One side of a connection, in its moods: "well", "refused", "deaf" (accepts, never reads), "slow" (a byte a
    second), "rude" (accepts, reads a little, resets). Speaks Lumberjack, or takes lines."""

    def __init__(self, lumberjack, mood):
        self.lumberjack, self.numbers, self.connections, self.accepted = lumberjack, [], [], 0
        self.lock, self.running, self.thread = threading.Lock(), True, None
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Before anybody listens, so that connections have it too.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
        self.listener.bind(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.mood = mood
        if mood != "refused":
            self.listener.listen()
        self.listener.settimeout(0.02)
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def recover(self):
        if self.mood == "refused":
            self.listener.listen()
        self.mood = "well"

    def _accept(self):
        while self.running:
            if self.mood == "refused":
                time.sleep(0.01)
                continue
            try:
                s = self.listener.accept()[0]
            except (TimeoutError, OSError):
                continue
            self.accepted += 1
            threading.Thread(target=self._serve, args=(s,), daemon=True).start()

    def _serve(self, s):
        s.settimeout(0.05)
        data = b""
        while self.running:
            if self.mood == "deaf":
                time.sleep(0.01)
                continue
            try:
                more = s.recv(1 if self.mood == "slow" else 512 if self.mood == "rude" else 1 << 18)
            except TimeoutError:
                continue
            except OSError:
                break
            if not more:
                break
            data += more
            if self.mood == "rude":
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                break
            if self.mood == "slow":
                # A second, unless it gets well meanwhile.
                end = time.monotonic() + 1
                while self.mood == "slow" and self.running and time.monotonic() < end:
                    time.sleep(0.01)
                continue
            try:
                data = self._windows(s, data) if self.lumberjack else self._lines(data)
            except OSError:
                break
        s.close()

    def _lines(self, data):
        *whole, rest = data.split(b"\n")
        self.numbers += [number_of(line) for line in whole]
        return rest

    def _windows(self, s, data):
        while True:
            at, got = 6, []
            if len(data) < 6:
                return data
            assert data[:2] == b"2W", data[:2]
            count, = struct.unpack(">I", data[2:6])
            while len(got) < count and len(data) >= at + 10:
                seq, n = struct.unpack(">II", data[at + 2:at + 10])
                assert data[at:at + 2] == b"2J" and seq == len(got) + 1
                if len(data) < at + 10 + n:
                    break
                got.append(number_of(data[at + 10:at + 10 + n]))
                at += 10 + n
            if len(got) < count:
                return data
            s.sendall(b"2A" + struct.pack(">I", count))
            self.numbers += got
            data = data[at:]

    def stop(self):
        self.running = False
        self.thread.join()
        self.listener.close()


def in_order(numbers):
    """Each first time comes after those before it."""
    seen = list(dict.fromkeys(numbers))
    return seen == sorted(seen)


class Outage(Case):
    def outage(self, kind, mood):
        folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.addCleanup(shutil.rmtree, folder, True)
        receiver = Receiver(kind == "lumberjack", mood)
        self.addCleanup(receiver.stop)
        other = self.upstream()
        more = "    ack_timeout: 1s\n" if kind == "lumberjack" else ""
        d = self.daemon(f"outputs:\n  - type: {kind}\n    address: 127.0.0.1:{receiver.port}\n    queue: {QUEUE_MIB}MiB\n"
                        f"    retry_min: 20ms\n    retry_max: 200ms\n{more}"
                        f"  - type: tcp\n    address: 127.0.0.1:{other.port}\n    queue: {QUEUE_MIB}MiB\n")
        d.send(padded(0))  # all that is made once is made
        eventually("the first at the other", lambda: len(other.lines) >= 1)
        before = self.resident(d)
        d.send(b"".join(padded(n) for n in range(1, EVENTS)))  # over one connection: that alone keeps their order
        # The other has everything while the first is as it is.
        eventually(lambda: f"{EVENTS} at the other, {len(other.lines)} are there", lambda: len(other.lines) >= EVENTS)
        self.assertEqual([a["host"]["name"] for a in other.alerts()], [f"ws-{n}.corp.example" for n in range(EVENTS)])
        self.assertLess(len(set(receiver.numbers)), EVENTS)
        grown = self.resident(d) - before
        # The queue, batches on their way, and what sanitizers keep of freed memory.
        self.assertLess(grown, (QUEUE_MIB + 64 + 256 * self.sanitized()) << 20)
        if mood == "rude":
            self.assertGreater(receiver.accepted, 1)
        receiver.recover()
        eventually(lambda: f"{EVENTS} at the receiver, {len(set(receiver.numbers))} are there",
                   lambda: len(set(receiver.numbers)) >= EVENTS)
        numbers = list(receiver.numbers)
        self.assertEqual(sorted(set(numbers)), list(range(EVENTS)))
        self.assertTrue(in_order(numbers))
        c = self.assert_stops(d, EVENTS)
        self.assertEqual((c["alerted"], c["dropped"]), (EVENTS, 0))

    @staticmethod
    def resident(d):
        with open(f"/proc/{d.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    @staticmethod
    def sanitized():
        from clients import SANITIZED
        return SANITIZED

    def both(self, mood):
        for kind in ("tcp", "lumberjack"):
            with self.subTest(kind=kind):
                self.outage(kind, mood)

    def test_refused(self):
        self.both("refused")

    def test_a_black_hole_that_accepts_and_never_reads(self):
        self.both("deaf")

    def test_a_byte_a_second(self):
        self.both("slow")

    def test_accepts_then_resets(self):
        self.both("rude")


class ToldToStop(Case):
    """Outputs wait for an hour before they try again, and the receivers are back."""

    def test_who_is_back_gets_what_waits(self):
        lines, windows = Receiver(False, "refused"), Receiver(True, "refused")
        posts = HttpReceiver()
        posts.stop()
        d = self.daemon("outputs:\n" + "".join(
            f"  - {to}\n    retry_min: 1h\n    retry_max: 1h\n" for to in (
                f"type: tcp\n    address: 127.0.0.1:{lines.port}", f"type: lumberjack\n    address: 127.0.0.1:{windows.port}",
                f"type: webhook\n    url: http://127.0.0.1:{posts.port}/")))
        d.send(attack(1))
        for kind in ("tcp", "lumberjack", "webhook"):
            d.wait_said(f"^{kind} .*; retrying in [0-9]{{4}}")
        for receiver in (lines, windows, posts):
            self.addCleanup(receiver.stop)
        lines.recover()
        windows.recover()
        posts.start()
        c = self.assert_stops(d, 1)
        self.assertEqual((lines.numbers, windows.numbers, len(posts.requests)), ([1], [1], 1))
        self.assertEqual(c["dropped"], 0)


class Sink:
    """Takes lines and counts them, at so little cost that what is measured is who sends."""

    def __init__(self):
        self.lines, self.running = 0, True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        s = self.listener.accept()[0]
        space = memoryview(bytearray(1 << 20))
        while n := s.recv_into(space):
            self.lines += bytes(space[:n]).count(b"\n")
        s.close()

    def stop(self):
        self.thread.join()
        self.listener.close()


class Pace(Case):
    """How fast another output goes while one is out: the same events with that one well and with it deaf, in turns."""

    def seconds(self, n, deaf):
        first, other = None if deaf else Sink(), Sink()
        d = self.daemon(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{(deaf or first).port}\n    queue: 64MiB\n"
                        "    when_full: drop_newest\n"
                        f"  - type: tcp\n    address: 127.0.0.1:{other.port}\nshutdown_deadline: 100ms\n")
        data = b"".join(attack(i) for i in range(5000))
        d.send(data)  # all that is made once is made
        eventually("the first at the other", lambda: other.lines == 5000)
        began = time.monotonic()
        for _ in range(n // 5000):
            d.send(data)
        eventually(lambda: f"{n} at the other, {other.lines} are there", lambda: other.lines == 5000 + n, 300)
        took = time.monotonic() - began
        d.stop()
        for sink in filter(None, (first, other)):
            sink.stop()
        return took

    def compare(self, n, rounds, bound):
        deaf = Receiver(False, "deaf")
        self.addCleanup(deaf.stop)
        pairs = [(self.seconds(n, None), self.seconds(n, deaf)) for _ in range(rounds)]
        print("seconds with the first well, and with it deaf:", pairs)
        well, out = (statistics.median(times) for times in zip(*pairs))
        self.assertLess(out, bound * well, pairs)

    def test_the_others_go_on(self):
        self.compare(5000, 3, 3)  # the machine may be busy

    def test_the_others_go_on_within_a_tenth(self):
        if not LONG:
            self.skipTest("takes minutes, and a machine of its own (SQUIBLY_LONG)")
        self.compare(200000, 9, 1.1)


if __name__ == "__main__":
    main()
