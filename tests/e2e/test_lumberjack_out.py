"""The lumberjack output to real receivers: another squiblyd, killed on the way, and (what tools/clients built)
Elastic's go-lumber. Every alert arrives, in order, and once unless its receiver was killed."""
import json
import os
import shutil
import signal
import socket
import tempfile

from clients import Pki, Running, built, free_port
from harness import Case, attack, eventually, main, ordinary


def number_of(host):
    return int(host[len("ws-"):].split(".")[0])


class Sender(Case):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.taken = os.path.join(self.folder, "taken.ndjson")

    def sender(self, port, options="", more=""):
        return self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\noutputs:\n  - type: lumberjack\n"
                           f"    address: 127.0.0.1:{port}\n    retry_min: 50ms\n    retry_max: 500ms\n"
                           f"{options}{more}", inputs=False)

    def hosts(self):
        """The numbers of the events, in the order in which alerts about them arrived. (The last line may be torn by
        a kill.)"""
        numbers = []
        if os.path.exists(self.taken):
            with open(self.taken, "rb") as f:
                for line in f.read().split(b"\n")[:-1]:
                    try:
                        numbers.append(number_of(json.loads(line)["host"]["name"]))
                    except ValueError:
                        continue
        return numbers

    def wait_taken(self, n):
        eventually(lambda: f"{n} different events, {len(set(self.hosts()))} are there", lambda: len(set(self.hosts())) >= n)


class ToSquiblyd(Sender):
    """A document of ours has ECS names, so that a second squiblyd reads it as an event, and alerts again."""

    def receiver(self, port=0, more=""):
        d = self.daemon(f"inputs:\n  - type: beats\n    listen: 127.0.0.1:{port}\n{more}outputs:\n  - type: file\n"
                        f"    path: {self.taken}\n", inputs=False)
        d.port("beats")
        return d

    def check(self, n, options="", more=""):
        receiver = self.receiver(more=more)
        d = self.sender(receiver.port("beats"), options)
        d.send(b"".join(attack(i) + ordinary(i) for i in range(n)))
        self.wait_taken(n)
        self.assertEqual(self.hosts(), list(range(n)))
        c = self.assert_stops(d, 2 * n)
        self.assertEqual((c["alerted"], c["clean"], c["sent"]), (n, n, n))
        self.assert_stops(receiver, n)

    def test_each_alert_arrives_once_and_in_order(self):
        self.check(500)

    def test_compressed_in_small_windows(self):
        self.check(500, "    compression: 6\n    window: 7\n    pipelining: 5\n")

    def test_with_tls_and_certificates_on_both_sides(self):
        pki = Pki(self.folder)
        self.check(300, f"    tls: true\n    tls_ca: {pki.ca}\n    tls_certificate: {pki.client}\n"
                        f"    tls_key: {pki.client_key}\n", pki.server_options())

    def test_a_certificate_of_somebody_else_gets_nothing(self):
        pki, other = Pki(self.folder), Pki(tempfile.mkdtemp(dir=self.folder))
        receiver = self.receiver(more=pki.server_options("optional"))
        d = self.sender(receiver.port("beats"), f"    tls: true\n    tls_ca: {other.ca}\n", "shutdown_deadline: 100ms\n")
        d.send(attack(1))
        d.wait_said("certificate")
        d.stop()
        self.assertEqual(self.hosts(), [])

    def test_other_formats_are_an_error_of_the_configuration(self):
        for form in ("cef", "leef", "syslog"):
            d = self.sender(5044, f"    format: {form}\n")
            self.assertNotEqual(d.process.wait(60), 0)
            d.readers[1].join()
            self.assertTrue(d.said("format: this kind of output takes JSON alone"), d.err)

    def test_a_receiver_that_is_killed_misses_nothing(self):
        port, kills, each = free_port(), 5, 400
        receiver = self.receiver(port)
        d = self.sender(port, "    window: 20\n    ack_timeout: 5s\n")
        with d.connect() as s:
            for kill in range(kills):
                s.sendall(b"".join(attack(kill * each + i) for i in range(each)))
                self.wait_taken(kill * each + each // 4)  # so it is on the way
                receiver.process.send_signal(signal.SIGKILL)
                receiver.wait()
                receiver = self.receiver(port)
        n = kills * each
        self.wait_taken(n)
        c = self.assert_stops(d, n)
        self.assertEqual((c["alerted"], c["sent"]), (n, n))
        status, _ = receiver.stop()
        self.assertEqual(status, 0)
        seen = self.hosts()
        self.assertEqual(sorted(set(seen)), list(range(n)))
        # Taken and not acknowledged when the kill came: no more than what was on its way, two windows.
        self.assertLessEqual(len(seen) - n, kills * 2 * 20)


class ToSeveral(Sender):
    """One that is away is no outage while another is there."""

    def receivers(self, n):
        """Each with a file of its own."""
        self.files = [os.path.join(self.folder, f"taken-{i}.ndjson") for i in range(n)]
        self.ports = [free_port() for _ in range(n)]

    def receiver(self, i):
        d = self.daemon(f"inputs:\n  - type: beats\n    listen: 127.0.0.1:{self.ports[i]}\noutputs:\n  - type: file\n"
                        f"    path: {self.files[i]}\n", inputs=False)
        d.port("beats")
        return d

    def at(self, i):
        self.taken = self.files[i]
        return self.hosts()

    def wait_at(self, i, n):
        eventually(lambda: f"event {n} at {i}, {self.at(i)[-3:]} are there", lambda: n in self.at(i))

    def test_another_takes_over_and_nothing_is_lost(self):
        self.receivers(2)
        second = self.receiver(1)
        d = self.sender(self.ports[0], f'    alternates: ["127.0.0.1:{self.ports[1]}"]\n    window: 20\n')
        d.send(b"".join(attack(i) for i in range(200)))
        self.wait_at(1, 199)
        d.wait_said(f"connected to 127.0.0.1:{self.ports[1]}")
        self.assertFalse(d.said("retrying"), "the first is dead, the second takes all: no outage")
        first = self.receiver(0)
        d.send(b"".join(attack(i) for i in range(200, 400)))
        self.wait_at(1, 399)
        self.assertEqual(self.at(0), [], "a connection that works is kept")
        second.process.send_signal(signal.SIGKILL)
        second.wait()
        d.send(b"".join(attack(i) for i in range(400, 600)))
        self.wait_at(0, 599)
        second = self.receiver(1)
        first.process.send_signal(signal.SIGKILL)
        first.wait()
        d.send(b"".join(attack(i) for i in range(600, 800)))
        self.wait_at(1, 799)
        c = self.assert_stops(d, 800)
        self.assertEqual(c["sent"], 800)
        self.assertEqual(sorted(set(self.at(0) + self.at(1))), list(range(800)))
        self.assertLessEqual(len(self.at(0) + self.at(1)) - 800, 2 * 2 * 20, "no more than was on its way at two kills")

    def test_one_that_accepts_and_says_nothing_holds_up_nothing(self):
        self.receivers(1)
        receiver = self.receiver(0)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            d = self.sender(silent.getsockname()[1], f'    alternates: ["127.0.0.1:{self.ports[0]}"]\n    ack_timeout: 300ms\n')
            d.send(b"".join(attack(i) for i in range(100)))
            self.wait_at(0, 99)
        self.assertTrue(d.said("no acknowledgement in"))
        self.assertEqual(self.at(0), list(range(100)))
        self.assert_stops(d, 100)
        self.assert_stops(receiver, 100)


class ToGoLumber(Sender):
    def setUp(self):
        built("lumber_take")  # or skip
        super().setUp()

    def receiver(self, port=0, *args):
        r = Running([built("lumber_take"), "-address", f"127.0.0.1:{port}", "-file", self.taken, *args])
        self.addCleanup(r.close)
        said = eventually("go-lumber listens", lambda: "listening on" in r.said()[1] and r.said()[1])
        return r, int(said.split("listening on")[1].split()[0].rsplit(":", 1)[1])

    def check(self, n, options="", args=()):
        _, port = self.receiver(0, *args)
        d = self.sender(port, options)
        d.send(b"".join(attack(i) for i in range(n)))
        self.wait_taken(n)
        self.assertEqual(self.hosts(), list(range(n)))
        c = self.assert_stops(d, n)
        self.assertEqual((c["sent"], d.said("retrying")), (n, None))

    def test_each_alert_arrives_once_and_in_order(self):
        for i, options in enumerate(("", "    compression: 3\n", "    window: 1\n", "    pipelining: 16\n    window: 3\n")):
            with self.subTest(options=options):
                if os.path.exists(self.taken):
                    os.remove(self.taken)
                self.check(300 + i, options)

    def test_with_tls(self):
        pki = Pki(self.folder)
        self.check(300, f"    tls: true\n    tls_ca: {pki.ca}\n", ("-cert", pki.cert, "-key", pki.key))

    def test_its_keep_alives_are_waited_with(self):
        # It takes longer for each window than our patience, and says so meanwhile.
        self.check(20, "    window: 10\n    ack_timeout: 400ms\n", ("-pause", "1s", "-keepalive", "100ms"))

    def test_one_that_is_killed_misses_nothing(self):
        receiver, port = self.receiver()
        d = self.sender(port, "    window: 20\n")
        n, kills = 1500, 4
        with d.connect() as s:
            for kill in range(kills):
                s.sendall(b"".join(attack(i) for i in range(kill * n // kills, (kill + 1) * n // kills)))
                self.wait_taken(kill * n // kills + 50)
                receiver.process.send_signal(signal.SIGKILL)
                receiver.process.wait()
                receiver, _ = self.receiver(port)
        self.wait_taken(n)
        c = self.assert_stops(d, n)
        self.assertEqual(c["sent"], n)
        seen = self.hosts()
        self.assertEqual(sorted(set(seen)), list(range(n)))
        self.assertLessEqual(len(seen) - n, kills * 2 * 20)


if __name__ == "__main__":
    main()
