"""Outputs over HTTP: nothing lost, nothing twice but by its id, order kept, whatever the receiver answers."""
import json
import os
import tempfile
import time

from harness import Case, attack, eventually, main
from http_receiver import Answer, Elastic, Receiver


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

    def to(self, receiver, kind, options=(), scheme="http", path="", args=()):
        lines = [f"url: {scheme}://127.0.0.1:{receiver.port}{path}", "retry_min: 10ms", "retry_max: 100ms", *options]
        return self.daemon(f"outputs:\n  - type: {kind}\n" + "".join(f"    {line}\n" for line in lines)
                           + "shutdown_deadline: 2s\n", args=args)

    def table(self, d):
        """The counters of the output."""
        before = len(d.err)
        d.counters()
        return d._parse(next(i for i in range(before, len(d.err)) if d.err[i].startswith("output ")))


class ElasticsearchOutput(Output):
    def elastic(self, options=(), script=None, **named):
        script = script or Elastic(**named)
        r = self.receiver(script)
        return script, r, self.to(r, "elasticsearch", ["index: alerts", *options])

    def check(self, script, receiver, d, n):
        eventually(lambda: f"{n} documents, {len(script.docs)} are there: {receiver.wrong}\n" + "\n".join(d.err[-20:]),
                   lambda: len(script.docs) >= n or receiver.wrong)
        self.assertEqual(receiver.wrong, [])
        self.assertEqual(len(script.order), n)

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

        script, r, d = self.elastic(item=item)
        d.send(b"".join(attack(n) for n in range(100)))
        self.check(script, r, d, 90)
        eventually("the counter", lambda: self.table(d)["dropped_refused"] == 10)
        self.assertEqual(self.table(d)["sent"], 90)
        d.wait_said(r"a message is refused: 400 type_400_exception: because \\x0a\\x1b\[31m of it")
        self.assertEqual(hosts(script.order), wanted([*range(10), *range(20, 100)]))
        self.assert_stops(d, 100)

    def test_requests_are_packed_on_demand(self):
        script, r, d = self.elastic(["gzip: true"], headers={"content-encoding": "gzip"})
        d.send(b"".join(attack(n) for n in range(200)))
        self.check(script, r, d, 200)
        self.assertEqual(hosts(script.order), wanted(range(200)))
        self.assertLess(sum(len(q.raw) for q in r.requests), sum(len(q.body) for q in r.requests) / 3)
        self.assert_stops(d, 200)


if __name__ == "__main__":
    main()
