"""The Beats input of the real daemon, with a client that does what Elastic's own does."""
import glob
import os
import re
import socket
import struct
import zlib

from harness import DEADLINE, Case, attack, eventually, main, ordinary, scan, shared


def u32(n):
    return struct.pack(">I", n)


def events(records, version=b"2"):
    """The frames of records, numbered from 1: J, or D with the record in "line"."""
    if version == b"2":
        return b"".join(b"2J" + u32(i) + u32(len(r)) + r for i, r in enumerate(records, 1))
    return b"".join(b"1D" + u32(i) + u32(2) + u32(4) + b"host" + u32(4) + b"ws-1" + u32(4) + b"line" + u32(len(r)) + r
                    for i, r in enumerate(records, 1))


def packed(frames, version=b"2", level=3):
    z = zlib.compress(frames, level)
    return version + b"C" + u32(len(z)) + z


def window(records, version=b"2", level=3):
    frames = events(records, version)
    return version + b"W" + u32(len(records)) + (packed(frames, version, level) if level else frames)


class Client:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)

    def send(self, data):
        self.socket.sendall(data)

    def ack(self):
        """The next acknowledgement: (version, number), or None at the end of the stream."""
        got = b""
        while len(got) < 6:
            try:
                more = self.socket.recv(6 - len(got))
            except ConnectionResetError:
                more = b""
            if not more:
                assert not got, got
                return None
            got += more
        assert got[1:2] == b"A", got
        return got[:1], struct.unpack(">I", got[2:])[0]

    def await_ack(self, count, version=b"2"):
        """As go-lumber does: anything below `count` is progress. @return how many such came"""
        busy = 0
        while True:
            got = self.ack()
            assert got, "closed without an acknowledgement"
            if got == (version, count):
                return busy
            assert got == (b"2", 0), got
            busy += 1

    def close(self):
        self.socket.close()


BAD = [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "speaks TLS on a plain-text port for Beats", "beats_faults"),
    (b"GET / HTTP/1.1\r\n\r\n", "speaks HTTP on a port for Beats; it needs an http input", "beats_faults"),
    (b'{"EventID":1}\n', "sends plain JSON to a port for Beats; it needs a tcp input", "beats_faults"),
    (b"<14>Jan  1 00:00:00 host x", "does not speak Lumberjack", "beats_faults"),
    (b"2W" + u32(1) + b"3J", "unknown Lumberjack version", "beats_faults"),
    (b"2W" + u32(1) + b"2Q" + u32(1), "unknown Lumberjack frame type", "beats_faults"),
    (b"2W" + u32(2) + b"2W" + u32(2), "began a window before", "beats_faults"),
    (events([b"{}"]), "event outside of a window", "beats_faults"),
    (b"2W" + u32(1) + packed(events([b"{}", b"{}"])), "more events than its window", "beats_faults"),
    (b"2W" + u32(1) + packed(packed(events([b"{}"]))), "inside of a compressed frame", "beats_faults"),
    (b"2W" + u32(1) + events([b""]), "a frame of no bytes", "beats_faults"),
    (b"2W" + u32(1) + b"2C" + u32(0), "a frame of no bytes", "beats_faults"),
    (b"2W" + u32(2) + packed(events([b"{}", b"{}"])[:-1]), "ends inside of an event", "beats_faults"),
    (b"2W" + u32(1) + b"2C" + u32(5) + b"abcde", "a damaged compressed frame", "beats_faults"),
    (b"2W" + u32(1) + b"2C" + u32(9) + zlib.compress(events([b"{}"]))[:9], "frame that is cut short", "beats_faults"),
    (b"2W" + u32(1) + b"2C" + u32(len(zlib.compress(events([b"{}"]))) + 2) + zlib.compress(events([b"{}"])) + b"xy",
     "frame with bytes after its end", "beats_faults"),
    (b"2W" + u32(1000), "a window over max_window", "beats_over_window"),
    (b"2W" + b"\xff" * 4, "a window over max_window", "beats_over_window"),
    (b"2W" + u32(1) + b"2C" + u32(100000), "a frame over max_frame", "beats_over_frame"),
    (b"2W" + u32(1) + b"2J" + u32(1) + u32(100000), "a frame over max_frame", "beats_over_frame"),
    (b"2W" + u32(5) + packed(events([b"\0" * 60000] * 5), level=9), "a compressed frame over max_ratio",
     "beats_over_ratio"),
    (b"2W" + u32(30) + packed(events([os.urandom(1000).hex().encode() * 30] * 20)), "over max_unpacked",
     "beats_over_unpacked"),
    (b"1W" + u32(1) + b"1D" + u32(1) + u32(2000), "an event over max_pairs", "beats_over_pairs"),
    (b"1W" + u32(1) + b"1D" + u32(1) + u32(1) + u32(2000), "a key over max_key", "beats_over_pairs"),
]


class Beats(Case):
    def start(self, options="", **named):
        return self.daemon("inputs:\n  - type: beats\n    listen: 127.0.0.1:0\n" + options, inputs=False, **named)

    def client(self, d):
        c = Client(d.port("beats"))
        self.addCleanup(c.close)
        return c

    def test_windows_of_every_form_arrive_and_are_acknowledged(self):
        up = self.upstream()
        d = self.start(upstream=up)
        c, n = self.client(d), 0
        for version, level in ((b"2", 0), (b"2", 3), (b"2", 9), (b"1", 0), (b"1", 3)):
            records = [(attack if i % 10 == 0 else ordinary)(n + i).strip() for i in range(300)]
            c.send(window(records, version, level))
            self.assertEqual(c.await_ack(300, version), 0)
            n += 300
        # Pipelined, and several at once in one write.
        for _ in range(3):
            c.send(b"".join(window([attack(n + i).strip() for i in range(k)]) for k in (1, 2, 3)))
            n += 6
        for k in (1, 2, 3) * 3:
            c.await_ack(k)
        c.send(b"2W" + u32(0))
        self.assertEqual(c.ack(), (b"2", 0))
        c.close()
        counts = self.assert_stops(d, n)
        self.assertEqual(counts["alerted"], 150 + 18)
        self.assertEqual((counts["beats_windows"], counts["beats_acked"]), (15, 15))
        self.assertNotIn("beats_cut", counts)
        eventually("alerts", lambda: len(up.lines) >= counts["alerts"])

    def test_recorded_streams_raise_what_their_events_raise(self):
        folder = os.path.join(shared(), "corpus")
        names = sorted(glob.glob(os.path.join(folder, "wire", "wire_lumberjack_*.bin")))
        self.assertEqual(len(names), 5)
        alerts, _ = scan(os.path.join(folder, "shapes", "derived_winlogbeat_8.17_raw.ndjson.gz"))
        up = self.upstream()
        d = self.start(upstream=up)
        for name in names:
            with open(name, "rb") as f:
                data = f.read()
            one, two = self.client(d), self.client(d)
            one.send(data)
            for i in range(0, len(data), 1449):
                two.send(data[i:i + 1449])
            version = b"1" if "_v1_" in name else b"2"
            for c in (one, two):
                for count in (10, 10) if "two_windows" in name else (20,):
                    c.await_ack(count, version)
        counts = self.assert_stops(d, 200)
        self.assertEqual(counts["alerts"], 10 * len(alerts))

    def test_one_bad_event_does_not_hold_up_its_window(self):
        d = self.start()
        c = self.client(d)
        c.send(window([ordinary(1).strip(), b"not JSON", b'{"cut": "off', attack(2).strip()]))
        c.await_ack(4)
        counts = self.assert_stops(d, 4)
        self.assertEqual((counts["malformed"], counts["alerted"], counts["clean"]), (2, 1, 1))

    def test_bad_senders_are_told_of_and_closed(self):
        d = self.start("    max_window: 999\n    max_frame: 64KiB\n    max_unpacked: 512KiB\n    max_record: 64KiB\n"
                       "    max_ratio: 500\n")
        good = self.client(d)
        good.send(window([ordinary(0).strip()] * 3)[:20])
        want = {}
        for data, says, counter in BAD:
            c = self.client(d)
            c.send(data)
            self.assertIsNone(c.ack(), says)
            want[counter] = want.get(counter, 0) + 1
        good.send(window([ordinary(0).strip()] * 3)[20:])
        good.await_ack(3)
        counts = self.assert_stops(d)
        self.assertEqual({k: counts.get(k, 0) for k in want}, want)
        self.assertEqual(counts["connections_failed"], len(BAD))
        # Not every line of a kind is written, and those that are come from the list.
        self.assertTrue(d.said(re.escape(BAD[0][1]) + "; closing"), "\n".join(d.err))
        for line in d.err:
            if line.endswith("; closing"):
                self.assertTrue(any(says in line for _, says, _ in BAD), line)

    def test_a_stalled_upstream_is_waited_for(self):
        up = self.upstream(stalled=True)
        d = self.daemon("inputs:\n  - type: beats\n    listen: 127.0.0.1:0\n    keepalive: 200ms\n"
                        "outputs:\n  - type: tcp\n    address: 127.0.0.1:%d\n    queue: 64KiB\n    when_full: block\n"
                        % up.port, inputs=False)
        c = self.client(d)
        records = [attack(i).strip() for i in range(20000)]
        for i in range(0, 20000, 2000):
            c.send(window(records[i:i + 2000]))
        busy = 0
        while busy < 5:  # acknowledged as far as it was sent, then still busy
            got = c.ack()
            self.assertIn(got, ((b"2", 0), (b"2", 2000)))
            busy = busy + 1 if got[1] == 0 else 0
            if got[1]:
                records = records[2000:]
        up.stalled = False
        for _ in range(len(records) // 2000):
            c.await_ack(2000)
        counts = self.assert_stops(d, 20000)
        self.assertEqual(counts["beats_acked"], 10)
        self.assertNotIn("connections_failed", counts)
        eventually("alerts", lambda: len(up.lines) >= counts["alerts"])
        self.assertEqual(len(up.lines), counts["alerts"])

    def test_what_was_not_acknowledged_is_sent_again_after_a_kill(self):
        up = self.upstream()
        d = self.start(upstream=up)
        port, c, sent, i = d.port("beats"), None, 0, 0
        for i in range(40):
            records = [attack(50 * i + k).strip() for k in range(50)]
            while True:
                try:
                    if c is None:
                        c = Client(port)
                    c.send(window(records, level=i % 4))
                    sent += 1
                    if i in (13, 27) and not getattr(self, f"killed{i}", False):
                        setattr(self, f"killed{i}", True)
                        d.kill()
                        d = self.daemon(f"inputs:\n  - type: beats\n    listen: 127.0.0.1:{port}\n", inputs=False,
                                        upstream=up)
                        d.port("beats")
                    c.await_ack(50)
                    break
                except (OSError, AssertionError):
                    c.close()
                    c = None
        c.close()
        self.assert_stops(d)
        seen = [a["process"]["command_line"] for a in up.alerts()]
        self.assertEqual(len(set(seen)), 2000)
        self.assertEqual(sent, 42)
        per_event = max(seen.count(x) for x in set(seen[:100]))
        self.assertLessEqual(len(seen), 2100 * per_event)

    def test_stopping_acknowledges_no_half_window(self):
        d = self.start()
        whole, half = self.client(d), self.client(d)
        whole.send(window([ordinary(1).strip()] * 5))
        whole.await_ack(5)
        half.send(window([ordinary(1).strip()] * 5, level=0)[:-30])
        d.wait_received(9)
        counts = self.assert_stops(d, 9)
        self.assertIsNone(whole.ack())
        self.assertIsNone(half.ack())
        self.assertEqual((counts["beats_acked"], counts["beats_cut"]), (1, 1))


if __name__ == "__main__":
    main()
