"""squibly send against small servers of our own: every way to send, TLS, and what happens when the peer is slow, goes
away, refuses, or speaks something else."""
import json
import os
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from harness import Case, attack, eventually, main, ordinary, squibly
from send_peers import Answers, Server, Window, ack, windows_of

EVENTS = [ordinary(n).rstrip(b"\n") for n in range(25)]
FILE = b"\n".join(EVENTS) + b"\n"


class Sending(Case):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name
        self.file = self.put("events.jsonl", FILE)

    def put(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def server(self, serve, **named):
        s = Server(serve, **named)
        self.addCleanup(s.close)
        return s


class Plain(Sending):
    def reader(self, to):
        def serve(c, _):
            while data := c.recv(65536):
                to.append(data)
        return serve

    def test_lines_over_a_unix_socket(self):
        got = []
        s = self.server(self.reader(got), path=os.path.join(self.folder, "s.sock"))
        _, err = squibly("send", s.target, self.file)
        self.assertRegex(err, r"^sent 25 records, ")
        eventually("all bytes", lambda: len(b"".join(got)) >= len(FILE))
        self.assertEqual(b"".join(got), FILE)

    def test_lines_over_an_abstract_socket(self):
        got = []
        s = self.server(self.reader(got), path=f"@squibly-test-{os.getpid()}")
        squibly("send", "--quiet", s.target, self.file)
        eventually("all bytes", lambda: len(b"".join(got)) >= len(FILE))
        self.assertEqual(b"".join(got), FILE)

    def test_datagrams_over_a_unix_socket(self):
        path = os.path.join(self.folder, "d.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            s.settimeout(30)
            squibly("send", "--udp", "unix:" + path, stdin=EVENTS[0] + b"\n" + EVENTS[1] + b"\n")
            self.assertEqual([s.recv(65536), s.recv(65536)], EVENTS[:2])

    def closing(self, path=None):
        """Takes a connection and closes it, and reads nothing."""
        return self.server(lambda c, _: None, path=path)

    def test_a_peer_that_closes_before_it_has_read_all_is_an_error(self):
        for path in (None, os.path.join(self.folder, "c.sock")):
            s = self.closing(path)
            for data in (EVENTS[0] + b"\n", FILE * 1000):
                with self.subTest(path=path, bytes=len(data)):
                    _, err = squibly("send", s.target, stdin=data, status=1)
                    self.assertNotIn("sent", err)
                    self.assertRegex(err, "before it had read everything|Broken pipe|Connection reset")

    def test_a_peer_that_does_not_close_is_waited_for_no_longer_than_asked_for(self):
        over = threading.Event()
        s = self.server(lambda c, _: over.wait(60))
        self.addCleanup(over.set)  # before the server is closed
        for wait in ("0", "1"):
            began = time.monotonic()
            _, err = squibly("send", "--wait", wait, s.target, self.file)
            self.assertRegex(err, "^sent 25 records")
            self.assertGreaterEqual(time.monotonic() - began, int(wait))

    def test_the_wrong_type_of_unix_socket_says_so(self):
        path = os.path.join(self.folder, "d.sock")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            _, err = squibly("send", "unix:" + path, self.file, status=2)
        self.assertIn("datagrams: use --udp", err)
        _, err = squibly("send", "unix:/none/such.sock", self.file, status=2)
        self.assertIn("No such file", err)
        _, err = squibly("send", "unix:/" + "x" * 120, self.file, status=2)
        self.assertIn("107 bytes", err)


class Beats(Sending):
    def beats(self, got, **named):
        return self.server(lambda c, _: windows_of(c, got), **named)

    def test_a_window_of_compressed_events_is_acknowledged(self):
        got = []
        s = self.beats(got)
        _, err = squibly("send", "--beats", s.target, self.file)
        self.assertRegex(err, r"^sent 25 records, .*; 25 acknowledged, 0 sent again\n$")
        self.assertEqual([(w.kinds, w.events) for w in got], [([b"2C"], EVENTS)])

    def test_windows_are_as_large_as_asked_for_and_plain_without_compression(self):
        got = []
        s = self.beats(got)
        squibly("send", "--beats", "--window", "10", "--compress", "0", s.target, self.file)
        self.assertEqual([w.count for w in got], [10, 10, 5])
        self.assertEqual([e for w in got for e in w.events], EVENTS)
        self.assertEqual({k for w in got for k in w.kinds}, {b"2J"})

    def test_over_a_unix_socket(self):
        got = []
        s = self.beats(got, path=os.path.join(self.folder, "b.sock"))
        squibly("send", "--beats", s.target, self.file)
        self.assertEqual(got[0].events, EVENTS)

    def test_records_that_are_no_objects_become_messages(self):
        got = []
        s = self.beats(got)
        squibly("send", "--beats", s.target,
                stdin=b'<13>Jan  1 00:00:00 h a: "quoted"\n{\n "a": 1\n}\n<Event a="b"/>\n<13>Jan  1 00:00:00 h a: {"c":2}\n')
        self.assertEqual([json.loads(e) for e in got[0].events],
                         [{"message": '<13>Jan  1 00:00:00 h a: "quoted"'}, {"a": 1}, {"message": '<Event a="b"/>'},
                          {"c": 2}])

    def test_keep_alives_and_partial_acknowledgements_are_waited_out(self):
        got = []

        def slow(w):
            return ack(0) + ack(0) + ack(w.count // 2) + ack(w.count)
        s = self.server(lambda c, _: windows_of(c, got, slow))
        _, err = squibly("send", "--beats", "--window", "10", s.target, self.file)
        self.assertIn("25 acknowledged, 0 sent again", err)
        self.assertEqual([w.count for w in got], [10, 10, 5])

    def test_acknowledgements_in_pieces(self):
        def bytewise(c, _):
            w = Window(c)
            for byte in ack(w.count):
                c.sendall(bytes([byte]))
                time.sleep(0.01)
        s = self.server(bytewise)
        _, err = squibly("send", "--beats", s.target, self.file)
        self.assertIn("25 acknowledged", err)

    def test_a_lost_connection_costs_a_window_sent_again(self):
        got = []

        def once(c, n):
            if n == 1:
                got.append(Window(c))
                c.sendall(ack(10))
                Window(c)  # and no answer
            else:
                windows_of(c, got)
        s = self.server(once)
        _, err = squibly("send", "--beats", "--window", "10", s.target, self.file)
        self.assertIn("closed the connection before it acknowledged; sending again 10 records", err)
        self.assertIn("25 acknowledged, 10 sent again", err)
        self.assertEqual([e for w in got for e in w.events], EVENTS)

    def test_a_peer_that_never_answers_is_given_up(self):
        s = self.server(lambda c, _: (c.recv(1 << 20), time.sleep(1.5)))
        began = time.monotonic()
        _, err = squibly("send", "--beats", "--timeout", "1", "--retries", "1", s.target, self.file, status=1)
        self.assertLess(time.monotonic() - began, 20)
        self.assertIn("nothing for 1 seconds; given up after 2 tries", err)
        self.assertIn("25 of 25 records were not acknowledged", err)

    def test_what_was_acknowledged_before_is_told(self):
        def first_only(c, n):
            if n == 1:
                Window(c)
                c.sendall(ack(10))
        s = self.server(first_only)
        _, err = squibly("send", "--beats", "--retries", "2", "--window", "10", s.target, self.file, status=1)
        self.assertIn("10 acknowledged", err)
        self.assertIn("10 of 20 records were not acknowledged", err)

    def test_an_answer_that_is_none(self):
        s = self.server(lambda c, _: (c.recv(65536), c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
        _, err = squibly("send", "--beats", "--retries", "0", s.target, self.file, status=1)
        self.assertIn("none of Lumberjack", err)

    def test_more_acknowledged_than_sent_is_an_error(self):
        s = self.server(lambda c, _: windows_of(c, [], lambda w: ack(w.count + 1)))
        _, err = squibly("send", "--beats", "--retries", "0", s.target, self.file, status=1)
        self.assertIn("acknowledged 26 records of a window of 25", err)

    def test_nobody_there_is_told_at_once(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        _, err = squibly("send", "--beats", f"127.0.0.1:{port}", self.file, status=2)
        self.assertIn("Connection refused", err)

    def test_at_a_low_rate_windows_are_small_and_none_waits_long(self):
        got = []
        s = self.beats(got)
        _, err = squibly("send", "--beats", "--rate", "50", s.target, self.file)
        self.assertIn("25 acknowledged", err)
        self.assertEqual([e for w in got for e in w.events], EVENTS)
        self.assertGreater(len(got), 1)


def bulk_answer(status=lambda n: 201):
    def answer(body):
        n = body.count(b"\n") // 2
        items = [{"create": {"_index": "x", "status": status(i)}} for i in range(n)]
        return json.dumps({"took": 1, "errors": any(status(i) > 299 for i in range(n)), "items": items}).encode()
    return answer


class Http(Sending):
    def answers(self, *args, **named):
        a = Answers(*args, **named)
        self.addCleanup(a.close)
        return a

    def test_a_line_a_record(self):
        a = self.answers()
        _, err = squibly("send", "--http", a.target, self.file)
        self.assertRegex(err, r"^sent 25 records, .*; 25 acknowledged, 0 sent again\n$")
        [(path, headers, body)] = a.requests
        self.assertEqual((path, body), ("/events", FILE))
        self.assertEqual(headers["Content-Type"], "application/x-ndjson")
        self.assertEqual(headers["Host"], a.target)
        self.assertNotIn("Authorization", headers)

    def test_a_url_says_it_all(self):
        a = self.answers()
        squibly("send", "--gzip", "--token", "secret", "--window", "10", f"http://{a.target}/in/put?x=1", self.file)
        self.assertEqual([path for path, _, _ in a.requests], ["/in/put?x=1"] * 3)
        self.assertEqual(b"".join(a.bodies()), FILE)
        for _, headers, _ in a.requests:
            self.assertEqual(headers["Authorization"], "Bearer secret")
            self.assertEqual(headers["Content-Encoding"], "gzip")

    def test_over_a_unix_socket_and_a_pretty_record_is_one_line(self):
        a = self.answers(path=os.path.join(self.folder, "h.sock"))
        squibly("send", "--http", a.target, stdin=b'{\n  "a": 1\n}\n')
        self.assertEqual(a.bodies(), [b'{   "a": 1 }\n'])

    def test_bulk(self):
        for chunked in (False, True):
            with self.subTest(chunked=chunked):
                a = self.answers([(200, {}, bulk_answer())], chunked=chunked)
                _, err = squibly("send", "--http", "--path", "/_bulk", a.target, self.file)
                self.assertIn("25 acknowledged", err)
                lines = a.bodies()[0].splitlines()
                self.assertEqual(lines[::2], [b'{"create":{"_index":"squibly"}}'] * 25)
                self.assertEqual(lines[1::2], EVENTS)

    def test_bulk_items_that_are_refused_are_not_acknowledged(self):
        a = self.answers([(200, {}, bulk_answer(lambda n: 400 if n == 3 else 201))])
        _, err = squibly("send", f"http://{a.target}/winlogbeat/_bulk", self.file, status=1)
        self.assertIn("24 acknowledged", err)
        self.assertIn("1 of 25 records were not acknowledged", err)
        self.assertEqual(a.bodies()[0].splitlines()[0], b'{"create":{}}')

    def test_the_collector_of_splunk(self):
        a = self.answers()
        squibly("send", "--http", "--path", "/services/collector/event", "--token", "t", a.target,
                stdin=EVENTS[0] + b"\n<13>text\n")
        [(_, headers, body)] = a.requests
        self.assertEqual(headers["Authorization"], "Splunk t")
        self.assertEqual([json.loads(line) for line in body.splitlines()],
                         [{"event": json.loads(EVENTS[0])}, {"event": {"message": "<13>text"}}])

    def test_too_many_requests_are_sent_again_when_the_server_says(self):
        a = self.answers([(429, {"Retry-After": "1"}, b'{"error":"busy"}')] * 2)
        began = time.monotonic()
        _, err = squibly("send", "--http", a.target, self.file)
        self.assertGreaterEqual(time.monotonic() - began, 2)
        self.assertIn('answered 429: {"error":"busy"}; sending again 25 records', err)
        self.assertIn("25 acknowledged, 50 sent again", err)
        self.assertEqual(a.bodies(), [FILE] * 3)

    def test_a_server_that_stays_busy_is_given_up(self):
        a = self.answers([(503, {"Retry-After": "0"}, b"")] * 9)
        _, err = squibly("send", "--http", "--retries", "2", a.target, self.file, status=1)
        self.assertIn("answered 503; given up after 3 tries", err)
        self.assertEqual(len(a.requests), 3)

    def test_a_wrong_token_ends_it(self):
        a = self.answers([(401, {}, b'{"error":"no such token\x1b[31m"}')] * 3)
        _, err = squibly("send", "--http", "--window", "10", a.target, self.file, status=1)
        self.assertIn('the peer answered 401: {"error":"no such token [31m"}', err)
        self.assertEqual(len(a.requests), 1)

    def test_a_refused_request_does_not_hold_up_the_others(self):
        a = self.answers([(200, {}, b"{}"), (400, {}, b'{"error":"line 3"}'), (200, {}, b"{}")])
        _, err = squibly("send", "--http", "--window", "10", a.target, self.file, status=1)
        self.assertIn('answered 400: {"error":"line 3"}', err)
        self.assertIn("10 of 25 records were not acknowledged", err)

    def test_a_server_that_closes_after_each_answer(self):
        a = self.answers([(200, {"Connection": "close"}, b"{}")] * 3)
        _, err = squibly("send", "--http", "--window", "10", a.target, self.file)
        self.assertIn("25 acknowledged, 0 sent again", err)

    def test_an_answer_that_is_none(self):
        for answer in (b"2A\0\0\0\x01 and more", b"220 mail.example.org ESMTP\r\n\r\n"):
            with self.subTest(answer=answer):
                s = self.server(lambda c, _, answer=answer: (c.recv(65536), c.sendall(answer)))
                _, err = squibly("send", "--http", "--retries", "0", s.target, self.file, status=1)
                self.assertIn("none of HTTP", err)

    def test_an_answer_cut_short_is_no_answer(self):
        whole = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n12345"
        for answer in (b"", whole[:10], whole[:-1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123"):
            with self.subTest(answer=answer):
                s = self.server(lambda c, _, answer=answer: (c.recv(65536), c.sendall(answer)))
                _, err = squibly("send", "--http", "--retries", "0", s.target, self.file, status=1)
                self.assertIn("closed the connection before it answered", err)

    def test_answers_in_pieces(self):
        items = bulk_answer()(b"\n" * 4)
        sized = b"HTTP/1.1 200 OK\r\nX: y\r\ncontent-length: %d\r\n\r\n%s" % (len(items), items)
        chunked = (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n"
                   b"%X;name=value\r\n%s\r\n1\r\n%s\r\n0\r\n\r\n" % (len(items) - 1, items[:-1], items[-1:]))

        def bytewise(c, n):
            c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while not c.recv(65536).endswith(EVENTS[1] + b"\n"):
                pass
            for byte in (sized, chunked)[n - 1]:
                c.sendall(bytes([byte]))
                time.sleep(0.0005)
        s = self.server(bytewise)
        for _ in range(2):
            _, err = squibly("send", f"http://{s.target}/_bulk", stdin=EVENTS[0] + b"\n" + EVENTS[1])
            self.assertIn("2 acknowledged, 0 sent again", err)

    def test_at_a_rate_a_refusal_is_one_too(self):
        a = self.answers([(403, {}, b"")])
        squibly("send", "--http", "--rate", "10", a.target, self.file, status=1)
        self.assertEqual(len(a.requests), 1)

    def test_continue_comes_before_the_answer(self):
        s = self.server(lambda c, _: (c.recv(65536), c.sendall(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\n\r\nuntil the end")))
        _, err = squibly("send", "--http", s.target, stdin=EVENTS[0])
        self.assertIn("1 acknowledged", err)


class Certificates(Sending):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)

        def run(*args, **named):
            subprocess.run(["openssl", *args], cwd=cls.holder.name, check=True, capture_output=True, **named)
        try:
            run("version")
        except FileNotFoundError:
            raise unittest.SkipTest("there is no openssl command to make certificates with") from None
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        run("req", "-x509", *key, "-subj", "/CN=Test CA", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem")
        for name, names in (("server", "DNS:collector.example.org,IP:127.0.0.1"), ("client", "DNS:ws-7.example.org")):
            run("req", *key, "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}", "-keyout", f"{name}.key",
                "-out", f"{name}.csr")
            run("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days",
                "2", "-copy_extensions", "copy", "-out", f"{name}.pem")

    def at(self, name):
        return os.path.join(self.holder.name, name)


class Tls(Certificates):
    def context(self, client=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.at("server.pem"), self.at("server.key"))
        if client:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.at("ca.pem"))
        return context

    def lines(self, to, **named):
        def serve(c, _):
            to.append(c.getpeercert())
            while data := c.recv(65536):
                to.append(data)
            c.unwrap()
        return self.server(serve, tls=self.context(**named))

    def test_lines_arrive_whole_and_the_end_is_told(self):
        got = []
        s = self.lines(got)
        many = b"".join(attack(n) for n in range(20000))
        _, err = squibly("send", "--ca", self.at("ca.pem"), s.target, self.put("many", many))
        self.assertRegex(err, r"^sent 20000 records")
        self.assertEqual(b"".join(got[1:]), many)
        self.assertEqual(s.errors, [])

    def test_a_client_certificate_is_shown(self):
        got = []
        s = self.lines(got, client=True)
        squibly("send", "--ca", self.at("ca.pem"), "--cert", self.at("client.pem"), "--key", self.at("client.key"),
                s.target, self.file)
        self.assertIn((("commonName", "client"),), got[0]["subject"])

    def test_a_server_that_wants_a_certificate_and_gets_none(self):
        s = self.lines([], client=True)
        _, err = squibly("send", "--ca", self.at("ca.pem"), s.target, self.file, status=2)
        self.assertRegex(err, r"squibly: TLS: .*certificate")

    def test_an_unknown_authority_is_refused_unless_nobody_looks(self):
        s = self.lines([])
        _, err = squibly("send", "--tls", s.target, self.file, status=2)
        self.assertRegex(err, "TLS: the server's certificate is signed by nobody we trust")
        squibly("send", "--insecure", s.target, self.file)

    def test_the_name_is_checked(self):
        s = self.lines([])
        squibly("send", "--ca", self.at("ca.pem"), "--name", "collector.example.org", s.target, self.file)
        _, err = squibly("send", "--ca", self.at("ca.pem"), "--name", "other.example.org", s.target, self.file, status=2)
        self.assertRegex(err, r"TLS: .*name")

    def test_a_peer_without_tls_is_told_of(self):
        s = self.server(lambda c, _: c.recv(10))
        _, err = squibly("send", "--insecure", s.target, self.file, status=2)
        self.assertIn("TLS: the peer closed the connection during the handshake; does it speak TLS?", err)

    def test_a_file_that_is_no_certificate(self):
        _, err = squibly("send", "--ca", self.file, "127.0.0.1:1", self.file, status=2)
        self.assertIn(self.file, err)

    def test_beats(self):
        got = []
        s = self.server(lambda c, _: windows_of(c, got), tls=self.context())
        _, err = squibly("send", "--beats", "--window", "10", "--ca", self.at("ca.pem"), s.target, self.file)
        self.assertIn("25 acknowledged", err)
        self.assertEqual([e for w in got for e in w.events], EVENTS)

    def test_https(self):
        a = Answers(tls=self.context())
        self.addCleanup(a.close)
        _, err = squibly("send", "--ca", self.at("ca.pem"), f"https://{a.target}/events", self.file)
        self.assertIn("25 acknowledged", err)
        self.assertEqual(a.bodies(), [FILE])


class Squiblyd(Certificates):
    """Against the real one: what is acknowledged has been received."""

    def started(self, *inputs):
        d = self.daemon("inputs:\n" + "".join(f"  - {{{i}}}\n" for i in inputs), inputs=False)
        d.wait_said("listening on ")
        return d

    def test_beats_and_its_windows(self):
        d = self.started("type: beats, listen: '127.0.0.1:0'")
        many = self.put("many.jsonl", b"".join(ordinary(n) for n in range(5000)))
        for options in ((), ("--compress", "0"), ("--window", "7", "--compress", "9")):
            _, err = squibly("send", "--beats", *options, f"127.0.0.1:{d.port('beats')}", many)
            self.assertIn("5000 acknowledged, 0 sent again", err)
        c = self.assert_stops(d, 15000)
        self.assertEqual((c["clean"], c["malformed"]), (15000, 0))

    def test_http_in_each_of_its_manners(self):
        d = self.started("type: http, listen: '127.0.0.1:0'")
        target = f"127.0.0.1:{d.port('http')}"
        for options in ((), ("--gzip", "--window", "7"), ("--path", "/_bulk"), ("--path", "/winlogbeat/_bulk", "--gzip"),
                        ("--path", "/services/collector/event"), ("--path", "/services/collector/raw")):
            with self.subTest(options=options):
                _, err = squibly("send", "--http", *options, target, self.file)
                self.assertIn("25 acknowledged, 0 sent again", err)
        c = self.assert_stops(d, 150)
        self.assertEqual((c["clean"], c["malformed"]), (150, 0))

    def test_http_with_a_token(self):
        tokens = self.put("tokens", b"ws-7:correct-horse\n")
        os.chmod(tokens, 0o600)
        d = self.started(f"type: http, listen: '127.0.0.1:0', tokens_file: '{tokens}'")
        target = f"http://127.0.0.1:{d.port('http')}"
        for path in ("/events", "/_bulk", "/services/collector/event"):
            squibly("send", "--token", "correct-horse", target + path, self.file)
            _, err = squibly("send", "--token", "wrong", target + path, self.file, status=1)
            self.assertRegex(err, "answered 40[13]")
            self.assertIn("25 of 25 records were not acknowledged", err)
        self.assert_stops(d, 75)

    def test_over_unix_sockets(self):
        paths = {kind: os.path.join(self.folder, kind + ".sock") for kind in ("tcp", "udp", "beats", "http")}
        d = self.started(*(f"type: {kind}, listen: 'unix:{path}'" for kind, path in paths.items()))
        for kind, path in paths.items():
            squibly("send", *(["--" + kind] if kind != "tcp" else []), "unix:" + path, self.file)
        d.wait_received(100)
        self.assert_stops(d, 100)

    def test_every_kind_of_stream_over_tls_with_client_certificates(self):
        tls = (f"tls_certificate: '{self.at('server.pem')}', tls_key: '{self.at('server.key')}', "
               f"tls_clients: required, tls_client_ca: '{self.at('ca.pem')}'")
        kinds = ("tcp", "beats", "http")
        d = self.started(*(f"type: {kind}, listen: '127.0.0.1:0', {tls}" for kind in kinds))
        for kind in kinds:
            how = [] if kind == "tcp" else ["--" + kind]
            target = f"127.0.0.1:{d.port(kind)}"
            squibly("send", *how, "--ca", self.at("ca.pem"), "--cert", self.at("client.pem"), "--key",
                    self.at("client.key"), target, self.file)
            _, err = squibly("send", *how, "--retries", "0", "--ca", self.at("ca.pem"), target, self.file,
                             status=2 if kind == "tcp" else 1)
            self.assertRegex(err, "TLS: .*certificate")
        d.wait_received(75)
        self.assert_stops(d, 75)


class WrongUse(Sending):
    def test_what_cannot_be_meant_is_refused(self):
        for args, why in (
                ((), "where to?"),
                (("127.0.0.1",), "is not HOST:PORT"),
                (("127.0.0.1:0",), "a port is a number from 1 to 65535"),
                (("::1:5170",), r"write an IPv6 address in brackets: \[::1\]:5170"),
                (("unix:",), "needs a path"),
                (("--udp", "--beats", "h:1"), "choose one of"),
                (("--udp", "http://h"), "choose one of"),
                (("--udp", "--tls", "h:1"), "no TLS over datagrams"),
                (("--gzip", "h:1"), "go with --http"),
                (("--compress", "3", "h:1"), "--compress goes with --beats"),
                (("--compress", "10", "--beats", "h:1"), "not a number from 0 to 9"),
                (("--window", "5", "h:1"), "--window goes with"),
                (("--window", "0", "--beats", "h:1"), "not a number from 1 to 65536"),
                (("--http", "--path", "events", "h:1"), "is not like /events"),
                (("--http", "--path", "/a\r\nX: y", "h:1"), "is not like /events"),
                (("--path", "/x", "http://h/y"), "the path is in the URL already"),
                (("--http", "--token", "a\nb", "h:1"), "no header may have"),
                (("--repeat", "2", "h:1"), "--repeat goes with files"),
                (("--nothing", "h:1"), "unknown option --nothing")):
            with self.subTest(args=args):
                _, err = squibly("send", *args, status=2)
                self.assertRegex(err, why)
                self.assertIn("--help", err)

    def test_help_names_every_option(self):
        out, _ = squibly("send", "--help")
        for option in ("--udp --beats --http --path --token --gzip --compress --window --retries --timeout --wait --tls --ca "
                       "--cert --key --name --insecure --rate --repeat --quiet").split():
            self.assertIn(option, out.decode())
        self.assertLessEqual(max(map(len, out.decode().splitlines())), 104)


if __name__ == "__main__":
    main()
