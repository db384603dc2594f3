"""Outputs over HTTP whose receivers are odd, strict, or change while we run; and records that are odd themselves."""
import gzip
import json
import os
import shutil
import ssl
import tempfile

import certs
from harness import attack, eventually, main
from http_receiver import Answer, Elastic, Splunk
from test_http_output import Output, ToElastic, hosts, wanted

# What senders write, and what is to be read of it where JSON alone is taken.
RECORDS = [
    (b'{"EventID":1,"a":"plain"}', "plain"),
    (b'{"EventID":1,"a":"gr\xc3\xbc\xc3\x9fe"}', "gr\xfc\xdfe"),
    (b'{"EventID":1,"a":"x\xff\xe2\x82y"}', "x\ufffd\ufffd\ufffdy"),
    (b'{"EventID":1,"a":"tab\tand \x01"}', "tab\tand \x01"),
    (b'{"EventID":1,"a":"last"}', "last"),
]
BROKEN = b'{"EventID":1,"a":NaN}'


class OddRecords(ToElastic):
    def feed(self, d, *more):
        d.send(b"".join(record + b"\n" for record in [record for record, _ in RECORDS] + list(more)))

    def test_elasticsearch_gets_them_all_as_json(self):
        script, r, d = self.elastic(["forward: all"])
        self.feed(d, BROKEN)
        self.check(script, r, d, len(RECORDS) + 1)
        self.assertEqual([doc.get("a") for doc in script.order[:-1]], [text for _, text in RECORDS])
        self.assertEqual(script.order[-1]["message"], BROKEN.decode())
        self.assertEqual(self.table(d).get("dropped_refused", 0), 0)
        self.assertEqual(d.counters()["records_mended"], 2)
        self.assert_stops(d)

    def test_splunk_gets_them_all_as_json(self):
        script = Splunk()
        r = self.receiver(script)
        d = self.to(r, "splunk", [f"token_file: {self.secret('s3cret')}", "forward: all"])
        self.feed(d, BROKEN)
        eventually(lambda: f"{script.events} {r.wrong}", lambda: len(script.events) == len(RECORDS) + 1 or r.wrong)
        self.assertEqual((r.wrong, script.turn), ([], len(r.requests)))
        self.assertEqual([e["event"]["a"] for e in script.events[:-1]], [text for _, text in RECORDS])
        self.assertEqual(script.events[-1]["event"], BROKEN.decode())
        eventually("the counter", lambda: self.table(d).get("mended") == 2)
        self.assert_stops(d)

    def test_a_webhook_gets_them_all_as_json(self):
        r = self.receiver(lambda request: Answer(204))
        d = self.to(r, "webhook", ["forward: all", "batch: 100"])
        self.feed(d, BROKEN)
        eventually("all", lambda: sum(len(json.loads(q.body)) for q in r.requests) == len(RECORDS) + 1)
        got = [message for q in r.requests for message in json.loads(q.body)]
        self.assertEqual([m["a"] for m in got[:-1]], [text for _, text in RECORDS])
        self.assertEqual(got[-1], BROKEN.decode())
        eventually("the counter", lambda: self.table(d).get("mended") == 2)
        self.assert_stops(d)

    def test_others_get_them_byte_for_byte(self):
        up = self.upstream()
        d = self.daemon("    forward: all\n", upstream=up)
        self.feed(d, BROKEN)
        up.expect(len(RECORDS) + 1)
        self.assertEqual(up.lines, [record for record, _ in RECORDS] + [BROKEN])
        self.assertEqual(d.counters().get("records_mended", 0), 0)
        self.assert_stops(d)


class OddReceivers(ToElastic):
    def arrives(self, whole, n=20, options=()):
        """All arrive in spite of what it answers in its first turns. Gives all that there is."""
        script = Elastic()
        script.whole = lambda turn, pairs: whole(script, turn, pairs)
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts", *options])
        d.send(b"".join(attack(i) for i in range(n)))
        self.check(script, r, d, n)
        self.assertEqual(hosts(script.order), wanted(range(n)))
        eventually("all counted", lambda: self.table(d)["sent"] == n)
        return script, r, d

    def test_a_length_that_is_wrong(self):
        for by in (-5, 5):
            def whole(script, turn, pairs, by=by):
                if turn > 1:
                    return None
                body = json.dumps(script.take(pairs)).encode()
                return Answer(200, body, way="drop", length=len(body) + by)

            script, _, d = self.arrives(whole)
            self.assertGreater(script.again, 0, "what cannot be read is asked again, by its id")
            self.assertTrue(d.said("cannot be read|transfer closed|partial|bytes missing"), d.err)
            self.assert_stops(d)

    def test_an_answer_that_is_packed_though_nobody_asked(self):
        def whole(script, turn, pairs):
            body = gzip.compress(json.dumps(script.take(pairs)).encode())
            return Answer(200, body, ["Content-Encoding: gzip"]) if turn == 1 else None

        _, r, d = self.arrives(whole)
        self.assertNotIn("accept-encoding", r.requests[0].headers)
        self.assertTrue(d.said("its answer cannot be read"))
        self.assert_stops(d)

    def test_a_word_in_between_is_no_answer(self):
        def whole(script, turn, pairs):
            return Answer(200, json.dumps(script.take(pairs)).encode(),
                          first=b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")

        script, _, d = self.arrives(whole)
        self.assertEqual(script.again, 0)
        self.assertFalse(d.said("retrying"))
        self.assert_stops(d)

    def test_a_kept_connection_that_is_closed_between_requests_is_no_error(self):
        script = Elastic()
        script.whole = lambda turn, pairs: Answer(200, json.dumps(script.take(pairs)).encode(), way="drop")
        r = self.receiver(script)
        d = self.to(r, "elasticsearch", ["index: alerts"])
        for n in range(10):
            d.send(attack(n))
            eventually("it is there", lambda n=n: len(script.order) == n + 1)
            eventually("and counted", lambda n=n: self.table(d)["sent"] == n + 1)
        self.assertEqual((script.again, r.wrong), (0, []))
        self.assertFalse(d.said("retrying"), d.err)
        self.assertEqual(self.table(d).get("retries", 0), 0)
        self.assert_stops(d, 10)

    def test_what_somebody_must_mend_waits_as_an_item(self):
        """Each of these is a 400 of one document, and says nothing of the document."""
        for kind, reason in (("invalid_index_name_exception", "Invalid index name [A]"),
                             ("cluster_block_exception", "index [a] blocked by: [FORBIDDEN/8/index write (api)]"),
                             ("index_closed_exception", "closed"),
                             ("validation_exception", "this action would add [2] shards, but this cluster has [1000]"),
                             ("illegal_argument_exception", "pipeline with id [x] does not exist"),
                             ("illegal_argument_exception", "no write index is defined for alias [a]")):
            script, r, d = self.elastic(item=lambda i, doc, turn, e=(400, kind, reason): e if turn <= 2 else None)
            d.send(attack(1))
            self.check(script, r, d, 1)
            self.assertTrue(d.said(f"1 of 1 documents are not taken: 400 {kind}"), d.err)
            eventually("counted", lambda d=d: self.table(d)["sent"] == 1)
            self.assertEqual(self.table(d).get("dropped_refused", 0), 0)
            self.assert_stops(d, 1)

    def test_what_somebody_must_mend_waits_as_a_request(self):
        for kind, reason in (("invalid_index_name_exception", "Invalid index name [A], must be lowercase"),
                             ("illegal_argument_exception", "request [/a/_bulk] contains unrecognized parameter: [x]"),
                             ("illegal_argument_exception", "pipeline with id [x] does not exist"),
                             ("security_exception", "no")):
            body = json.dumps({"error": {"root_cause": [{"type": kind, "reason": reason}], "type": kind, "reason": reason},
                               "status": 400}).encode()
            _, _, d = self.arrives(lambda script, turn, pairs, b=body: Answer(400, b) if turn <= 2 else None)
            self.assertTrue(d.said("it answered 400: .*; somebody has to mend that"), d.err)
            self.assertEqual(self.table(d).get("dropped_refused", 0), 0)
            self.assert_stops(d, 20)

    def test_the_environment_says_nothing_of_proxies(self):
        """Neither where one is, nor whom it is not for."""
        script = Elastic(path="http://es.example.invalid/alerts/_bulk")
        r = self.receiver(script)
        d = self.daemon("outputs:\n  - type: elasticsearch\n    url: http://es.example.invalid\n    index: alerts\n"
                        f"    proxy: http://127.0.0.1:{r.port}\n",
                        env={"no_proxy": "*", "NO_PROXY": "*"})
        d.send(attack(1))
        self.check(script, r, d, 1)
        self.assert_stops(d, 1)
        script = Elastic()
        r = self.receiver(script)
        d = self.daemon(f"outputs:\n  - type: elasticsearch\n    url: http://127.0.0.1:{r.port}\n    index: alerts\n",
                        env={"http_proxy": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"})
        d.send(attack(1))
        self.check(script, r, d, 1)
        self.assert_stops(d, 1)


class Renewal(Output):
    """Files that change under their names are taken up on SIGHUP, and by the connection that is there too."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.ours, self.other = certs.Authority(self.folder), certs.Authority(self.folder, "Other CA")
        self.script = Elastic()

    def served(self, options, clients=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ours.issue("es", "IP:127.0.0.1"))
        context.set_alpn_protocols(["h2", "http/1.1"])
        if clients:
            context.load_verify_locations(clients)
            context.verify_mode = ssl.CERT_REQUIRED
        r = self.receiver(self.script, context=context)
        d = self.to(r, "elasticsearch", ["index: alerts", *options], scheme="https")
        d.send(attack(0))
        eventually(lambda: "\n".join(d.err), lambda: len(self.script.order) == 1)
        return r, d

    def test_whom_we_trust_no_longer_gets_nothing_more(self):
        ca = os.path.join(self.folder, "trusted.crt")
        shutil.copy(self.ours.ca, ca)
        r, d = self.served([f"tls_ca: {ca}"])
        self.assertEqual(r.alpn, ["http/1.1"], "not what we do not speak")
        shutil.copy(self.other.ca, ca)
        d.hup()
        before = len(d.err)
        eventually("the kept connection is closed", lambda: not [s for s in r.open if s.fileno() >= 0])
        d.send(attack(1))
        d.wait_said("certificate", before)
        self.assertEqual(len(self.script.order), 1)
        shutil.copy(self.ours.ca, ca)
        d.hup()
        eventually(lambda: "\n".join(d.err), lambda: len(self.script.order) == 2)
        self.assertEqual(self.script.again, 0)
        self.assert_stops(d, 2)

    def test_a_new_certificate_of_ours_is_shown(self):
        path = os.path.join(self.folder, "client.pem")
        shutil.copy(self.ours.issue("first"), path)
        r, d = self.served([f"tls_ca: {self.ours.ca}", f"tls_certificate: {path}"], clients=self.ours.ca)
        self.assertIn("first", str(r.shown[-1]))
        shutil.copy(self.ours.issue("second"), path)
        d.hup()
        eventually("the kept connection is closed", lambda: not [s for s in r.open if s.fileno() >= 0])
        d.send(attack(1))
        eventually(lambda: "\n".join(d.err), lambda: len(self.script.order) == 2)
        self.assertIn("second", str(r.shown[-1]))
        self.assertFalse(d.said("retrying"))
        self.assert_stops(d, 2)


if __name__ == "__main__":
    main()
