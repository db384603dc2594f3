"""The HTTP input as its clients use it: curl, a Beat's conversation with Elasticsearch, Splunk's collector."""
import gzip
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import harness

VERSION = "8.17.4"
AGENT = f"Elastic-Winlogbeat/{VERSION} (windows; amd64; 5a5cf5bb; 2025-03-20 16:05:41 +0000 UTC)"
BULK = "/_bulk?filter_path=errors%2Citems.%2A.error%2Citems.%2A.status"


class Http(harness.Case):
    def start(self, options="", outputs="", **named):
        upstream = self.upstream()
        d = self.daemon(f"inputs:\n  - type: http\n    listen: 127.0.0.1:0\n{options}{outputs}", inputs=False,
                        upstream=upstream, **named)
        return d, upstream, d.port("http")

    def client(self, port):
        c = http.client.HTTPConnection("127.0.0.1", port, timeout=harness.DEADLINE)
        self.addCleanup(c.close)
        return c

    def ask(self, c, method, path, body=None, status=200, **headers):
        c.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        r = c.getresponse()
        answer = r.read()
        self.assertEqual(r.status, status, answer)
        return json.loads(answer) if answer else None, r

    def tokens(self, text, path=None):
        if not path:
            folder = tempfile.mkdtemp(prefix="squiblyd-e2e-http-")
            self.addCleanup(shutil.rmtree, folder, True)
            path = os.path.join(folder, "tokens")
        with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(text)
        return path

    def test_an_answer_means_that_its_alerts_are_sent(self):
        d, upstream, port = self.start()
        c = self.client(port)
        for n in range(20):
            body = b"".join([harness.ordinary(n), harness.attack(n), b"nonsense\n"])
            answer, _ = self.ask(c, "POST", "/events", body)
            self.assertEqual(answer, {"received": 3, "malformed": 1})
            # Its system has it by now; the upstream itself may be about to read it.
            harness.eventually("the alert about it", lambda n=n: any(f"ws-{n}." in json.dumps(a) for a in upstream.alerts()))
            self.assertEqual(sum(1 for a in upstream.alerts() if f"ws-{n}." in json.dumps(a)), 1)
        counted = self.assert_stops(d, 60)
        self.assertEqual((counted["alerted"], counted["clean"], counted["malformed"]), (20, 20, 20))
        self.assertEqual(counted["http_requests"], 20)

    def test_curl(self):
        curl = shutil.which("curl")
        if not curl:
            raise unittest.SkipTest("no curl on this machine")
        d, upstream, port = self.start()
        plain = os.path.join(d.folder, "events.ndjson")
        events = b"".join(harness.attack(n) for n in range(2000))  # long enough for 100-continue
        for name, data in ((plain, events), (plain + ".gz", gzip.compress(events))):
            with open(name, "wb") as f:
                f.write(data)
        url = f"http://127.0.0.1:{port}/events"
        for args in (["--data-binary", "@" + plain],
                     ["--data-binary", "@" + plain, "-H", "Transfer-Encoding: chunked"],
                     ["--data-binary", "@" + plain + ".gz", "-H", "Content-Encoding: gzip"],
                     ["-T", plain]):
            out = subprocess.run([curl, "-sS", "--fail", "--max-time", "60", *args, url], check=True,
                                 capture_output=True, timeout=90).stdout
            self.assertEqual(json.loads(out), {"received": 2000})
        upstream.expect(8000)
        self.assert_stops(d, 8000)

    def test_a_beat_starts_up_and_sends(self):
        d, upstream, port = self.start()
        c = self.client(port)
        asks = [("GET", "/", None), ("GET", "/_license?human=false", None), ("GET", "/_xpack", None),
                ("GET", "/_ilm/policy/winlogbeat", None), ("PUT", "/_ilm/policy/winlogbeat", b"{}"),
                ("HEAD", "/_index_template/winlogbeat-" + VERSION, None),
                ("PUT", "/_index_template/winlogbeat-" + VERSION, b'{"index_patterns":["winlogbeat-*"]}' * 3000),
                ("PUT", "/_data_stream/winlogbeat-" + VERSION, None),
                ("GET", "/_ingest/pipeline/winlogbeat-*", None), ("GET", "/_cluster/health", None),
                ("GET", "/_something/new", None)]
        for method, path, body in asks:
            answer, r = self.ask(c, method, path, body, User_Agent=AGENT)
            self.assertEqual(r.getheader("X-Elastic-Product"), "Elasticsearch")
            self.assertEqual(r.getheader("Content-Type"), "application/json")
            if path == "/":
                self.assertEqual(answer["version"]["number"], VERSION)
                self.assertEqual(answer["version"]["build_flavor"], "default")
        action = b'{"create":{"_index":"winlogbeat-8.17.4"}}\n'
        docs = [harness.attack(n) if n % 100 == 0 else harness.ordinary(n) for n in range(1600)]
        body = gzip.compress(b"".join(action + doc for doc in docs))
        for _ in range(3):
            answer, _ = self.ask(c, "POST", BULK, body, Content_Encoding="gzip", User_Agent=AGENT,
                                 Content_Type="application/json; charset=UTF-8")
            self.assertEqual(answer, {"errors": False, "items": [{"create": {"status": 201}}] * 1600})
        upstream.expect(48)
        self.assertTrue(d.said(r"asked for GET /_something/new"))
        counted = self.assert_stops(d, 4800)
        self.assertEqual(counted["connections"], 1)
        self.assertEqual(counted["http_requests"], len(asks) + 3)

    def test_bulk_answers_each_action_in_its_place(self):
        d, _, port = self.start("    max_record: 2KiB\n")
        c = self.client(port)
        body = (b'{"index":{"_index":"a","_id":"7"}}\n' + harness.attack(1)
                + b'{"create":{"_index":"b"}}\n' + b'{"x":"' + b"x" * 3000 + b'"}\n'
                + b'{"delete":{"_index":"a","_id":"8"}}\n'
                + b'{"update":{"_id":"9"}}\n{"doc":' + harness.attack(2).strip() + b'}\n'
                + b'{"create":{}}\nno json\n')
        answer, _ = self.ask(c, "POST", "/a/_bulk", body)
        self.assertTrue(answer["errors"])
        self.assertEqual([(k, v["_index"], v["_id"], v["status"]) for i in answer["items"] for k, v in i.items()],
                         [("index", "a", "7", 201), ("create", "b", "2", 413), ("delete", "a", "8", 200),
                          ("update", "a", "9", 200), ("create", "a", "5", 201)])
        answer, _ = self.ask(c, "POST", "/_bulk", b'{"event":1}\n', status=400)
        self.assertIn("Malformed action/metadata line", answer["error"]["reason"])
        counted = self.assert_stops(d, 4)
        self.assertEqual((counted["alerted"], counted["oversized"], counted["malformed"]), (2, 1, 1))

    def test_bulk_with_too_many_actions_is_refused(self):
        d, _, port = self.start("    max_items: 2\n")
        c = self.client(port)
        one = b'{"create":{"_index":"b"}}\n' + harness.attack(1)
        self.assertEqual(len(self.ask(c, "POST", "/_bulk", 2 * one)[0]["items"]), 2)
        self.ask(c, "POST", "/_bulk", 3 * one, status=413)
        counted = self.assert_stops(d)
        self.assertEqual(counted["http_too_large"], 1)

    def test_splunks_collector(self):
        tokens = self.tokens("windows:B5A79AAD-D822-46CC-80D1-819F80D7BFB0\n")
        d, upstream, port = self.start(f"    tokens_file: {tokens}\n    hec_acks: true\n")
        c = self.client(port)
        token = {"Authorization": "Splunk B5A79AAD-D822-46CC-80D1-819F80D7BFB0",
                 "X_Splunk_Request_Channel": "FE0ECFAD-13D5-401B-847D-77833BD77131"}
        event = json.loads(harness.attack(1))
        body = json.dumps({"time": 1426279439, "host": "ws-9", "event": event}) + json.dumps({"event": event})
        answer, _ = self.ask(c, "POST", "/services/collector/event", body, status=401)
        self.assertEqual(answer["code"], 2)
        answer, _ = self.ask(c, "POST", "/services/collector/event", body, status=403, Authorization="Splunk x")
        self.assertEqual(answer["code"], 4)
        answer, _ = self.ask(c, "POST", "/services/collector/event", body, **token)
        self.assertEqual(answer, {"text": "Success", "code": 0, "ackId": 0})
        answer, _ = self.ask(c, "POST", "/services/collector/raw", harness.attack(2), **token)
        self.assertEqual(answer["ackId"], 1)

        def acked():
            return self.ask(c, "POST", "/services/collector/ack", '{"acks":[0,1,2]}', **token)[0]["acks"]
        harness.eventually("the acks", lambda: acked() == {"0": True, "1": True, "2": False})
        upstream.expect(3)
        self.assertIn('"windows"', upstream.lines[0].decode())  # who sent it
        self.assert_stops(d, 3)

    def test_tokens_are_read_anew(self):
        path = self.tokens("a:one\n")
        d, _, port = self.start(f"    tokens_file: {path}\n")
        c = self.client(port)
        self.ask(c, "POST", "/", harness.attack(1), Authorization="Bearer one")
        self.ask(c, "POST", "/", harness.attack(1), status=401, Authorization="Bearer two")
        self.tokens("a:two\n", path)
        os.chmod(path, 0o644)
        before = d.hup()
        d.wait_said(r"1 names and secrets read", before)
        self.assertTrue(d.said(r"can be read by everybody"))
        self.ask(c, "POST", "/", harness.attack(1), Authorization="Bearer two")
        self.ask(c, "POST", "/", harness.attack(1), status=401, Authorization="Bearer one")
        self.assert_stops(d, 2)

    def test_everybody_may_send_is_said_once(self):
        d = self.daemon("inputs:\n  - type: http\n    listen: 0.0.0.0:0\noutputs:\n  - type: stdout\n", inputs=False)
        d.wait_said(r"everybody who reaches this address may send events")
        self.assert_stops(d, 0)


if __name__ == "__main__":
    harness.main()
