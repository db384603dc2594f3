"""Outputs over HTTP: nothing lost, nothing twice but by its id, order kept, whatever the receiver answers."""
import base64
import datetime
import hmac
import json
import os
import re
import ssl
import tempfile
import time

import certs
from harness import Case, attack, eventually, main
from http_receiver import Answer, Elastic, Receiver, Splunk


def hosts(docs):
    return [d["host"]["name"] for d in docs]


def wanted(numbers):
    return [f"ws-{n}.corp.example" for n in numbers]


class Output(Case):
    """A daemon that sends to a receiver."""

    def receiver(self, answer, **named):
        r = Receiver(answer, **named)
        self.addCleanup(lambda: r.running and r.stop())
        return r

    def secret(self, text):
        folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        path = os.path.join(folder, "secret")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(path, 0o600)
        return path

    def to(self, receiver, kind, options=(), scheme="http", path="", args=(), more=""):
        lines = [f"url: {scheme}://127.0.0.1:{receiver.port}{path}", "retry_min: 10ms", "retry_max: 100ms", *options]
        return self.daemon(f"outputs:\n  - type: {kind}\n" + "".join(f"    {line}\n" for line in lines)
                           + "shutdown_deadline: 2s\n" + more, args=args)

    def table(self, d):
        """The counters of the output."""
        before = len(d.err)
        d.counters()
        return d._parse(next(i for i in range(before, len(d.err)) if d.err[i].startswith("output ")))


class ToElastic(Output):
    def elastic(self, options=(), script=None, **named):
        script = script or Elastic(**named)
        r = self.receiver(script)
        return script, r, self.to(r, "elasticsearch", ["index: alerts", *options])

    def check(self, script, receiver, d, n):
        eventually(lambda: f"{n} documents, {len(script.docs)} are there: {receiver.wrong}\n" + "\n".join(d.err[-20:]),
                   lambda: len(script.docs) >= n or receiver.wrong)
        self.assertEqual(receiver.wrong, [])
        self.assertEqual(len(script.order), n)


class ElasticsearchOutput(ToElastic):
    def test_alerts_become_documents_in_order(self):
        script, r, d = self.elastic()
        d.send(b"".join(attack(n) for n in range(300)))
        self.check(script, r, d, 300)
        self.assertEqual(hosts(script.order), wanted(range(300)))
        d.wait_said("takes messages$")
        eventually("all counted", lambda: self.table(d)["sent"] == 300)
        self.assert_stops(d, 300)
        self.assertLessEqual(r.connections, 2, "connections are kept")
        self.assertEqual(script.again, 0)

    def test_items_that_are_told_to_wait_are_said_again_alone(self):
        seen = {}

        def item(_, doc, turn):
            host = doc["host"]["name"]
            seen[host] = seen.get(host, 0) + 1
            return 429 if host.endswith("7.corp.example") and seen[host] < 3 else None

        script, r, d = self.elastic(item=item)
        d.send(b"".join(attack(n) for n in range(100)))
        self.check(script, r, d, 100)
        self.assertEqual({n for h, n in seen.items() if h[-14:-13] != "7"}, {1}, "what was taken is not sent again")
        d.wait_said(r"\d+ of \d+ documents are not taken: 429 type_429_exception: because")
        d.wait_said("takes messages again, after")
        self.assert_stops(d, 100)

    def test_items_that_are_refused_are_counted_and_hold_up_nothing(self):
        def item(_, doc, turn):
            return 400 if doc["host"]["name"] in wanted(range(10, 20)) else None

        dead = os.path.join(os.path.dirname(self.secret("")), "dead.ndjson")
        script = Elastic(item=item)
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts"], more=f"dead_letter:\n  path: {dead}\n")
        d.send(b"".join(attack(n) for n in range(100)))
        self.check(script, r, d, 90)
        eventually("the counter", lambda: self.table(d)["dropped_refused"] == 10)
        self.assertEqual(self.table(d)["sent"], 90)
        d.wait_said(r"a message is refused: 400 type_400_exception: because \\x0a\\x1b\[31m of it")
        self.assertEqual(hosts(script.order), wanted([*range(10), *range(20, 100)]))
        self.assert_stops(d, 100)
        with open(dead, "rb") as f:
            letters = [line.decode() for line in f]
        self.assertEqual(len(letters), 10)
        for n, letter in zip(range(10, 20), letters):
            self.assertIn(wanted([n])[0], letter)
            self.assertIn("type_400_exception", letter)

    def test_when_a_receiver_goes_the_next_has_the_rest(self):
        """One index, and two ways to it."""
        script = Elastic()
        first, second = self.receiver(script), self.receiver(script)
        d = self.to(first, "elasticsearch", ["index: alerts", f'alternates: ["http://127.0.0.1:{second.port}"]'])
        d.send(b"".join(attack(n) for n in range(50)))
        self.check(script, first, d, 50)
        first.stop()
        d.send(b"".join(attack(n) for n in range(50, 100)))
        self.check(script, second, d, 100)
        d.wait_said(rf"{first.port}: connected to http://127.0.0.1:{second.port}$")
        second.stop()
        first.start()
        d.send(b"".join(attack(n) for n in range(100, 150)))
        self.check(script, first, d, 150)
        self.assertEqual(hosts(script.order), wanted(range(150)))
        self.assert_stops(d, 150)

    def test_requests_are_packed_on_demand(self):
        script, r, d = self.elastic(["gzip: true"], headers={"content-encoding": "gzip"})
        d.send(b"".join(attack(n) for n in range(200)))
        self.check(script, r, d, 200)
        self.assertEqual(hosts(script.order), wanted(range(200)))
        self.assertLess(sum(len(q.raw) for q in r.requests), sum(len(q.body) for q in r.requests) / 3)
        self.assert_stops(d, 200)

    def test_login_by_password_and_by_key(self):
        basic = "Basic " + base64.b64encode(b"squiblyd:pass:word").decode()
        for options, want in ((["user: squiblyd", f"password_file: {self.secret('pass:word' + chr(10))}"], basic),
                              ([f"api_key_file: {self.secret('a2V5OnNlY3JldA==')}"], "ApiKey a2V5OnNlY3JldA==")):
            script, r, d = self.elastic(options, headers={"authorization": want})
            d.send(attack(1))
            self.check(script, r, d, 1)
            self.assertNotIn("pass:word", "\n".join(d.err))
            self.assertTrue(d.said("goes over the network as plain text"))
            self.assert_stops(d, 1)

    def test_a_name_with_a_date_and_a_pipeline_are_escaped(self):
        script = Elastic(path="/es/%3Calerts-%7Bnow%2Fd%7D%3E/_bulk")
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ['index: "<alerts-{now/d}>"', "pipeline: a&b c"], path="/es/")
        d.send(attack(1))
        self.check(script, r, d, 1)
        self.assertTrue(r.requests[0].query.endswith("&pipeline=a%26b%20c"))
        self.assert_stops(d, 1)


class Trouble(ToElastic):
    """Whatever happens on the way, all arrives; what is there twice has one id."""

    def storm(self, whole, alerts=200, options=()):
        script = Elastic(whole=whole)
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts", "request_timeout: 1s", *options])
        d.send(b"".join(attack(n) for n in range(alerts)))
        eventually(lambda: f"{alerts} hosts, {len(script.docs)} are there: {r.wrong}\n" + "\n".join(d.err[-20:]),
                   lambda: len(set(hosts(script.order))) == alerts or r.wrong)
        self.assertEqual(r.wrong, [])
        first = list(dict.fromkeys(hosts(script.order)))
        self.assertEqual(first, wanted(range(alerts)), "in order")
        eventually("all counted", lambda: self.table(d)["sent"] == alerts)
        self.assert_stops(d, alerts)
        return script, r, d

    def test_429_and_503_for_a_while(self):
        for status in (429, 502, 503, 504):
            _, _, d = self.storm(lambda turn, pairs, s=status: Answer(s, b"busy") if turn <= 4 else None)
            self.assertEqual(sum("it answered" in line for line in d.err), 1, "one line for an outage")
            self.assertTrue(d.said(rf"it answered {status}: busy; retrying in"))
            self.assertTrue(d.said("takes messages again, after"))

    def test_retry_after_is_honoured(self):
        began = []

        def whole(turn, pairs):
            began.append(time.monotonic())
            return Answer(429, b"", ["Retry-After: 1"]) if turn == 1 else None

        self.storm(whole)
        self.assertGreaterEqual(began[1] - began[0], 0.95)

    def test_one_that_asks_for_a_century_is_asked_again_within_minutes(self):
        script = Elastic(whole=lambda turn, pairs: Answer(503, b"", ["Retry-After: 3153600000"]))
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts"])
        d.send(attack(1))
        d.wait_said(r"it answered 503; retrying in 300\.\d s")
        d.stop()

    def test_resets_and_halves(self):
        for way in ("reset", "half"):
            self.storm(lambda turn, pairs, w=way: Answer(200, b"x" * 4000, way=w) if turn <= 3 else None)

    def test_taken_and_then_reset_is_there_once_or_has_one_id(self):
        script = Elastic()

        def whole(turn, pairs):
            if turn > 2:
                return None
            return Answer(200, json.dumps(script.take(pairs)).encode(), way="half")

        script.whole = whole
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts"])
        d.send(b"".join(attack(n) for n in range(50)))
        eventually("all", lambda: len(set(hosts(script.order))) == 50)
        eventually("all counted", lambda: self.table(d)["sent"] == 50)
        self.assertEqual(len(script.order), 50, "what comes again is a conflict, and delivered")
        self.assertGreater(script.again, 0)
        self.assertEqual(r.wrong, [])
        self.assert_stops(d, 50)

    def test_a_silent_one_is_given_up_and_asked_again(self):
        _, _, d = self.storm(lambda turn, pairs: Answer(way="silent") if turn == 1 else None)
        self.assertTrue(d.said("timed out"))

    def test_a_byte_at_a_time_and_chunks_and_no_kept_connection(self):
        for way in ("slow", "chunked", "close"):
            script = Elastic()
            script.whole = lambda turn, pairs, s=script, w=way: Answer(200, json.dumps(s.take(pairs)).encode(), way=w)
            r = self.receiver(script)
            d = self.to(r, "elasticsearch", ["index: alerts", "batch: 20"])
            d.send(b"".join(attack(n) for n in range(60)))
            self.check(script, r, d, 60)
            self.assertEqual(hosts(script.order), wanted(range(60)))
            eventually("all counted", lambda d=d: self.table(d)["sent"] == 60)
            self.assert_stops(d, 60)

    def test_what_is_no_answer_of_bulk_is_asked_again(self):
        for body in (b"", b"<html>login</html>", b"{}", b'{"errors":false,"items":[]}',
                     b'{"items":[' + b"[" * 100000, b'{"items":' + b'[{"create":{"status":201}}' * 3):
            _, _, d = self.storm(lambda turn, pairs, b=body: Answer(200, b) if turn <= 2 else None, 20)
            self.assertTrue(d.said("its answer cannot be read: "))

    def test_an_answer_without_end_is_given_up(self):
        _, _, d = self.storm(lambda turn, pairs: Answer(200, b"[" * (17 << 20)) if turn == 1 else None, 1)
        self.assertTrue(d.said("its answer is longer than"))

    def test_headers_without_end_are_given_up(self):
        many = [f"X-{i}: " + "x" * 1000 for i in range(200)]
        self.storm(lambda turn, pairs: Answer(200, b"", many) if turn == 1 else None, 20)

    def test_413_makes_requests_smaller(self):
        script, _, _ = self.storm(lambda turn, pairs: Answer(413) if len(pairs) > 16 else None)
        self.assertLessEqual(max(s for s in script.sizes[-8:]), 200)

    def test_400_finds_the_guilty_one(self):
        def whole(turn, pairs):
            bad = any(json.loads(doc)["host"]["name"] == wanted([33])[0] for _, doc in pairs)
            return Answer(400, b'{"error":{"type":"x"}}') if bad else None

        script = Elastic(whole=whole)
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts"])
        d.send(b"".join(attack(n) for n in range(100)))
        self.check(script, r, d, 99)
        self.assertEqual(hosts(script.order), wanted([*range(33), *range(34, 100)]))
        eventually("the counter", lambda: self.table(d)["dropped_refused"] == 1)
        d.wait_said(r"a message is refused: it answered 400: \{\"error")
        self.assert_stops(d, 100)

    def test_what_somebody_must_mend_drops_nothing_and_says_so(self):
        for status in (401, 403, 404, 405):
            _, _, d = self.storm(lambda turn, pairs, s=status: Answer(s, b"no") if turn <= 3 else None, 20)
            self.assertTrue(d.said(rf"it answered {status}: no; somebody has to mend that; retrying in"))

    def test_redirects_are_not_followed(self):
        other = self.receiver(lambda request: Answer())
        _, _, d = self.storm(lambda turn, pairs: Answer(307, b"", [f"Location: http://127.0.0.1:{other.port}/x"])
                             if turn <= 2 else None, 20)
        self.assertTrue(d.said("a redirect, which is not followed; somebody has to mend that"))
        self.assertEqual(other.connections, 0)

    def test_one_that_is_away_for_a_while(self):
        script = Elastic()
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts"])
        d.send(attack(0))
        self.check(script, r, d, 1)
        r.stop()
        for n in range(1, 40):
            d.send(attack(n))
        d.wait_said("refused|Couldn't connect|connect to|reset|Recv failure|Empty reply|retrying")
        r.start()
        eventually("all", lambda: len(set(hosts(script.order))) == 40)
        self.assertEqual(list(dict.fromkeys(hosts(script.order))), wanted(range(40)))
        d.wait_said("takes messages again")
        self.assert_stops(d, 40)

    def test_it_ends_while_a_request_is_under_way(self):
        r = self.receiver(lambda request: Answer(way="silent"))
        d = self.to(r, "elasticsearch", ["index: alerts"])
        d.send(attack(1))
        eventually("the request", lambda: r.requests)
        status, c = d.stop()
        self.assertEqual((status, c["received"]), (0, 1), "\n".join(d.err))

    def test_a_name_that_nobody_knows_holds_up_nothing(self):
        up = self.upstream()
        d = self.daemon(f"outputs:\n  - type: elasticsearch\n    url: http://es.example.invalid:9200\n    index: alerts\n"
                        f"    when_full: drop_newest\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                        "shutdown_deadline: 1s\n")
        d.send(b"".join(attack(n) for n in range(50)))
        eventually("all alerts at the other", lambda: len(up.lines) == 50)
        began = time.monotonic()
        self.assertEqual(d.stop()[0], 0)
        self.assertLess(time.monotonic() - began, 20)

    def test_one_that_is_slow_delays_no_other(self):
        r = self.receiver(lambda request: Answer(way="silent"))
        up = self.upstream()
        d = self.daemon(f"outputs:\n  - type: elasticsearch\n    url: http://127.0.0.1:{r.port}\n    index: alerts\n"
                        f"    when_full: drop_newest\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                        "shutdown_deadline: 1s\n")
        d.send(b"".join(attack(n) for n in range(200)))
        eventually("all alerts at the other", lambda: len(up.lines) == 200)
        d.stop()


class OverTls(Output):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        cls.ours, cls.other = certs.Authority(cls.folder), certs.Authority(cls.folder, "Other CA")
        cls.server = cls.ours.issue("es", "DNS:es.example.org,IP:127.0.0.1")
        cls.named = cls.ours.issue("named", "DNS:es.example.org")
        cls.client = cls.ours.issue("squiblyd")

    def tls(self, certificate, options, clients=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        if clients:
            context.load_verify_locations(self.ours.ca)
            context.verify_mode = ssl.CERT_REQUIRED
        script = Elastic()
        r = self.receiver(script, context=context)
        return script, r, self.to(r, "elasticsearch", ["index: alerts", *options], scheme="https")

    def arrives(self, *args, **named):
        script, r, d = self.tls(*args, **named)
        d.send(b"".join(attack(n) for n in range(20)))
        eventually(lambda: "\n".join(d.err), lambda: len(script.order) == 20)
        self.assertEqual((r.wrong, hosts(script.order)), ([], wanted(range(20))))
        self.assert_stops(d, 20)
        return r

    def is_refused(self, said, *args, **named):
        script, r, d = self.tls(*args, **named)
        d.send(attack(1))
        d.wait_said(said)
        self.assertEqual((script.order, r.requests), ([], []))
        self.assertEqual(d.stop()[0], 0)

    def test_one_whom_we_trust_is_sent_to(self):
        r = self.arrives(self.server, [f"tls_ca: {self.ours.ca}"])
        self.assertTrue(r.requests[0].headers["host"].startswith("127.0.0.1:"))

    def test_one_whom_we_do_not_trust_gets_nothing(self):
        self.is_refused("certificate", self.server, [])
        self.is_refused("certificate", self.server, [f"tls_ca: {self.other.ca}"])

    def test_the_name_counts_and_may_be_given(self):
        self.is_refused("certificate|host name", self.named, [f"tls_ca: {self.ours.ca}"])
        r = self.arrives(self.named, [f"tls_ca: {self.ours.ca}", "tls_name: es.example.org"])
        self.assertEqual(r.requests[0].headers["host"], f"127.0.0.1:{r.port}")

    def test_without_verification_anybody_is_and_that_is_said(self):
        self.arrives(self.named, ["tls_verify: false"])

    def test_our_certificate_is_shown(self):
        self.arrives(self.server, [f"tls_ca: {self.ours.ca}", f"tls_certificate: {self.client}"], clients=True)

    def test_plain_text_is_an_outage(self):
        r = self.receiver(Elastic())
        d = self.to(r, "elasticsearch", ["index: alerts"], scheme="https")
        d.send(attack(1))
        d.wait_said("SSL|TLS|wrong version")
        self.assertEqual(d.stop()[0], 0)


class SplunkOutput(Output):
    def splunk(self, options=(), **named):
        script = Splunk(**named)
        r = self.receiver(script)
        return script, r, self.to(r, "splunk", [f"token_file: {self.secret('s3cret' + chr(10))}", *options])

    def check(self, script, r, d, n):
        eventually(lambda: f"{n} events, {len(script.events)} are there: {r.wrong}\n" + "\n".join(d.err[-20:]),
                   lambda: len(script.events) >= n or r.wrong)
        self.assertEqual((r.wrong, len(script.events)), ([], n))

    def test_events_with_time_host_and_the_rest(self):
        script, r, d = self.splunk(["index: soc", 'source: "a\\"b"'])
        d.send(b"".join(attack(n) for n in range(100)))
        self.check(script, r, d, 100)
        self.assertEqual(hosts(e["event"] for e in script.events), wanted(range(100)))
        for e in script.events:
            self.assertEqual((e["index"], e["source"], e["sourcetype"]), ("soc", 'a"b', "squiblyd"))
            when = datetime.datetime.fromisoformat(e["event"]["@timestamp"].replace("Z", "+00:00")).timestamp()
            self.assertAlmostEqual(e["time"], when, places=3)
        self.assertEqual(len({e["fields"]["squiblyd_id"] for e in script.events}), 100)
        self.assert_stops(d, 100)

    def test_other_formats_are_text(self):
        script, r, d = self.splunk(["format: cef"])
        d.send(attack(1))
        self.check(script, r, d, 1)
        self.assertTrue(script.events[0]["event"].startswith("CEF:0|"))
        self.assert_stops(d, 1)

    def test_raw_lines(self):
        script, r, d = self.splunk(["endpoint: raw", "index: soc"], raw=True)
        d.send(b"".join(attack(n) for n in range(20)))
        self.check(script, r, d, 20)
        self.assertEqual(r.requests[0].query, "index=soc&sourcetype=squiblyd")
        self.assertEqual(hosts(json.loads(e) for e in script.events), wanted(range(20)))
        self.assert_stops(d, 20)

    def test_the_event_that_it_names_is_refused_and_the_others_arrive(self):
        script, r, d = self.splunk(bad=lambda e: e["event"]["host"]["name"] in wanted([3, 50]))
        d.send(b"".join(attack(n) for n in range(100)))
        self.check(script, r, d, 98)
        eventually("the counter", lambda: self.table(d)["dropped_refused"] == 2)
        self.assertEqual(hosts(e["event"] for e in script.events), wanted(n for n in range(100) if n not in (3, 50)))
        self.assert_stops(d, 100)

    def test_what_is_wrong_with_us_drops_nothing(self):
        for answer, said in ((Answer(400, b'{"text":"Incorrect index","code":7,"invalid-event-number":0}'), "mend"),
                             (Answer(403, b'{"text":"Invalid token","code":4}'), "mend"),
                             (Answer(503, b'{"text":"Server is busy","code":9}'), "it answered 503"),
                             (Answer(200, b"<html>"), "is it a collector")):
            script, r, d = self.splunk(whole=lambda turn, q, a=answer: a if turn <= 2 else None)
            d.send(attack(1))
            self.check(script, r, d, 1)
            self.assertTrue(d.said(said), d.err)
            self.assert_stops(d, 1)


class Webhook(Output):
    def hook(self, options=(), answer=None, **named):
        r = self.receiver(answer or (lambda request: Answer(204)))
        return r, self.to(r, "webhook", options, path="/hook/T0K3N?team=soc", **named)

    def bodies(self, r, d, n):
        eventually(lambda: f"{n} requests, {len(r.requests)} are there\n" + "\n".join(d.err[-20:]), lambda: len(r.requests) >= n)
        self.assertEqual(len(r.requests), n)
        for q in r.requests:
            self.assertEqual((q.method, q.target), ("POST", "/hook/T0K3N?team=soc"))
        return [q.body for q in r.requests]

    def test_each_message_is_a_request(self):
        r, d = self.hook()
        d.send(b"".join(attack(n) for n in range(30)))
        self.assertEqual(hosts(json.loads(b) for b in self.bodies(r, d, 30)), wanted(range(30)))
        self.assertEqual({q.headers["content-type"] for q in r.requests}, {"application/json"})
        self.assertNotIn("T0K3N", "\n".join(d.err), "what may be a secret is not logged")
        self.assert_stops(d, 30)

    def test_templates(self):
        for body, take in (('{"text":"{{text}}","host":"{{ host }}"}',
                            lambda b: [json.loads(json.loads(b)["text"])]),
                           ('{"alert":{{message}},"id":"{{id}}"}', lambda b: [json.loads(b)["alert"]]),
                           ("{{raw}}", lambda b: [json.loads(b)])):
            r, d = self.hook([f"body: {json.dumps(body)}", "headers: [\"X-Tenant: corp\"]"])
            d.send(attack(7))
            self.assertEqual(hosts(take(self.bodies(r, d, 1)[0])), wanted([7]))
            self.assertEqual(r.requests[0].headers["x-tenant"], "corp")
            self.assert_stops(d, 1)

    def test_several_in_a_request_are_an_array(self):
        for options, take in ((["batch: 10"], json.loads),
                              (["batch: 10", 'body: \'{"alerts":{{messages}},"from":"us"}\''],
                               lambda b: json.loads(b)["alerts"])):
            r, d = self.hook(options)
            d.send(b"".join(attack(n) for n in range(40)))
            eventually("all", lambda r=r, t=take: sum(len(t(q.body)) for q in r.requests) >= 40)
            self.assertEqual(hosts(doc for q in r.requests for doc in take(q.body)), wanted(range(40)))
            self.assertLessEqual(max(len(take(q.body)) for q in r.requests), 10)
            self.assert_stops(d, 40)

    def test_requests_are_signed(self):
        key = "k3y of ours"
        for options in ([], ["gzip: true"]):
            r, d = self.hook([f"secret_file: {self.secret(key)}", f"token_file: {self.secret('t0ken')}", *options])
            d.send(attack(1))
            self.bodies(r, d, 1)
            q = r.requests[0]
            when, mac = re.fullmatch("t=([0-9]+),v1=([0-9a-f]{64})", q.headers["x-squiblyd-signature"]).groups()
            self.assertEqual(mac, hmac.new(key.encode(), when.encode() + b"." + q.raw, "sha256").hexdigest())
            self.assertLess(abs(int(when) - time.time()), 60)
            self.assertEqual(q.headers["authorization"], "Bearer t0ken")
            self.assertNotIn("t0ken", "\n".join(d.err))
            self.assert_stops(d, 1)

    def test_what_cannot_be_is_said_at_the_start(self):
        for options, said in ((["body: nothing"], "no message is put into it"),
                              (['body: "{{massage}}"'], "there is no {{massage}}"),
                              (['body: "{{messages}} {{id}}"'], "goes with nothing of one message"),
                              (['headers: ["A: b\\r\\nC: d"]'], "printable ASCII alone"),
                              (['headers: ["A b: c"]'], "Name: value"),
                              (['content_type: "a\\nB: c"'], "printable ASCII alone"),
                              ([f"token_file: {self.secret('two' + chr(10) + 'lines')}"], "one line of printable ASCII"),
                              (["tls_ca: /x"], "does not begin with https")):
            _, d = self.hook(options)
            self.assertNotEqual(d.wait(), 0, options)
            self.assertTrue(d.said(re.escape(said)), d.err)


if __name__ == "__main__":
    main()
