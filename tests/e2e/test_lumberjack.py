"""Lumberjack clients that nobody here wrote send events; each arrives exactly once: Elastic's go-lumber (sync,
async), npm's lumberjack-client and lumberjack-protocol, Python's pylogbeat. See tools/clients. Filebeat has a
file of its own."""
import signal

from clients import SANITIZED, ClientCase, Pki, built, free_port, program, report_of
from harness import DEADLINE, main

FEW = 300


class GoLumber(ClientCase):
    EVENTS = 1500 if SANITIZED else 6000  # more than two rounds of the windows
    WINDOWS = "1,2,3,10,100,500" if SANITIZED else "1,2,3,10,100,500,2048"

    def setUp(self):
        built("lumber_send")  # or skip
        super().setUp()

    def assert_no_complaint(self, report, n):
        self.assertEqual({k: report[k] for k in ("errors", "sent", "acked", "resent", "partial", "connections")},
                         {"errors": [], "sent": n, "acked": n, "resent": 0, "partial": 0, "connections": 1})

    def test_every_kind_of_client_and_window_arrives_once(self):
        d = self.collector("beats\n")
        kinds = [(pipelining, level) for pipelining in (0, 2) for level in (0, 3)]
        for i, (pipelining, level) in enumerate(kinds):
            with self.subTest(pipelining=pipelining, compression=level):
                client = self.lumber_send(d.port("beats"), self.events(i * self.EVENTS, self.EVENTS),
                                          "-windows", self.WINDOWS, "-pipelining", pipelining,
                                          "-compression", level)
                self.assert_no_complaint(report_of(client.wait()), self.EVENTS)
        self.wait_arrived(len(kinds) * self.EVENTS)
        self.assert_stops(d, len(kinds) * self.EVENTS)
        self.assert_each_once(0, len(kinds) * self.EVENTS)

    def test_what_is_acknowledged_is_in_the_file_already(self):
        d = self.collector("beats\n")
        report = report_of(self.lumber_send(d.port("beats"), self.events(0, 500), "-windows", "500").wait())
        self.assertEqual(report["acked"], 500)
        d.kill()  # at once, and with -9
        self.assert_each_once(0, 500)

    def test_several_at_a_time(self):
        d = self.collector("beats\n")
        clients = [self.lumber_send(d.port("beats"), self.events(i * 500, 500, f"{i}.ndjson"), "-windows", "7,64")
                   for i in range(8)]
        for client in clients:
            self.assert_no_complaint(report_of(client.wait()), 500)
        self.wait_arrived(4000)
        self.assert_stops(d, 4000)
        self.assert_each_once(0, 4000)

    def test_client_certificates_are_asked_for_and_named_in_alerts(self):
        pki = self.pki()
        d = self.collector("beats\n" + pki.server_options())
        port, path = d.port("beats"), self.events(0, FEW)
        stranger = report_of(self.lumber_send(port, path, "-ca", pki.ca).wait(status=1))
        self.assertEqual((stranger["acked"], len(stranger["errors"])), (0, 1))
        client = self.lumber_send(port, path, "-ca", pki.ca, "-cert", pki.client, "-key", pki.client_key,
                                  "-windows", "1,50")
        self.assert_no_complaint(report_of(client.wait()), FEW)
        self.wait_arrived(FEW)
        self.assert_stops(d, FEW)
        self.assert_each_once(0, FEW)
        with open(self.alerts, "rb") as f:
            for line in f:
                self.assertIn(Pki.CLIENT.encode(), line)

    def test_a_kill_on_the_way_loses_nothing(self):
        port, window, pipelining, n = free_port(), 100, 2, 5000
        config = f"beats\n    listen: 127.0.0.1:{port}\n"
        d = self.collector(config)
        d.port("beats")
        client = self.lumber_send(port, self.events(0, n), "-windows", window, "-pipelining", pipelining,
                                  "-pause", "25ms", "-retry", f"{DEADLINE}s")
        self.wait_arrived(n // 4)
        d.process.send_signal(signal.SIGKILL)
        d.wait()
        self.assertLess(len(self.arrived()), n)
        d = self.collector(config)
        report = report_of(client.wait())
        self.assertEqual(report["acked"], n)
        status, _ = d.stop()
        self.assertEqual(status, 0)
        seen = self.arrived()
        self.assertEqual(len(seen), n)
        # go-lumber writes windows until its queue of `pipelining` is full: one is being waited for
        # beside it, and one is written and does not fit yet.
        self.assertLessEqual(sum(seen.values()) - n, (pipelining + 2) * window)


class OtherLumberjacks(ClientCase):
    def node(self, d, which, path, *tls):
        program("node")
        return self.run_client(program("node"), "--no-deprecation", built("node/send.js"), which, "127.0.0.1",
                               d.port("beats"), path, *tls)

    def assert_all(self, d, n=FEW):
        self.wait_arrived(n)
        self.assert_stops(d, n)
        self.assert_each_once(0, n)

    def test_npm_lumberjack_client(self):
        d = self.collector("beats\n")
        report = report_of(self.node(d, "lumberjack-client", self.events(0, FEW)).wait())
        self.assertEqual([a for a in report["acks"] if a != "2A 0"], [f"2A {FEW // 2}"] + (FEW // 2) * ["2A 1"])
        self.assert_all(d)

    def test_npm_lumberjack_client_with_tls(self):
        pki = self.pki()
        d = self.collector("beats\n" + pki.server_options())
        tls = (pki.ca, pki.client, pki.client_key)
        report = report_of(self.node(d, "lumberjack-client", self.events(0, FEW), *tls).wait())
        self.assertEqual(report["events"], FEW)
        self.assert_all(d)

    def test_npm_lumberjack_protocol_speaks_version_1(self):
        pki = self.pki()
        d = self.collector("beats\n" + pki.server_options())
        tls = (pki.ca, pki.client, pki.client_key)
        report = report_of(self.node(d, "lumberjack-protocol", self.events(0, FEW), *tls).wait())
        self.assertEqual([a for a in report["acks"] if a], [100, 200, 300])
        self.assert_all(d)

    def pylogbeat(self, d, *tls):
        script = built("python/send.py")
        client = self.run_client(program("python3"), script, "127.0.0.1", d.port("beats"),
                                 self.events(0, FEW), 64, *tls)
        self.assertEqual(report_of(client.wait()), {"events": FEW, "windows": 5})
        self.assert_all(d)

    def test_pylogbeat(self):
        self.pylogbeat(self.collector("beats\n"))

    def test_pylogbeat_with_tls(self):
        pki = self.pki()
        self.pylogbeat(self.collector("beats\n" + pki.server_options()), pki.ca, pki.client, pki.client_key)


if __name__ == "__main__":
    main()
