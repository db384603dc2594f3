#!/usr/bin/env python3
"""Records go through: byte for byte and in order, with what rules found put in, over TCP in and out."""
import json
import os
import re
import threading
import urllib.request

import harness
from http_receiver import Elastic, Receiver
from test_kafka import KafkaCase

def without_ours(line):
    """The line with what we put in taken out. The events here have no such member of their own."""
    at = line.rfind(b'"squibly":{"received":')
    return line if at < 0 else line[:at].rstrip(b",") + b"}"


class Forward(harness.Case):
    def start(self, outputs, config="", rules=True):
        """`outputs`: (options, Upstream) each."""
        text = config + "outputs:\n"
        if rules:
            text = f"rules:\n  paths: [{os.path.join(harness.SOURCE, 'patterns')}]\n" + text
        for options, upstream in outputs:
            text += f"  - type: tcp\n    address: 127.0.0.1:{upstream.port}\n"
            text += "".join(f"    {line}\n" for line in options)
        return self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n" + text, inputs=False)

    def wait_lines(self, upstream, n):
        harness.eventually(lambda: f"{n} lines, not {len(upstream.lines)}", lambda: len(upstream.lines) >= n)
        return list(upstream.lines)

    def stream(self, n):
        return [harness.attack(i) if i % 10 == 3 else harness.ordinary(i) for i in range(n)]

    def check_stream(self, lines, sent):
        self.assertEqual([without_ours(line) + b"\n" for line in lines], sent)
        for i, line in enumerate(lines):
            verdict = json.loads(line).get("squibly")
            self.assertEqual(verdict is not None, i % 10 == 3, line)
            if verdict:
                self.assertIn(verdict["level"], ("high", "critical"))
                self.assertIn("T1218.010", verdict["rules"][0]["techniques"])
                self.assertEqual(verdict["program"], "regsvr32.exe")
                self.assertRegex(verdict["peer"], r"^127\.0\.0\.1:\d+$")
                self.assertEqual(list(json.loads(line))[-1], "squibly")

    def through(self, config=""):
        """The same stream to one output of each kind. @return what all got"""
        n = 3000
        ups = {k: self.upstream() for k in ("all", "matched", "clean", "alerts")}
        d = self.start([([f"forward: {k}"], u) for k, u in ups.items()], config)
        sent = self.stream(n)
        d.send(b"".join(sent))
        self.check_stream(self.wait_lines(ups["all"], n), sent)
        matched = [s for i, s in enumerate(sent) if i % 10 == 3]
        clean = [s for i, s in enumerate(sent) if i % 10 != 3]
        got = [without_ours(line) + b"\n" for line in self.wait_lines(ups["matched"], len(matched))]
        self.assertEqual(got, matched)
        self.assertEqual([line + b"\n" for line in self.wait_lines(ups["clean"], len(clean))], clean)
        alerts = self.wait_lines(ups["alerts"], len(matched))
        self.assertTrue(all(b'"ecs"' in a for a in alerts))
        self.assert_stops(d, n)
        self.assertEqual(self.tables(d),
                         [(n, 0), (len(matched), len(clean)), (len(clean), len(matched))])
        return {k: [re.sub(rb'"received":"[^"]*","peer":"[^"]*"', b"", x) for x in u.lines]
                for k, u in ups.items() if k != "alerts"}

    @staticmethod
    def tables(daemon):
        """(forwarded, unwanted) of each output that gets records, as printed last."""
        text = "\n".join(daemon.err)
        text = text[text.rindex("squiblyd stopped"):]
        return [(int(forwarded), int(unwanted)) for unwanted, forwarded in
                re.findall(r"\n\s+unwanted\s+(\d+)[^\n]*\n(?:\s+(?:unsampled|duplicates) [^\n]*\n)*\s+forwarded\s+(\d+)", text)]

    def test_records_go_through_in_order_however_they_are_read(self):
        sieved = self.through()
        self.assertEqual(sieved, self.through("validate: all\n"))
        self.assertEqual(sieved, self.through("workers: 3\n"))
        self.assertEqual(sieved, self.through("loops: 2\n"))

    def test_each_connection_keeps_its_order_with_several_loops(self):
        up = self.upstream()
        d = self.start([(["forward: all"], up)], "loops: 3\nworkers: 2\n")
        sent = {}
        for c in range(6):
            sent[c] = [e.replace(b"ws-", b"c%d-" % c) for e in self.stream(500)]
        connections = {c: d.connect() for c in sent}
        for part in range(0, 500, 50):
            for c, s in connections.items():
                s.sendall(b"".join(sent[c][part:part + 50]))
        for s in connections.values():
            s.close()
        lines = self.wait_lines(up, 3000)
        for c, events in sent.items():
            mark = b'"c%d-' % c
            self.assertEqual([without_ours(x) + b"\n" for x in lines if mark in x], events)
        self.assert_stops(d, 3000)

    def test_what_is_no_object_goes_as_it_came_or_as_the_text_of_one(self):
        up = self.upstream()
        d = self.start([(["forward: all"], up)])
        event = harness.attack(1).rstrip(b"\n")
        cases = [
            (b"just a line of text", None),
            (b'{"cut":"off', None),
            (b"<13>1 2026-01-01T00:00:00Z h a - - - " + event, "header"),
            (event + event, "wrapped"),
            (b"{ }", None),
            (event[:-1] + b' \t} ', "object"),
            (event[:-1] + b',"squibly":{"forged":1}}', "replaced"),
            (event[:-2], "cut"),
        ]
        for data, _ in cases:
            d.send(data + b"\n")
            self.wait_lines(up, cases.index((data, _)) + 1)
        for (data, what), line in zip(cases, list(up.lines)):
            if what is None:
                self.assertEqual(line, data)
            elif what == "object":
                self.assertTrue(line.startswith(data.rstrip()[:-1] + b',"squibly":{'), line)
                json.loads(line)
            elif what == "header":
                self.assertTrue(line.startswith(data[:-1] + b',"squibly":{"received":'), line)
            elif what == "replaced":
                self.assertTrue(line.startswith(event[:-1] + b',"squibly":{"received":'), line)
                self.assertNotIn(b"forged", line)
            else:
                whole = json.loads(line)
                self.assertEqual(whole["message"].encode(), data)
                self.assertTrue(whole["squibly"]["rules"])
        c = self.assert_stops(d)
        self.assertEqual((c["verdicts"], c["verdicts_wrapped"], c["verdicts_replaced"]), (5, 2, 1))

    def test_line_ends_inside_of_a_record_make_no_second_one(self):
        up = self.upstream()
        d = self.start([(["forward: all"], up)])
        pretty = json.dumps(json.loads(harness.attack(1)), indent=2).encode()
        d.send(pretty + b"\n" + pretty.replace(b"regsvr32", b"notepad").replace(b"scrobj", b"x") + b"\n")
        lines = self.wait_lines(up, 2)
        self.assertEqual(without_ours(lines[0]).rstrip(b"}").rstrip(), pretty.replace(b"\n", b" ").rstrip(b"}").rstrip())
        self.assertNotIn(b"\n", lines[1])
        json.loads(lines[1])
        self.assert_stops(d, 2)

    def test_documents_have_ids_and_are_there_once(self):
        script = Elastic()
        receiver = Receiver(script)
        self.addCleanup(lambda: receiver.running and receiver.stop())
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\noutputs:\n  - type: elasticsearch\n"
                        f"    url: http://127.0.0.1:{receiver.port}\n    index: alerts\n    forward: all\n", inputs=False)
        event = harness.ordinary(1).rstrip(b"\n")
        sent = [harness.ordinary(0), harness.attack(1), b"<13>1 2026-01-01T00:00:00Z h a - - - " + event + b"\n", b"a line\n"]
        d.send(b"".join(sent + sent))
        harness.eventually(lambda: f"8 documents {receiver.wrong}", lambda: receiver.wrong or d.wait_received(8)
                           and self.queue_is_empty(d, receiver, "output elasticsearch"))
        self.assertEqual(receiver.wrong, [])
        docs = script.docs
        self.assertEqual(len(docs), 4)
        found = [x if isinstance(x, dict) else json.loads(x) for x in (docs.values() if isinstance(docs, dict) else docs)]
        self.assertIn(json.loads(sent[0]), found)
        self.assertIn(json.loads(event), found)
        self.assertIn({"message": "a line"}, found)
        self.assertEqual(sum("squibly" in x for x in found), 1)
        self.assert_stops(d, 8)

    def test_documents_of_several_events_are_told_apart(self):
        script = Elastic()
        receiver = Receiver(script)
        self.addCleanup(lambda: receiver.running and receiver.stop())
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\noutputs:\n  - type: elasticsearch\n"
                        f"    url: http://127.0.0.1:{receiver.port}\n    index: alerts\n    forward: all\n", inputs=False)
        calm, loud, other = (e.rstrip(b"\n") for e in (harness.ordinary(0), harness.attack(1), harness.attack(2)))
        records = [calm, loud, b"[" + calm + b"," + loud + b"]", b"[" + calm + b"," + other + b"]", calm + loud]
        d.send(b"".join(b"%d " % len(r) + r for r in records + records))
        harness.eventually(lambda: f"16 events {receiver.wrong}", lambda: receiver.wrong or d.wait_received(16)
                           and self.queue_is_empty(d, receiver, "output elasticsearch"))
        self.assertEqual(receiver.wrong, [])
        self.assertEqual(len(script.docs), len(records))
        told = [x["squibly"]["event_id"] for x in script.order if "squibly" in x]
        self.assertEqual([told[1], told[3]], [told[0], told[0]])  # that of the event that matched
        self.assertNotEqual(told[2], told[0])
        self.assertEqual(told[0], next(i for i, x in script.docs.items() if x.get("squibly") and "message" not in x))
        self.assert_stops(d, 16)

    def test_a_sender_is_answered_when_its_records_have_been_sent(self):
        up = self.upstream()
        up.stop()
        d = self.daemon("inputs:\n  - {type: http, listen: \"127.0.0.1:0\"}\noutputs:\n  - type: tcp\n    forward: all\n"
                        f"    address: 127.0.0.1:{up.port}\n    retry_min: 10ms\n    retry_max: 100ms\n", inputs=False)
        url, answers = f"http://127.0.0.1:{d.port('http')}/events", []
        body = b"".join(harness.ordinary(i) for i in range(100))

        def post():
            with urllib.request.urlopen(url, body, harness.DEADLINE) as answer:
                answers.append((answer.status, len(up.lines)))
        sender = threading.Thread(target=post)
        sender.start()
        harness.eventually("records are read", lambda: d.counters().get("clean") == 100)
        self.assertEqual(answers, [])
        up.start()
        sender.join()
        self.assertEqual(answers[0][0], 200)
        self.assertEqual(self.wait_lines(up, 100), [harness.ordinary(i)[:-1] for i in range(100)])
        self.assert_stops(d, 100)

    def test_real_events_go_through_as_they_came_however_they_are_read(self):
        folder, got = os.path.join(harness.shared(), "corpus"), []
        files = [os.path.join(folder, kind, name) for kind in ("nxlog", "winlogbeat6")
                 for name in sorted(os.listdir(os.path.join(folder, kind)))[:1]]
        lines = [line for path in files for line in harness.lines_of(path)[:4000] if line]
        for config in ("", "validate: all\n", "loops: 2\nworkers: 2\n"):
            up = self.upstream()
            d = self.start([(["forward: all"], up)], config)
            d.send(b"\n".join(lines) + b"\n")
            got.append(self.wait_lines(up, len(lines)))
            self.assert_stops(d, len(lines))
        self.assertEqual([without_ours(line) for line in got[0]], lines)
        for other in got[1:]:
            self.assertEqual([without_ours(line) for line in other], lines)
            self.assertEqual([b'"squibly":{' in line for line in other], [b'"squibly":{' in line for line in got[0]])
        self.assertTrue(any(b'"squibly":{' in line for line in got[0]))

    def test_fields_sample_and_verdict(self):
        ups = [self.upstream() for _ in range(4)]
        d = self.start([(["forward: all", "drop_fields: [Channel, NewProcessName]"], ups[0]),
                        (["forward: all", "keep_fields: [CommandLine]"], ups[1]),
                        (["forward: all", "sample: 10"], ups[2]),
                        (["forward: all", "verdict: all"], ups[3])])
        sent = self.stream(200)
        d.send(b"".join(sent))
        dropped = self.wait_lines(ups[0], 200)
        kept = self.wait_lines(ups[1], 200)
        sampled = self.wait_lines(ups[2], 38)
        told = self.wait_lines(ups[3], 200)
        for i in range(200):
            event = json.loads(sent[i])
            d0, d1, d3 = json.loads(dropped[i]), json.loads(kept[i]), json.loads(told[i])
            self.assertEqual("squibly" in d0, i % 10 == 3)
            self.assertIn("peer", d3["squibly"])
            self.assertEqual("rules" in d3["squibly"], i % 10 == 3)
            for got in (d0, d1, d3):
                got.pop("squibly", None)
            self.assertEqual(d1, {"CommandLine": event["CommandLine"]})
            self.assertEqual(d3, event)
            del event["Channel"], event["NewProcessName"]
            self.assertEqual(d0, event)
        self.assertEqual(sum(b'"squibly"' in s for s in sampled), 20)
        c = self.assert_stops(d, 200)
        self.assertEqual(len(ups[2].lines), 38)
        self.assertEqual(c["unsampled"], 162)

    def test_events_that_are_sent_again_go_through_once(self):
        up = self.upstream()
        d = self.start([(["forward: all"], up)], "deduplicate:\n  window: 1000\n")
        events = []
        for i, e in enumerate(self.stream(50)):
            events.append(e.rstrip(b"}\n") + b',"RecordNumber":%d,"SourceName":"Microsoft-Windows-Security-Auditing"}\n' % i)
        d.send(b"".join(events))
        self.wait_lines(up, 50)
        d.send(b"".join(events) + harness.ordinary(7))
        lines = self.wait_lines(up, 51)
        c = self.assert_stops(d, 101)
        self.assertEqual(len(up.lines), 51)
        self.assertEqual(lines[50] + b"\n", harness.ordinary(7))
        self.assertEqual(c["dropped"], 50)

    def test_a_full_queue_drops_and_counts_or_lets_senders_wait(self):
        slow, fast = self.upstream(stalled=True), self.upstream()
        n = 20000
        d = self.start([(["forward: all", "queue: 64KiB", "when_full: drop_newest"], slow),
                        (["forward: all", "queue: 64KiB"], fast)])
        sent = [harness.ordinary(i) for i in range(n)]
        d.send(b"".join(sent))
        self.assertEqual([x + b"\n" for x in self.wait_lines(fast, n)], sent)
        slow.stalled = False
        c = d.wait_received(n)
        self.assertEqual(c["clean"], n)
        harness.eventually("the slow one is done", lambda: self.queue_is_empty(d, slow))
        self.assert_stops(d, n)
        text = "\n".join(d.err)
        text = text[text.rindex("squiblyd stopped"):]
        table = text[text.index(f"output tcp 127.0.0.1:{slow.port}"):]
        dropped = int(re.search(r"dropped_full\s+(\d+)", table).group(1))
        self.assertGreater(dropped, 0)
        self.assertEqual(len(slow.lines) + dropped, n)

    def queue_is_empty(self, d, upstream, title="output tcp"):
        before = len(d.err)
        d.counters()
        text = "\n".join(d.err[before:])
        at = text.find(f"127.0.0.1:{upstream.port}", max(0, text.find(title)))
        queued, sent = (re.search(rf"{k}\s+(\d+)", text[at:]) for k in ("queued", "sent"))
        return at >= 0 and queued and sent and queued.group(1) == sent.group(1)


class ToKafka(KafkaCase):
    def test_records_have_their_host_as_key_whether_they_match_or_not(self):
        self.cluster.tell("topic", "alerts", 4)
        reader = self.reader()
        d = self.start_with("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n" + self.output("    forward: all\n"))
        d.send(b"".join(harness.attack(n) if n % 2 else harness.ordinary(n) for n in range(100)))
        messages = reader.wait(100)
        for m in messages:
            event = json.loads(m["payload"])
            self.assertEqual(m["key"], event["Hostname"])
            self.assertEqual("squibly" in event, "regsvr32" in event["CommandLine"])
        self.assert_stops(d, 100)


if __name__ == "__main__":
    harness.main()
