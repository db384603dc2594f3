"""What keeps one tenant from another: an input takes no more than its max_rate, and those of others wait for nothing."""
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time

from certs import Authority
from clients import SANITIZED
from harness import DEADLINE, SQUIBLY, Case, attack, eventually, main, squibly

PAD = b"x" * 800
SMALL = "queue: 64KiB, retry_min: 50ms, retry_max: 100ms"


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


def numbers(lines):
    """Of the attacks that alerts are about."""
    return {int(re.search(rb"/(\d+)\.sct", line).group(1)) for line in list(lines)}


class Outputs(Case):
    def assert_accounts(self, lines, alerts):
        """The harness expects every alert at every output: here each output has its own."""
        self.raised = []
        for line in lines:
            account = re.match(r"  ((?:raised|records) .*) = (.*)$", line)
            if not account:
                continue
            left, right = ([int(n) for n in re.findall(r" (\d+)", re.sub(r"\([^)]*\)", "", " " + side))]
                           for side in account.groups())
            self.assertEqual(sum(left), sum(right), line)
            self.raised.append(left[0])

    def start(self, more="", first="north", lanes=2):
        """Each has an output of its own, and both have one; whose is south's is away. With three lanes the first is of
        somebody else, so that they are further ones, on one thread."""
        folder = self.scratch()
        self.socket = os.path.join(folder, "control.sock")
        self.north, self.south, self.both = self.upstream(), self.upstream(), self.upstream()
        self.south.stop()
        tenants = ("north", "south") if first == "north" else ("south", "north")
        else_in, else_out = ("", "") if lanes == 2 else (
            f"  - {{type: tcp, listen: 'unix:{folder}/west', tenant: west}}\n",
            f"  - {{type: file, path: {folder}/west.json, tenants: [west]}}\n")
        d = self.daemon("inputs:\n" + else_in + "".join(
            f"  - {{type: {kind}, listen: '127.0.0.1:0', tenant: {tenant}{', answer_timeout: 300ms' * (kind + tenant == 'httpsouth')}}}\n"
            for tenant in tenants for kind in ("tcp", "http"))
            + "outputs:\n"
            f"  - {{type: tcp, address: '127.0.0.1:{self.north.port}', tenants: [north]}}\n"
            f"  - {{type: tcp, address: '127.0.0.1:{self.south.port}', tenants: [south], {SMALL}}}\n"
            f"  - {{type: tcp, address: '127.0.0.1:{self.both.port}', {SMALL}}}\n"
            f"{else_out}control:\n  path: {self.socket}\nbatches: 2\n{more}", inputs=False, folder=folder)
        self.at = {kind: dict(zip(tenants, self.ports(d, kind))) for kind in ("tcp", "http")}
        return d

    def ports(self, d, kind):
        line = d.wait_said(r"listening on (.*); alerts").group(1)
        return [int(p) for p in re.findall(rf"{kind} [^\s,;]*:(\d+)", line)]

    def post(self, port, records):
        """The status of the answer, which comes when the outputs have sent."""
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        c.request("POST", "/events", b"".join(records))
        answer = c.getresponse().status
        c.close()
        return answer

    def wait_for_own(self, norths, souths):
        """What their systems have taken is read in a moment; and nothing else is."""
        eventually("each one's own", lambda: (numbers(self.north.lines), numbers(self.south.lines)) == (norths, souths))

    def test_who_has_an_output_of_his_own_waits_for_nobody_elses(self):
        self.waits_for_nobody_elses("loops: 1\n")

    def test_the_same_with_several_loops_and_whoever_comes_first(self):
        self.waits_for_nobody_elses("loops: 2\nfold: {window: 1s}\n", "south")

    def test_the_same_of_two_that_share_a_thread(self):
        self.waits_for_nobody_elses("loops: 1\n", "north", 3)

    def test_many_take_no_thread_each_and_little_memory(self):
        """Each has sent, and is idle since; what that costs is told in docs/decisions/threads.md."""
        many, resident = 120, {}
        for n in (1, many):
            folder = self.scratch()
            d = self.daemon("inputs:\n" + "".join(
                f"  - {{type: tcp, listen: 'unix:{folder}/{i}', tenant: t{i}}}\n" for i in range(n)) + "outputs:\n" + "".join(
                f"  - {{type: file, path: {folder}/{i}.json, tenants: [t{i}]}}\n" for i in range(n)) + "loops: 1\n",
                inputs=False, folder=folder)
            d.wait_said("listening on")
            for i in range(n):
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(f"{folder}/{i}")
                    s.sendall(attack(i))
            d.wait_received(n)
            for i in range(n):
                with open(f"{folder}/{i}.json", "rb") as f:
                    eventually("his own alert", lambda f=f: numbers(f.readlines()) == {i} or f.seek(0))
            with open(f"/proc/{d.process.pid}/status") as f:
                resident[n] = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
            loops = 0
            for thread in os.listdir(f"/proc/{d.process.pid}/task"):
                with open(f"/proc/{d.process.pid}/task/{thread}/comm") as f:
                    loops += f.read().startswith("loop-")
            self.assertEqual(loops, n > 1)
            self.assert_stops(d, n)
        if not SANITIZED:
            self.assertLess((resident[many] - resident[1]) / (many - 1), 512, resident)

    def flood(self, port, first, end):
        s = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
        self.addCleanup(s.close)

        def send():
            s.sendall(b"".join(attack(n) for n in range(first, end)))
            s.close()
        sender = threading.Thread(target=send, daemon=True)
        sender.start()
        return sender

    def waits_for_nobody_elses(self, *how):
        d = self.start(*how)
        many = 20000
        sender = self.flood(self.at["tcp"]["south"], 0, many)
        eventually("south has to wait", lambda: d.counters().get("pauses"))
        self.assertLess(d.counters()["received"], many)

        def asked():
            outputs = json.loads(squibly("status", "-j", "-s", self.socket)[0])["outputs"]
            return {" ".join(o.get("tenants", [])): o for o in outputs}
        # The first pause may be for a worker that is behind, where the machine has much to do.
        eventually("it is told who waits", lambda: [w["tenants"] for w in asked()["south"]["waited_for"]] == [["south"]])
        own = asked()
        self.assertGreaterEqual(own["south"]["waited_for"][0]["ms"], 0)
        self.assertEqual(own["north"]["waited_for"], [])  # at the common one they may, for a moment
        text = squibly("status", "-s", self.socket)[0].decode()
        self.assertRegex(text, r"(?m)^     of tenants: south\n  !! waiting for it: inputs of south, since \S+ \S+ UTC, for \S+$")
        self.assertRegex(text, r"(?m)^     of tenants: north$(?!\n  !! waiting)")
        # More than all batches hold, each of them answered: so the alerts about them have been sent.
        for n in range(many, many + 3000, 100):
            self.assertEqual(self.post(self.at["http"]["north"], [attack(k) for k in range(n, n + 100)]), 200)
        norths = set(range(many, many + 3000))
        for up in (self.north, self.both):  # their kernels have them
            eventually("the alerts of north", lambda up=up: norths <= numbers(up.lines))
        self.assertLess(d.counters()["received"], many + 3000)
        self.assertFalse(self.south.lines)
        self.south.start()
        sender.join(DEADLINE)
        eventually("all of south", lambda: numbers(self.south.lines) >= set(range(many)))
        self.assertEqual(json.loads(squibly("status", "-j", "-s", self.socket)[0])["holds"], True)
        eventually("nobody waits", lambda: not any(
            o["waited_for"] for o in json.loads(squibly("status", "-j", "-s", self.socket)[0])["outputs"]))
        c = self.assert_stops(d)
        self.wait_for_own(norths, set(range(many)))
        eventually("all of both", lambda: numbers(self.both.lines) == norths | numbers(self.south.lines))
        # Every alert is one of north or of south, and is raised at their own output and at the common one.
        self.assertEqual((self.raised[0] + self.raised[1], self.raised[2]), (c["alerts"], c["alerts"]))

    def test_each_is_answered_when_his_own_outputs_have_it(self):
        for first in ("north", "south"):
            d = self.start("", first)
            self.assertEqual(self.post(self.at["http"]["south"], [attack(1)]), 503)
            self.assertEqual(self.post(self.at["http"]["north"], [attack(2)]), 200)
            self.south.start()
            eventually("an answer for south", lambda: self.post(self.at["http"]["south"], [attack(3)]) == 200)
            self.both.stop()
            self.assertEqual(self.post(self.at["http"]["south"], [attack(4)]), 503)
            self.both.start()
            self.assert_stops(d)
            self.wait_for_own({2}, {1, 3, 4})

    def test_who_shares_an_output_waits_for_it_and_both_go_on(self):
        d = self.start()
        self.both.stop()
        self.south.start()
        many = 20000
        senders = [self.flood(self.at["tcp"][tenant], first, first + many) for tenant, first in (("north", 0), ("south", many))]
        eventually("both have to wait", lambda: d.counters().get("pauses", 0) >= 2)
        self.both.start()
        for s in senders:
            s.join(DEADLINE)
        d.wait_received(2 * many)
        eventually("all of both", lambda: len(numbers(self.both.lines)) == 2 * many)
        self.assert_stops(d, 2 * many)
        self.wait_for_own(set(range(many)), set(range(many, 2 * many)))

    def test_what_is_left_at_the_deadline_is_accounted_for(self):
        d = self.start("shutdown_deadline: 500ms\n")
        self.flood(self.at["tcp"]["south"], 0, 20000)
        eventually("south has to wait", lambda: d.counters().get("pauses"))
        d.process.send_signal(15)
        c = self.assert_stops(d)
        self.assertGreater(c["dropped_shutdown"], 0)
        self.assertEqual(self.raised[0], 0)

    def test_records_go_where_alerts_go(self):
        folder = self.scratch()
        paths = {name: os.path.join(folder, name) for name in ("north", "south", "all", "dead")}
        d = self.daemon(
            "inputs:\n  - {type: tcp, listen: '127.0.0.1:0', tenant: north}\n"
            "  - {type: tcp, listen: '127.0.0.1:0', tenant: south}\n  - {type: tcp, listen: '127.0.0.1:0'}\noutputs:\n"
            f"  - {{type: file, path: {paths['north']}, forward: all, tenants: [north]}}\n"
            f"  - {{type: file, path: {paths['south']}, forward: all, tenants: [south]}}\n"
            f"  - {{type: file, path: {paths['all']}}}\ndead_letter: {{path: {paths['dead']}}}\n", inputs=False)
        for n, port in enumerate(self.ports(d, "tcp")):
            with socket.create_connection(("127.0.0.1", port)) as s:
                s.sendall(attack(n) + b"broken %d\n" % n)
        d.wait_received(6)
        self.assert_stops(d, 6)
        read = {}
        for name, path in paths.items():
            with open(path, "rb") as f:
                read[name] = f.read().splitlines()
        for n, name in enumerate(("north", "south")):
            self.assertEqual((len(read[name]), numbers(read[name][:1]), read[name][1]), (2, {n}, b"broken %d" % n))
        self.assertEqual(numbers(read["all"]), {0, 1, 2})
        self.assertEqual(len(read["dead"]), 3)


if __name__ == "__main__":
    main()
