"""TLS: inputs and openssl s_client, the TCP output and openssl s_server, rsyslog."""
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from certs import Authority, openssl, serial
from harness import (DEADLINE, SQUIBLYD, Case, acknowledged, attack, eventually, main,
                     ordinary)


def setUpModule():
    global FOLDER, OURS, OTHER, SERVER, CLIENT
    FOLDER = tempfile.mkdtemp(prefix="squiblyd-tls-")
    unittest.addModuleCleanup(shutil.rmtree, FOLDER, True)
    OURS, OTHER = Authority(FOLDER), Authority(FOLDER, "Other CA")
    SERVER = OURS.issue("collector", "DNS:localhost,IP:127.0.0.1")
    CLIENT = OURS.issue("ws-7", "DNS:ws-7.example.org")


class Running:
    """A program whose output is gathered, with an end that is sure to come."""

    def __init__(self, case, args, data=None):
        self.out = b""
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        case.addCleanup(self.kill)
        if data is not None:
            self.say(data)

    def _read(self):
        while chunk := self.process.stdout.read1(65536):
            self.out += chunk

    def say(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def wait_said(self, text):
        return eventually(lambda: f"{text!r} in {self.out!r}", lambda: re.search(text, self.out))

    def end(self):
        """No more input; gives all that it said."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait(DEADLINE)
        self.reader.join()
        return self.out

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


class TlsCase(Case):
    def collector(self, options="", upstream=None, certificate=None, kind="tcp"):
        """squiblyd with TLS on its one input."""
        text = (f"inputs:\n  - type: {kind}\n    listen: 127.0.0.1:0\n"
                f"    tls_certificate: {certificate or SERVER}\n{options}")
        if upstream:
            text += f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{upstream.port}\n"
        else:
            text += "outputs:\n  - type: stdout\n"
        return self.daemon(text, inputs=False)

    def s_client(self, d, *args, kind="tcp"):
        return Running(self, ["openssl", "s_client", "-connect", f"127.0.0.1:{d.port(kind)}", "-CAfile", OURS.ca,
                              "-nocommands", "-verify_return_error", *args])

    def connect(self, d, certificate=None, newest=ssl.TLSVersion.TLSv1_3):
        """A session by Python's own OpenSSL."""
        context = ssl.create_default_context(cafile=OURS.ca)
        context.maximum_version = newest
        if certificate:
            context.load_cert_chain(certificate)
        plain = socket.create_connection(("127.0.0.1", d.port()), timeout=DEADLINE)
        try:
            s = context.wrap_socket(plain, server_hostname="localhost")
        except (OSError, ssl.SSLError):
            plain.close()
            raise
        self.addCleanup(s.close)
        return s

    def wait_counter(self, d, name, value):
        last = {}

        def look():
            last.update(d.counters())
            return last.get(name) == value
        eventually(lambda: f"{name} {value}: {last}", look)

    def refused(self, d, certificate=None):
        """With TLS 1.3 a client learns that it was refused when it reads."""
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            s = self.connect(d, certificate)
            if s.recv(1) == b"":
                raise ConnectionError("closed")


class Versions(TlsCase):
    def test_1_2_and_1_3_are_spoken(self):
        up = self.upstream()
        d = self.collector(upstream=up)
        for n, version in enumerate(("1_2", "1_3")):
            c = self.s_client(d, "-tls" + version)
            c.wait_said(b"Verify return code: 0|Verification: OK")
            c.say(attack(n))
            eventually("an alert", lambda n=n: len(up.lines) == n + 1)
            self.assertRegex(c.end(), b"New, TLSv" + version.replace("_", ".").encode())
        c = self.assert_stops(d, 2)
        self.assertEqual(c["tls_handshakes"], 2)
        self.assertNotIn("tls_failed", c)  # what is 0 is not printed
        self.assertNotIn("tls_truncated", c)

    def test_a_version_that_is_too_old_is_told(self):
        d = self.collector("    tls_min_version: 1.3\n")
        self.assertIn(b"protocol version", self.s_client(d, "-tls1_2").end())
        d.wait_said(r"127\.0\.0\.1:\d+: TLS handshake failed: no common TLS version; closing")
        self.assertEqual(d.counters()["tls_failed"], 1)

    def test_tls_1_1_is_history(self):
        d = self.collector()
        self.s_client(d, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0").end()
        d.wait_said("TLS handshake failed: no common TLS version")

    def test_a_cipher_without_forward_secrecy_is_not_shared(self):
        d = self.collector()
        self.s_client(d, "-tls1_2", "-cipher", "AES256-GCM-SHA384").end()
        d.wait_said("TLS handshake failed: no shared cipher")

    def test_sessions_are_resumed(self):
        for kind, version in (("tcp", "-tls1_2"), ("beats", "-tls1_2"), ("beats", "-tls1_3")):
            with self.subTest(kind=kind, version=version):
                d = self.collector(kind=kind)
                saved = os.path.join(FOLDER, "session-" + kind + version)
                first = self.s_client(d, version, "-sess_out", saved, kind=kind)
                eventually("a ticket", lambda saved=saved: os.path.exists(saved) and os.path.getsize(saved))
                self.assertIn(b"New, TLSv", first.end())
                again = self.s_client(d, version, "-sess_in", saved, kind=kind)
                again.wait_said(b"Reused, TLSv")
                again.end()
                self.wait_counter(d, "tls_resumed", 1)
                self.assertEqual(d.counters()["tls_handshakes"], 2)

    def test_who_sends_closes_and_never_reads_loses_nothing(self):
        """Something unread in its socket would make of its end a reset, which overtakes the rest."""
        d = self.collector()
        d.port()
        for newest in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for i in range(1, 6):
                before = d.counters()["received"]
                s = self.connect(d, newest=newest)
                s.sendall(ordinary(i) * 20000)
                s.close()
                d.wait_received(before + 20000)
        self.assertNotIn("connections_failed", d.counters())


    def test_what_the_kernel_took_for_us_is_read_before_the_end(self):
        up = self.upstream()
        d = self.collector(upstream=up)
        d.port()
        with self.connect(d) as s:
            s.sendall(attack(1))
            d.wait_received(1)
            d.process.send_signal(signal.SIGSTOP)
            s.sendall(b"".join(attack(n) for n in range(100)))
            eventually("all bytes acknowledged", lambda: acknowledged(s))
            d.process.send_signal(signal.SIGTERM)
            c = self.assert_stops(d, 101, signal.SIGCONT)
        self.assertEqual(c["alerted"], 101)

    def halfway(self, d):
        """A handshake of which the daemon has said its part, and waits for ours."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(OURS.ca)
        context.check_hostname = False
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        come, go = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = context.wrap_bio(come, go)
        s = socket.create_connection(("127.0.0.1", d.port()), timeout=DEADLINE)
        self.addCleanup(s.close)
        with self.assertRaises(ssl.SSLWantReadError):
            session.do_handshake()
        s.sendall(go.read())
        return s, session, come, go

    @staticmethod
    def shake(s, session, come):
        while True:
            try:
                return session.do_handshake()
            except ssl.SSLWantReadError:
                come.write(s.recv(65536))

    def test_nor_is_lost_what_came_behind_the_last_word_of_a_handshake(self):
        """For who sends it, the handshake is over; we have not read that yet."""
        up = self.upstream()
        d = self.collector(upstream=up)
        s, session, come, go = self.halfway(d)
        self.shake(s, session, come)
        d.process.send_signal(signal.SIGSTOP)
        for n in range(100):
            session.write(attack(n))
        s.sendall(go.read())
        eventually("all bytes acknowledged", lambda: acknowledged(s))
        d.process.send_signal(signal.SIGTERM)
        c = self.assert_stops(d, 100, signal.SIGCONT)
        self.assertEqual((c["alerted"], c["tls_handshakes"]), (100, 1))


NAMED = {"client": {"subject": "CN=ws-7,O=Example", "x509": {"alternative_names": ["ws-7.example.org"]}}}


class Clients(TlsCase):
    REQUIRED = "    tls_clients: required\n    tls_client_ca: %s\n"

    def test_the_right_one_is_named_in_alerts(self):
        up = self.upstream()
        d = self.collector(self.REQUIRED % OURS.ca, upstream=up)
        c = self.s_client(d, "-cert", CLIENT)
        c.say(attack(1))
        alert = eventually("an alert", up.alerts)[0]
        self.assertEqual(alert["tls"], NAMED)
        c.end()
        self.assert_stops(d, 1)

    def test_it_is_named_after_resumption_too(self):
        up = self.upstream()
        d = self.collector(self.REQUIRED % OURS.ca, upstream=up)
        saved = os.path.join(FOLDER, "session-with-certificate")
        first = self.s_client(d, "-tls1_2", "-cert", CLIENT, "-sess_out", saved)
        eventually("a ticket", lambda: os.path.exists(saved) and os.path.getsize(saved))
        first.end()
        again = self.s_client(d, "-tls1_2", "-sess_in", saved)  # it shows none: the ticket stands for it
        again.wait_said(b"Reused, TLSv")
        again.say(attack(1))
        self.assertEqual(eventually("an alert", up.alerts)[0]["tls"], NAMED)

    def test_none(self):
        d = self.collector(self.REQUIRED % OURS.ca)
        self.s_client(d).wait_said(b"certificate required")
        d.wait_said("TLS handshake failed: no client certificate was shown; closing")
        self.assertEqual(d.counters()["tls_failed"], 1)

    def test_of_another_authority(self):
        d = self.collector(self.REQUIRED % OURS.ca)
        self.refused(d, OTHER.issue("stranger"))
        d.wait_said(r"the client's certificate is signed by nobody we trust \(CN=stranger,O=Example\)")

    def test_expired(self):
        d = self.collector(self.REQUIRED % OURS.ca)
        self.refused(d, OURS.issue("ws-old", days=0))
        d.wait_said(r"the client's certificate has expired \(CN=ws-old,O=Example\)")

    def test_a_name_that_is_not_listed(self):
        d = self.collector(self.REQUIRED % OURS.ca + '    tls_client_names: [ws-8, "*.example.net"]\n')
        self.refused(d, CLIENT)
        d.wait_said(r"no name of the client's certificate is allowed \(CN=ws-7,O=Example\)")
        self.connect(d, OURS.issue("ws-9", "DNS:ws-9.example.net")).close()
        self.wait_counter(d, "tls_handshakes", 1)
        self.assertEqual(d.counters()["tls_failed"], 1)

    def test_optional(self):
        d = self.collector("    tls_clients: optional\n    tls_client_ca: %s\n" % OURS.ca)
        for certificate in (None, CLIENT):
            with self.connect(d, certificate) as s:
                s.sendall(ordinary(1))
                s.unwrap()
        self.refused(d, OTHER.issue("stranger"))
        self.assert_stops(d, 2)


class WrongPort(TlsCase):
    def test_plain_text_to_tls(self):
        d = self.collector()
        with d.connect() as s:
            s.sendall(attack(1))
            s.settimeout(DEADLINE)
            try:
                s.recv(64)  # an alert perhaps, then its end
            except ConnectionError:
                pass
        d.wait_said("TLS handshake failed: it sent plain text on a TLS port; closing")
        c = self.assert_stops(d, 0)
        self.assertEqual((c["tls_failed"], c["connections_failed"]), (1, 1))

    def test_http_to_tls(self):
        d = self.collector()
        with d.connect() as s:
            s.sendall(b"GET / HTTP/1.1\r\nHost: collector\r\n\r\n")
        d.wait_said("TLS handshake failed: HTTP request on a TLS port; closing")

    def test_tls_to_plain_text(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        self.s_client(d).end()
        d.wait_said(r"127\.0\.0\.1:\d+ speaks TLS on a plain TCP port; closing")
        d.send(attack(1))
        eventually("an alert", lambda: up.lines)
        c = self.assert_stops(d, 1)
        self.assertEqual(c["connections_failed"], 1)


class Trouble(TlsCase):
    def test_fifty_failed_handshakes_and_a_good_one(self):
        up = self.upstream()
        d = self.collector("    tls_clients: required\n    tls_client_ca: %s\n" % OURS.ca, upstream=up)
        hello = self.hello()
        for n in range(50):
            if n % 3 == 0:
                self.refused(d)
                continue
            with d.connect() as s:
                s.sendall(b"\x16\x03\x01\x00\x05garbage" if n % 3 == 1 else hello[:100])
                if n % 3 == 2:
                    s.shutdown(socket.SHUT_WR)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionError:
                    pass
        self.wait_counter(d, "tls_failed", 50)
        with self.connect(d, CLIENT) as s:
            s.sendall(attack(1))
            eventually("an alert", lambda: up.lines)
            s.unwrap()
        c = self.assert_stops(d, 1)
        self.assertEqual((c["tls_failed"], c["tls_handshakes"]), (50, 1))

    @staticmethod
    def hello():
        """A ClientHello as OpenSSL sends it."""
        out = ssl.MemoryBIO()
        o = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost")
        try:
            o.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return out.read()

    def test_a_handshake_that_stalls_is_closed(self):
        d = self.collector("    handshake_timeout: 300ms\n")
        hello = self.hello()
        begun = time.monotonic()
        with d.connect() as silent, d.connect() as slow:
            slow.sendall(hello[:50])
            self.assertEqual(silent.recv(64), b"")
            slow.settimeout(DEADLINE)
            self.assertEqual(slow.recv(64)[:0], b"")
        self.assertGreater(time.monotonic() - begun, 0.25)
        d.wait_said("TLS handshake failed: it took too long; closing")
        self.wait_counter(d, "handshake_timeouts", 2)

    def test_an_end_without_close_notify_is_counted(self):
        d = self.collector()
        s = self.connect(d, newest=ssl.TLSVersion.TLSv1_2)  # it leaves no ticket unread
        s.sendall(ordinary(1))
        socket.socket(fileno=s.detach()).close()  # as a machine that lost its power
        d.wait_received(1)
        self.wait_counter(d, "tls_truncated", 1)
        with self.connect(d) as polite:
            polite.sendall(ordinary(2))
            polite.unwrap()
        c = self.assert_stops(d, 2)
        self.assertEqual(c["tls_truncated"], 1)
        self.assertNotIn("tls_failed", c)

    def test_wrong_files_end_the_start(self):
        for certificate, why in ((OURS.ca, "there is no private key"), ("/nowhere.pem", "No such file or directory")):
            d = self.collector(certificate=certificate)
            self.assertNotEqual(d.wait(), 0)
            self.assertIn(why, "\n".join(d.err))


class CheckConfig(TlsCase):
    def check(self, certificate):
        config = os.path.join(FOLDER, "check.yaml")
        with open(config, "w", encoding="ascii") as f:
            f.write(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n    tls_certificate: {certificate}\n"
                    f"outputs:\n  - type: tcp\n    address: siem:1\n    tls: true\n    tls_ca: {OURS.ca}\n")
        run = subprocess.run([SQUIBLYD, "--check-config", "-c", config], capture_output=True, text=True,
                             timeout=DEADLINE, check=False)
        return run.returncode, run.stderr

    def test_files_are_looked_at_before_a_reload(self):
        self.assertEqual(self.check(OURS.issue("lasting", days=90)), (0, ""))
        status, said = self.check(SERVER)
        self.assertEqual(status, 0)
        self.assertRegex(said, "check.yaml:4:22: warning: tls_certificate: .*the certificate expires within two weeks")
        status, said = self.check(OURS.ca)
        self.assertEqual(status, 1)
        self.assertRegex(said, "check.yaml:2:5: error: tls_key: .*there is no private key")


class Rotation(TlsCase):
    def serial_of(self, d):
        c = self.s_client(d)
        c.wait_said(b"-----END CERTIFICATE-----")
        return serial(c.end())

    def test_a_certificate_is_replaced_and_nobody_dropped(self):
        path = os.path.join(FOLDER, "rotated.pem")
        first, second = (OURS.issue(name, "DNS:localhost,IP:127.0.0.1") for name in ("first", "second"))
        shutil.copy(first, path)
        up = self.upstream()
        d = self.collector(upstream=up, certificate=path)
        with open(first, "rb") as f, open(second, "rb") as g:
            serials = [serial(f.read()), serial(g.read())]
        self.assertNotEqual(*serials)
        self.assertEqual(self.serial_of(d), serials[0])
        old = self.connect(d)
        shutil.copy(second, path)
        d.hup()
        eventually("the second certificate", lambda: self.serial_of(d) == serials[1])
        with open(path, "w", encoding="ascii") as f:
            f.write("no certificate any more\n")
        before = d.hup()
        d.wait_said(r"certificate not reloaded: .*rotated\.pem: there is no certificate \(PEM\) in it; "
                    "the old one stays", before)
        self.assertEqual(self.serial_of(d), serials[1])
        old.sendall(attack(1))
        eventually("an alert over the old connection", lambda: up.lines)
        old.unwrap()
        self.assertEqual(self.assert_stops(d, 1)["tls_reloads_failed"], 1)


class OutputCase(TlsCase):
    def sender(self, port, options="", host="localhost"):
        return self.daemon("outputs:\n  - type: tcp\n"
                           f"    address: {host}:{port}\n    tls: true\n    tls_ca: {OURS.ca}\n"
                           f"    retry_min: 50ms\n    retry_max: 200ms\n{options}")

    def s_server(self, port, *args):
        s = Running(self, ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", SERVER, "-key", SERVER,
                           *args])
        s.wait_said(b"ACCEPT")
        return s

    @staticmethod
    def free_port():
        with socket.create_server(("127.0.0.1", 0)) as s:
            return s.getsockname()[1]


class Output(OutputCase):
    def test_alerts_reach_s_server(self):
        for version, want in (("-tls1_2", b"CIPHER is ECDHE-"), ("-tls1_3", b"CIPHER is TLS_")):
            port = self.free_port()
            server = self.s_server(port, version, "-Verify", "1", "-CAfile", OURS.ca, "-verify_return_error")
            d = self.sender(port, f"    tls_certificate: {CLIENT}\n")
            d.wait_said(f"tcp localhost:{port}: connected")
            d.send(attack(7))
            server.wait_said(b"files.example.net/7.sct")
            self.assert_stops(d, 1)
            server.wait_said(b"DONE|shutting down|CONNECTION CLOSED")
            self.assertIn(want, server.out)
            self.assertIn(b"ws-7", server.out)
            server.kill()

    def test_a_server_that_is_not_trusted_gets_nothing_until_it_is(self):
        port = self.free_port()
        server = self.s_server(port)
        ca = os.path.join(FOLDER, "trusted.pem")
        shutil.copy(OTHER.ca, ca)
        d = self.daemon(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{port}\n    tls: true\n    tls_ca: {ca}\n"
                        "    retry_min: 50ms\n    retry_max: 200ms\n")
        d.wait_said(r"the server's certificate is signed by nobody we trust \(CN=collector,O=Example\); retrying in")
        d.send(attack(3))
        d.wait_received(1)
        self.assertNotIn(b"3.sct", server.out)
        shutil.copy(OURS.ca, ca)
        d.hup()
        server.wait_said(b"files.example.net/3.sct")
        self.assert_stops(d, 1)

    def test_another_name_is_refused(self):
        port = self.free_port()
        self.s_server(port)
        d = self.sender(port, "    tls_name: siem.example.org\n")
        d.wait_said("the server's certificate is for another name than siem.example.org")

    def test_a_peer_without_tls(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            d = self.sender(listener.getsockname()[1])
            with listener.accept()[0] as s:
                s.sendall(b"220 hello\r\n")
            d.wait_said("it answered with plain text: no TLS is spoken there; retrying")


class RsyslogReceives(OutputCase):
    """RFC 5425: octet counting over TLS to a receiver that nobody here wrote."""

    def test_alerts_reach_rsyslog(self):
        daemon = shutil.which("rsyslogd", path=os.environ.get("PATH", "") + ":/usr/sbin")
        driver = [f for f in ("lmnsd_ossl", "lmnsd_gtls") for root in ("/usr/lib", "/usr/lib64")
                  for _, _, files in os.walk(root) if f + ".so" in files]
        if not daemon or not driver:
            self.skipTest("rsyslog with TLS is not installed (tools/deps clients)")
        name = driver[0].removeprefix("lmnsd_")
        port, received = self.free_port(), os.path.join(FOLDER, "received.log")
        cert, key = os.path.join(FOLDER, "rsyslog.crt"), os.path.join(FOLDER, "rsyslog.key")
        with open(cert, "wb") as f:
            f.write(openssl("x509", "-in", SERVER))
        with open(key, "wb") as f:
            f.write(openssl("pkey", "-in", SERVER))
        config = os.path.join(FOLDER, "rsyslog.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(f"""global(workDirectory="{FOLDER}" maxMessageSize="64k" defaultNetstreamDriver="{name}"
  defaultNetstreamDriverCAFile="{OURS.ca}" defaultNetstreamDriverCertFile="{cert}"
  defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" StreamDriver.Name="{name}" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name"
  PermittedPeer=["ws-7.example.org", "ws-7"])
template(name="raw" type="string" string="%rawmsg%\\n")
input(type="imtcp" address="127.0.0.1" port="{port}")
*.* action(type="omfile" file="{received}" template="raw")
""")
        rsyslog = Running(self, [daemon, "-n", "-f", config, "-i", os.path.join(FOLDER, "rsyslog.pid")])

        def listens():
            self.assertIsNone(rsyslog.process.poll(), rsyslog.out)
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionError:
                return False
            return True
        eventually("rsyslog listens", listens)
        d = self.sender(port, "    framing: octet\n    format: syslog\n"
                        f"    tls_certificate: {CLIENT}\n")
        for n in range(20):
            d.send(attack(n))
        d.wait_received(20)

        def lines():
            if not os.path.exists(received):
                return []
            with open(received, "rb") as f:
                return [line for line in f.read().splitlines() if b".sct" in line]
        eventually(lambda: f"20 alerts: {lines()} {rsyslog.out} {d.err}", lambda: len(lines()) >= 20)
        self.assertTrue(all(re.match(rb"<\d+>1 ", line) for line in lines()), lines()[0])
        self.assertEqual(len(lines()), 20)
        self.assert_stops(d, 20)
        rsyslog.process.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main()
