"""Programs that nobody here wrote send events over streams, datagrams and HTTP; each arrives exactly once:
util-linux logger, rsyslog, openssl s_client, curl."""
import gzip
import json
import os
import subprocess

from clients import ClientCase, Pki, event, program
from harness import eventually, main

FEW = 300


class Logger(ClientCase):
    """util-linux logger, of which each message has a syslog header."""

    def logger(self, d, *args):
        self.run_client(program("logger"), *args, "-f", self.events(0, FEW)).wait()
        self.wait_arrived(FEW)
        self.assert_stops(d, FEW)
        self.assert_each_once(0, FEW)

    def test_tcp(self):
        d = self.collector("tcp\n")
        self.logger(d, "-n", "127.0.0.1", "-P", d.port("tcp"), "-T")

    def test_tcp_with_octet_count(self):
        d = self.collector("tcp\n")
        self.logger(d, "-n", "127.0.0.1", "-P", d.port("tcp"), "-T", "--octet-count")

    def test_tcp_rfc3164(self):
        d = self.collector("tcp\n")
        self.logger(d, "-n", "127.0.0.1", "-P", d.port("tcp"), "-T", "--rfc3164")

    def test_udp(self):
        d = self.collector("udp\n")
        self.logger(d, "-n", "127.0.0.1", "-P", d.port("udp"), "-d")

    def test_unix_datagrams(self):
        path = os.path.join(self.folder, "events.sock")
        d = self.collector(f"udp\n    listen: unix:{path}\n")
        d.wait_said("listening on")
        self.logger(d, "-u", path, "-d")

    def test_unix_stream(self):
        path = os.path.join(self.folder, "events.sock")
        d = self.collector(f"tcp\n    listen: unix:{path}\n")
        d.wait_said("listening on")
        self.logger(d, "-u", path, "-T", "--octet-count")


class Rsyslog(ClientCase):
    def rsyslog(self, text):
        """rsyslogd with such a configuration, in a folder of its own; no service is touched."""
        config = os.path.join(self.folder, "rsyslog.conf")
        with open(config, "w", encoding="ascii") as f:
            f.write(f'global(workDirectory="{self.folder}" maxMessageSize="64k")\n{text}')
        return self.run_client(program("rsyslogd"), "-n", "-f", config, "-i",
                               os.path.join(self.folder, "rsyslog.pid"))

    @staticmethod
    def module(name):
        folders = ("/usr/lib/x86_64-linux-gnu/rsyslog", "/usr/lib/aarch64-linux-gnu/rsyslog", "/usr/lib/rsyslog",
                   "/usr/lib64/rsyslog")
        return any(os.path.exists(os.path.join(folder, name + ".so")) for folder in folders)

    def source(self):
        """Configuration lines: the file of events is read once, each line is a message."""
        return ('module(load="imfile")\n'
                'template(name="raw" type="string" string="%msg%")\n'
                'template(name="line" type="string" string="%msg%\\n")\n'
                f'input(type="imfile" file="{self.events(0, FEW)}" tag="events" freshStartTail="off")\n')

    def assert_all(self, d):
        self.wait_arrived(FEW)
        self.assert_stops(d, FEW)
        self.assert_each_once(0, FEW)

    def test_omfwd_with_octet_counting(self):
        d = self.collector("tcp\n")
        self.rsyslog(self.source() + f'action(type="omfwd" target="127.0.0.1" port="{d.port("tcp")}" '
                     'protocol="tcp" TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")\n')
        self.assert_all(d)

    def test_omfwd_with_tls_and_octet_counting(self):
        if not self.module("lmnsd_ossl"):
            self.skipTest("rsyslog's OpenSSL driver is not installed (tools/deps clients)")
        pki = self.pki()
        d = self.collector("tcp\n" + pki.server_options())
        self.rsyslog(f'global(defaultNetstreamDriverCAFile="{pki.ca}" defaultNetstreamDriverCertFile="{pki.client}" '
                     f'defaultNetstreamDriverKeyFile="{pki.client_key}")\n' + self.source()
                     + f'action(type="omfwd" target="127.0.0.1" port="{d.port("tcp")}" protocol="tcp" '
                     'TCP_Framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format" StreamDriver="ossl" '
                     'StreamDriverMode="1" StreamDriverAuthMode="x509/name" '
                     'StreamDriverPermittedPeers="localhost")\n')
        self.assert_all(d)
        with open(self.alerts, "rb") as f:
            self.assertIn(Pki.CLIENT.encode(), f.readline())

    def test_side_by_side_with_mmjsonparse_both_take_all(self):
        if not self.module("mmjsonparse"):
            self.skipTest("rsyslog's mmjsonparse is not installed (tools/deps clients)")
        d = self.collector("tcp\n")
        theirs = os.path.join(self.folder, "theirs.txt")
        self.rsyslog('module(load="mmjsonparse")\n' + self.source()
                     + 'template(name="number" type="string" string="%$!winlog!record_id%\\n")\n'
                     'action(type="mmjsonparse" cookie="")\n'
                     f'if $parsesuccess == "OK" then action(type="omfile" file="{theirs}" template="number")\n'
                     f'action(type="omfwd" target="127.0.0.1" port="{d.port("tcp")}" protocol="tcp" template="line")\n')
        self.assert_all(d)

        def parsed():
            with open(theirs, encoding="ascii") as f:
                return sorted(int(line) for line in f if line.endswith("\n"))
        eventually("the file of rsyslog", lambda: os.path.exists(theirs) and len(parsed()) >= FEW)
        self.assertEqual(parsed(), sorted(self.seen))


class OpenSsl(ClientCase):
    def s_client(self, d, pki, *args):
        with open(self.events(0, FEW), "rb") as f:
            client = subprocess.Popen([program("openssl"), "s_client", "-connect", f"127.0.0.1:{d.port('tcp')}",
                                       "-quiet", "-verify_return_error", "-CAfile", pki.ca, "-cert", pki.client,
                                       "-key", pki.client_key, *args], stdin=f, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
        try:
            self.wait_arrived(FEW)
        finally:
            client.kill()
            client.wait()
        self.assert_stops(d, FEW)
        self.assert_each_once(0, FEW)

    def test_s_client_speaks_tls_1_2_and_1_3(self):
        pki = self.pki()
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version=version):
                self.s_client(self.collector("tcp\n" + pki.server_options()), pki, version)
                os.unlink(self.alerts)
                self.seen.clear()
                self.read = 0


class Curl(ClientCase):
    def setUp(self):
        program("curl")  # or skip
        super().setUp()

    def curl(self, d, path, data, *args):
        """POST the file `data`; the status of the answer, and its body."""
        out = self.run_client(program("curl"), "-sS", "-w", "\n%{http_code}", "--data-binary", "@" + data, *args,
                              f"http://127.0.0.1:{d.port('http')}{path}").wait()
        body, _, status = out.rpartition("\n")
        return int(status), body

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def assert_all(self, d, n):
        self.wait_arrived(n)
        self.assert_stops(d, n)
        self.assert_each_once(0, n)

    def test_lines_arrays_and_packed_bodies(self):
        d = self.collector("http\n")

        def lines(first):
            return "".join(event(i) + "\n" for i in range(first, first + FEW)).encode()
        array = ("[" + ",".join(event(i) for i in range(FEW, 2 * FEW)) + "]").encode()
        bodies = [(self.file("lines", lines(0)), ["-H", "Content-Type: application/x-ndjson"]),
                  (self.file("array", array), ["-H", "Content-Type: application/json"]),
                  (self.file("gzip", gzip.compress(lines(2 * FEW))), ["-H", "Content-Encoding: gzip"]),
                  (self.file("chunked", lines(3 * FEW)), ["-H", "Transfer-Encoding: chunked"]),
                  (self.file("expect", lines(4 * FEW)), ["-H", "Expect: 100-continue"])]
        for path, args in bodies:
            with self.subTest(body=os.path.basename(path)):
                self.assertEqual(self.curl(d, "/", path, *args)[0], 200)
        self.assert_all(d, len(bodies) * FEW)

    def test_bulk_has_one_item_for_each_document(self):
        d = self.collector("http\n")
        body = "".join('{"create":{"_index":"winlogbeat"}}\n' + event(i) + "\n" for i in range(FEW)).encode()
        status, answer = self.curl(d, "/_bulk", self.file("bulk", body), "-H", "Content-Type: application/x-ndjson")
        self.assertEqual(status, 200)
        answer = json.loads(answer)
        self.assertIs(answer["errors"], False)
        self.assertEqual([item["create"]["status"] for item in answer["items"]], FEW * [201])
        self.assert_all(d, FEW)

    def test_hec_with_a_token_over_tls(self):
        pki, tokens = self.pki(), self.file("tokens", b"forwarders:01234567-89ab-cdef-0123-456789abcdef\n")
        d = self.collector(f"http\n    tokens_file: {tokens}\n{pki.server_options()}")
        body = self.file("hec", "".join(f'{{"event":{event(i)}}}' for i in range(FEW)).encode())
        certificates = ["--cacert", pki.ca, "--cert", pki.client, "--key", pki.client_key]

        def post(token):
            out = self.run_client(program("curl"), "-sS", "-w", "\n%{http_code}", "--data-binary", "@" + body,
                                  "-H", f"Authorization: Splunk {token}", *certificates,
                                  f"https://localhost:{d.port('http')}/services/collector/event").wait()
            return out.rpartition("\n")[2]
        self.assertEqual(post("wrong"), "403")
        self.assertEqual(post("01234567-89ab-cdef-0123-456789abcdef"), "200")
        self.assert_all(d, FEW)
        with open(self.alerts, "rb") as f:
            line = f.readline()
        self.assertIn(Pki.CLIENT.encode(), line)
        self.assertIn(b"forwarders", line)


if __name__ == "__main__":
    main()
