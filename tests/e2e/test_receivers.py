"""Alerts at receivers: rsyslog over TCP (lines, octet counting), TLS and UDP, and files that are moved aside. What is
received is compared byte for byte with what an output to a file wrote of the same events: each alert, once, in
order."""
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile

from clients import ClientCase, Pki, free_port, program
from harness import Case, attack, eventually, main

# Values that formats and framings trip over; each is in a command line that is an alert.
HOSTILE = ["plain", r"back\\slash and \"quotes\"", r"line\r\nfeed\nand \r", "pipe | equals = semicolon ; [brackets]",
           r"tab\tnul\u0000 bell\u0007 escape\u001b delete\u007f", "<13>1 2026-01-01T00:00:00Z a b c - - forged",
           "12 octets ", "\u00e4\u00f6\u00fc \u20ac \U0001f600 \u2028", "%s%n%d %msg% $!x", r"\ud800 alone", "x" * 5000,
           "trailing blanks   ", "{'json': 1} {\\\"a\\\":1}"]


def hostile(n):
    line = attack(n).decode().replace("scrobj.dll", "scrobj.dll " + HOSTILE[n % len(HOSTILE)])
    return line.encode()


class Rsyslog(Case):
    N = 6 * len(HOSTILE)

    def setUp(self):
        self.daemon_path = program("rsyslogd")
        self.folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.received = os.path.join(self.folder, "received")
        self.written = os.path.join(self.folder, "written")

    def rsyslog(self, port, inputs, more=""):
        """rsyslogd that keeps each message as it came, one a line; LF within is written as rsyslog escapes it."""
        config = os.path.join(self.folder, "rsyslog.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(f"""global(workDirectory="{self.folder}" maxMessageSize="128k" parser.escapeControlCharactersOnReceive="off"
  {more})
template(name="raw" type="string" string="%rawmsg%\\n")
{inputs}
*.* action(type="omfile" file="{self.received}" template="raw")
""")
        r = subprocess.Popen([self.daemon_path, "-n", "-f", config, "-i", os.path.join(self.folder, "rsyslog.pid")],
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

        def end():
            r.kill()
            r.communicate()
        self.addCleanup(end)
        return r

    def wait_listening(self, r, port):
        def listens():
            self.assertIsNone(r.poll(), r.returncode is not None and r.stdout.read())
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionError:
                return False
            return True
        eventually("rsyslog listens", listens)

    def lines(self, path):
        if not os.path.exists(path):
            return []
        with open(path, "rb") as f:
            return [line for line in f.read().split(b"\n") if b".sct" in line]

    def check(self, port, output, form):
        d = self.daemon(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\noutputs:\n  - format: {form}\n    {output}\n"
                        f"  - type: file\n    format: {form}\n    path: {self.written}\n", inputs=False)
        before = self.lines(self.received)
        for first in range(0, self.N, 7):  # several pieces
            d.send(b"".join(hostile(n) for n in range(first, min(first + 7, self.N))))
        alerts = d.wait_received(self.N)["alerts"]  # an event may be several
        eventually(lambda: f"{alerts} alerts: {len(self.lines(self.received))} {d.err}",
                   lambda: len(self.lines(self.received)) - len(before) >= alerts)
        self.assert_stops(d, self.N)
        written = self.lines(self.written)
        self.assertEqual(len(written), alerts)
        self.assertEqual(self.lines(self.received)[len(before):], written)
        os.remove(self.written)

    def tcp(self, framings, form):
        port = free_port()
        r = self.rsyslog(port, f'module(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="{port}")')
        self.wait_listening(r, port)
        for framing in framings:
            with self.subTest(framing=framing, form=form):
                self.check(port, f"type: tcp\n    address: 127.0.0.1:{port}\n    framing: {framing}", form)

    def test_over_tcp_in_lines_and_with_octet_counting(self):
        self.tcp(("lf", "octet"), "syslog")

    def test_cef_over_tcp_with_octet_counting(self):
        self.tcp(("octet",), "cef")

    def test_over_udp(self):
        port = free_port()
        self.rsyslog(port, f'module(load="imudp")\ninput(type="imudp" address="127.0.0.1" port="{port}" rcvbufSize="4m")')
        # It binds when it is ready, and says nothing of it.
        local = f"0100007F:{port:04X}"

        def bound():
            with open("/proc/net/udp", encoding="ascii") as f:
                return any(line.split()[1] == local for line in f.readlines()[1:])
        eventually("rsyslog is bound", bound)
        self.check(port, f"type: udp\n    address: 127.0.0.1:{port}", "syslog")

    def test_over_tls_with_names_checked_on_both_sides(self):
        drivers = [name for name in ("ossl", "gtls") if glob.glob(f"/usr/lib*/rsyslog/lmnsd_{name}.so")
                   or glob.glob(f"/usr/lib/*/rsyslog/lmnsd_{name}.so")]
        if not drivers:
            self.skipTest("rsyslog's TLS drivers are not installed (tools/deps clients)")
        pki, port, name = Pki(self.folder), free_port(), drivers[0]
        r = self.rsyslog(port, f"""module(load="imtcp" StreamDriver.Name="{name}" StreamDriver.Mode="1"
  StreamDriver.AuthMode="x509/name" PermittedPeer=["{Pki.CLIENT}"])
input(type="imtcp" address="127.0.0.1" port="{port}")""",
                         f'defaultNetstreamDriver="{name}" defaultNetstreamDriverCAFile="{pki.ca}"\n'
                         f'  defaultNetstreamDriverCertFile="{pki.cert}" defaultNetstreamDriverKeyFile="{pki.key}"')
        self.wait_listening(r, port)
        self.check(port, f"type: tcp\n    address: localhost:{port}\n    framing: octet\n    tls: true\n"
                   f"    tls_ca: {pki.ca}\n    tls_certificate: {pki.client}\n    tls_key: {pki.client_key}", "syslog")

    def test_one_that_is_started_anew_gets_all_of_it(self):
        """In a crash TCP may lose what the system had acknowledged; in a restart in order nothing is."""
        port = free_port()
        inputs = f'module(load="imtcp")\ninput(type="imtcp" address="127.0.0.1" port="{port}")'
        r = self.rsyslog(port, inputs)
        self.wait_listening(r, port)
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\noutputs:\n  - type: tcp\n    format: syslog\n"
                        f"    address: 127.0.0.1:{port}\n    framing: octet\n    retry_max: 500ms\n", inputs=False)
        for n in range(20):
            d.send(attack(n))
        eventually("the first", lambda: len(self.lines(self.received)) == 20)
        r.send_signal(signal.SIGTERM)
        r.communicate(timeout=60)
        for n in range(20, 40):
            d.send(attack(n))
        r = self.rsyslog(port, inputs)
        self.wait_listening(r, port)
        eventually("all of them", lambda: len(self.lines(self.received)) >= 40)
        self.assertEqual(len(set(self.lines(self.received))), 40)
        self.assert_stops(d, 40)


class Rotation(ClientCase):
    """Files that are moved aside while alerts come: each line is whole, in one of them, once, in order."""
    N = 3000

    def check(self, options, files):
        d = self.collector("tcp\n", outputs=f"outputs:\n  - type: file\n    path: {self.alerts}\n{options}")
        with open(self.events(0, self.N), "rb") as f:
            data = f.read()
        d.send(data)
        d.wait_received(self.N)
        c = self.assert_stops(d, self.N)
        self.assertEqual(c["sent"], self.N)
        paths = files()
        self.assertGreater(len(paths), 1)
        seen = []
        for path in paths:
            self.assertLessEqual(os.path.getsize(path), 1 << 20)
            with open(path, "rb") as f:
                seen += [self.number(line) for line in f]
        self.assertEqual(seen, list(range(self.N)))

    @staticmethod
    def number(line):
        return int(json.loads(line)["process"]["command_line"].rsplit(" ", 1)[1])

    def by_number(self):
        aside = glob.glob(self.alerts + ".*")
        self.assertTrue(all(path[len(self.alerts) + 1:].isdigit() for path in aside), aside)
        return sorted(aside, key=lambda path: -int(path.rsplit(".", 1)[1])) + [self.alerts]

    def by_time(self):
        def order(path):
            at, _, n = path[len(self.alerts) + 1:].partition("-")
            return at, int(n or 1)
        return sorted(glob.glob(self.alerts + ".*"), key=order) + [self.alerts]

    def test_by_number(self):
        self.check("    rotate_size: 1MiB\n    rotate_keep: 100\n", self.by_number)

    def test_by_time_and_until_the_disk_has_it(self):
        self.check("    rotate_size: 1MiB\n    rotate_keep: 100\n    rotate_names: time\n    sync: true\n", self.by_time)

    def test_logrotate_may_move_it_too(self):
        d = self.collector("tcp\n", outputs=f"outputs:\n  - type: file\n    path: {self.alerts}\n    rotate_size: 1MiB\n"
                           "    rotate_keep: 100\n")
        with open(self.events(0, self.N), "rb") as f:
            lines = f.read().splitlines(True)
        moved = []
        for part in range(6):
            d.send(b"".join(lines[part * self.N // 6:(part + 1) * self.N // 6]))
            d.wait_received((part + 1) * self.N // 6)
            if part % 2 and os.path.exists(self.alerts):
                moved.append(os.path.join(self.folder, f"moved-{part}"))
                os.rename(self.alerts, moved[-1])
                after = len(d.err)
                d.process.send_signal(signal.SIGHUP)
                d.wait_said("opened anew", after)
        self.assert_stops(d, self.N)
        seen = []
        for path in moved + self.by_number():
            if os.path.exists(path):
                with open(path, "rb") as f:
                    seen += [self.number(line) for line in f]
        self.assertEqual(sorted(seen), list(range(self.N)))


if __name__ == "__main__":
    main()
