"""What keeps one tenant from another: an input takes no more than its max_rate, and those of others wait for nothing."""
import json
import os
import re
import socket
import subprocess
import threading
import time

from certs import Authority
from harness import DEADLINE, SQUIBLY, Case, attack, eventually, main, squibly

PAD = b"x" * 800


def padded(first, end):
    """Records of about a kilobyte that no rule matches."""
    return [b'{"EventID":4688,"Channel":"Security","Pad":"%s","CommandLine":"notepad.exe %07d.txt"}\n' % (PAD, n)
            for n in range(first, end)]


def size(records):
    return sum(len(r) for r in records)


class Rate(Case):
    """Lower bounds of time are exact, and hold on the slowest machine; upper ones say no more than "before the others"."""

    def start(self, inputs):
        folder = self.scratch()
        self.socket = os.path.join(folder, "control.sock")
        self.up = self.upstream()
        return self.daemon(f"inputs:\n{inputs}outputs:\n  - {{type: tcp, address: '127.0.0.1:{self.up.port}'}}\n"
                           f"control:\n  path: {self.socket}\n", inputs=False, folder=folder)

    def inputs(self):
        return json.loads(squibly("status", "-j", "-s", self.socket)[0])["inputs"]

    def flood(self, port, records):
        """Somebody who sends as fast as he can, and whose connection stays open; gives it."""
        s = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.addCleanup(s.close)

        def send():
            try:
                s.sendall(b"".join(records))
            except OSError:
                pass
        threading.Thread(target=send, daemon=True).start()
        return s

    def ports(self, d, kind):
        line = d.wait_said(r"listening on (.*); alerts").group(1)
        return [int(p) for p in re.findall(rf"{kind} [^\s,;]*:(\d+)", line)]

    def test_a_flood_is_held_at_its_rate_and_another_tenant_waits_for_nothing(self):
        d = self.start("  - {type: tcp, listen: '127.0.0.1:0', tenant: north, max_rate: 64KiB}\n"
                       "  - {type: tcp, listen: '127.0.0.1:0', tenant: south}\n")
        north, south = self.ports(d, "tcp")
        records = padded(0, 16 * 1024)  # more than four minutes' worth
        began = time.monotonic()
        self.flood(north, records)
        eventually("north is held back", lambda: self.inputs()[0].get("holds_back"))
        with socket.create_connection(("127.0.0.1", south)) as s:
            s.sendall(attack(1))
            eventually("the alert of south", lambda: self.up.lines)
        first = self.inputs()[0]
        took = time.monotonic() - began
        self.assertEqual({a["squibly"]["tenant"] for a in self.up.alerts()}, {"south"})
        # A second's worth at once, then 64 KiB a second; and one share of 4 KiB too much.
        self.assertLessEqual(first["aside"]["bytes_in"], 65536 * (took + 1) + 4096, took)
        self.assertLess(first["aside"]["received"], len(records))
        self.assertEqual((first["max_rate"], first["tenant"]), (65536, "north"))
        text = squibly("status", "-s", self.socket)[0].decode()
        self.assertRegex(text, r"(?m)^input tcp \S+, tenant north, at most 64.0 KiB a second, more wants to come in$")
        self.assertRegex(text, r"(?m)^input tcp \S+, tenant south$")
        self.assertRegex(text, r"(?m)^ +\d+ +rate_pauses ")
        c = self.assert_stops(d)  # what its kernel has acknowledged is taken in, at once
        self.assertGreater(c["rate_pauses"], 0)

    def test_within_one_input_nobody_has_all_of_it(self):
        d = self.start("  - {type: tcp, listen: '127.0.0.1:0', max_rate: 64KiB}\n")
        port, = self.ports(d, "tcp")
        records = padded(0, 16 * 1024)
        for _ in range(3):
            self.flood(port, records)
        eventually("they are held back", lambda: self.inputs()[0].get("holds_back"))
        self.flood(port, [attack(7)])
        eventually("the alert of the fourth", lambda: self.up.lines)
        self.assertLess(self.inputs()[0]["aside"]["received"], len(records))
        d.kill()

    def test_of_streams_nothing_is_lost_whatever_they_speak(self):
        folder = self.scratch()
        pem = Authority(folder).issue("localhost", "DNS:localhost,IP:127.0.0.1")
        path = os.path.join(folder, "stream.sock")
        rate = "max_rate: 512KiB"
        d = self.start(f"  - {{type: tcp, listen: '127.0.0.1:0', {rate}}}\n"
                       f"  - {{type: tcp, listen: '127.0.0.1:0', tls_certificate: {pem}, {rate}}}\n"
                       f"  - {{type: tcp, listen: 'unix:{path}', {rate}}}\n"
                       f"  - {{type: beats, listen: '127.0.0.1:0', {rate}}}\n"
                       f"  - {{type: http, listen: '127.0.0.1:0', {rate}}}\nloops: 2\n")
        plain, tls = self.ports(d, "tcp")
        records = padded(0, 1536)
        events = os.path.join(folder, "events")
        with open(events, "wb") as f:
            f.write(b"".join(records))
        ways = ([f"127.0.0.1:{plain}"], ["--tls", "--insecure", f"127.0.0.1:{tls}"], [f"unix:{path}"],
                ["--beats", "--compress", "0", f"127.0.0.1:{self.ports(d, 'beats')[0]}"],
                [f"http://127.0.0.1:{self.ports(d, 'http')[0]}"])
        began = time.monotonic()
        senders = [subprocess.Popen([SQUIBLY, "send", "-q", "--timeout", "60", "--wait", "60", *way, events]) for way in ways]
        for s in senders:
            self.assertEqual(s.wait(DEADLINE), 0, s.args)
        d.wait_received(len(ways) * len(records))
        took = time.monotonic() - began
        # Of each more than two seconds' worth behind the first second's, less one share (4 KiB) on each loop.
        least = (size(records) - 524288 - 2 * 4096) / 524288
        self.assertGreater(took, least)
        each = [i["aside"] for i in self.inputs()]
        self.assertEqual([e["received"] for e in each], len(ways) * [len(records)])
        for e in each:
            self.assertGreater(e["rate_pauses"], 0, e)
        self.assert_stops(d, len(ways) * len(records))

    def test_who_is_made_to_wait_is_not_closed_for_being_slow(self):
        d = self.start("  - {type: http, listen: '127.0.0.1:0', max_rate: 32KiB, body_timeout: 200ms, header_timeout: 200ms}\n"
                       "  - {type: beats, listen: '127.0.0.1:0', max_rate: 32KiB, max_silence: 200ms}\n")
        folder, records = self.scratch(), padded(0, 12)
        events = os.path.join(folder, "events")
        with open(events, "wb") as f:
            f.write(b"".join(records))
        ways = ([f"http://127.0.0.1:{self.ports(d, 'http')[0]}"],
                ["--beats", "--compress", "0", f"127.0.0.1:{self.ports(d, 'beats')[0]}"])
        senders = [subprocess.Popen([SQUIBLY, "send", "-q", "--retries", "0", "--timeout", "60", *way, events])
                   for way in ways for _ in range(12)]
        for s in senders:
            self.assertEqual(s.wait(DEADLINE), 0, s.args)
        c = self.assert_stops(d, len(senders) * len(records))
        self.assertEqual((c.get("http_timeouts", 0), c.get("beats_silent", 0)), (0, 0))

    def test_datagrams_over_it_are_dropped_and_counted(self):
        d = self.start("  - {type: udp, listen: '127.0.0.1:0', max_rate: 64KiB}\n")
        port, = self.ports(d, "udp")
        records = padded(0, 2000)
        began = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for r in records:
                s.sendto(r, ("127.0.0.1", port))
        c = eventually("all of them", lambda: (lambda c: c.get("received", 0) + c.get("kernel_dropped", 0) == len(records) and c)
                       (d.counters()))
        took = time.monotonic() - began
        # Those that are taken, with one that goes over the line.
        self.assertLessEqual(c["clean"] * len(records[0]), 65536 * (took + 1) + len(records[0]))
        self.assertGreaterEqual(c["clean"] * len(records[0]), 65536 - len(records[0]))
        self.assertEqual(c["dropped_rate"], c["received"] - c["clean"])
        d.wait_said(rf"udp 127.0.0.1:{port}: more comes than max_rate; datagrams are dropped")
        self.assertRegex(squibly("status", "-s", self.socket)[0].decode(), r"(?m)^ +\d+ +dropped_rate ")
        self.assert_stops(d, c["received"])

    def test_who_writes_datagrams_to_a_unix_socket_has_to_wait(self):
        path = os.path.join(self.scratch(), "log.sock")
        d = self.start(f"  - {{type: udp, listen: 'unix:{path}', max_rate: 256KiB}}\n")
        d.wait_said("listening on")
        records = padded(0, 1024)
        began = time.monotonic()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.connect(path)
            for r in records:
                s.send(r)
        d.wait_received(len(records))
        # A burst of 64 datagrams is taken as a whole.
        self.assertGreater(time.monotonic() - began, (size(records[64:]) - 262144) / 262144)
        c = self.assert_stops(d, len(records))
        self.assertEqual(c["dropped"], 0)
        self.assertGreater(c["rate_pauses"], 0)


if __name__ == "__main__":
    main()
