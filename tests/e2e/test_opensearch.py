"""OpenSearch itself (tools/clients opensearch) as a receiver: what it says when a document does not fit, an index is closed, a
request is too long, and what is there after it was killed. Minutes, and a JVM: only with SQUIBLY_LONG.
"""
import json
import os
import shutil
import sys
import tempfile
import unittest

from harness import DEMO, LONG, SOURCE, Case, attack, eventually, lines_of, main, ordinary

sys.path.insert(0, os.path.join(SOURCE, "tools", "lib"))
import opensearch_node  # noqa: E402

TEMPLATE = os.path.join(SOURCE, "conf", "examples", "elasticsearch-template.json")


class OpenSearch(Case):
    """One node for all tests; each has an index of its own."""

    @classmethod
    def setUpClass(cls):
        if not LONG:
            raise unittest.SkipTest("a node of its own: only with SQUIBLY_LONG")
        if not opensearch_node.jars():
            raise unittest.SkipTest("no OpenSearch on this machine (tools/deps opensearch, tools/clients opensearch)")
        folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        cls.addClassCleanup(shutil.rmtree, folder, True)
        cls.node = opensearch_node.Node(folder, ["http.max_content_length=200kb"])
        cls.addClassCleanup(cls.node.stop, True)

    def setUp(self):
        self.index = self.id().rsplit(".", 1)[1]
        self.dead = os.path.join(self.scratch(), "dead.ndjson")

    def start(self, *options):
        return self.daemon("outputs:\n" f"  - type: elasticsearch\n    url: {self.node.url}\n    index: {self.index}\n"
                           "    retry_min: 50ms\n    retry_max: 500ms\n" + "".join(f"    {o}\n" for o in options)
                           + f"dead_letter:\n  path: {self.dead}\n")

    def wait_found(self, d, n):
        """So many documents, and each is under the id of its alert, once."""
        eventually(lambda: f"{n} documents, {self.node.count(self.index)} are there:\n" + "\n".join(d.err[-20:]),
                   lambda: self.node.count(self.index) >= n, 180)
        found = self.node.found(self.index)
        self.assertEqual(len(found), n)
        return found

    def hosts(self, found):
        return sorted(doc["host"]["name"] for doc in found.values())

    def wanted(self, numbers):
        return sorted(f"ws-{n}.corp.example" for n in numbers)

    def letters(self):
        return [json.loads(line) for line in lines_of(self.dead)]

    def test_alerts_that_are_sent_twice_are_there_once(self):
        for options in ((), ("gzip: true",)):
            d = self.start(*options)
            d.send(b"".join(attack(n) for n in range(300)))
            found = self.wait_found(d, 300)
            eventually("all are answered", lambda: d.counters().get("sent") == 300)
            self.assertEqual(self.hosts(found), self.wanted(range(300)))
            self.assertEqual({key: doc["event"]["id"] for key, doc in found.items()}, {key: key for key in found})
            self.assert_stops(d, 300)

    def test_a_data_stream(self):
        with open(TEMPLATE, encoding="utf-8") as f:
            template = json.load(f)
        template["index_patterns"] = [self.index]
        self.node.do("PUT", f"/_index_template/{self.index}", template)
        for _ in range(2):
            d = self.start()
            d.send(b"".join(attack(n) for n in range(100)))
            self.wait_found(d, 100)
            eventually("all are answered", lambda: d.counters().get("sent") == 100)
            self.assert_stops(d, 100)
        streams = self.node.do("GET", f"/_data_stream/{self.index}")["data_streams"]
        self.assertEqual([s["name"] for s in streams], [self.index])

    def test_it_is_killed_and_comes_again(self):
        d = self.start("batch: 10")
        sent = 0
        for kill in (True, False, True):
            d.send(b"".join(attack(n) for n in range(sent, sent + 500)))
            eventually("some are there", lambda: self.node.count(self.index) > sent)
            self.node.stop(kill=kill)
            d.send(b"".join(attack(n) for n in range(sent + 500, sent + 1000)))
            sent += 1000
            self.node.start()
        self.assertEqual(self.hosts(self.wait_found(d, 3000)), self.wanted(range(3000)))
        eventually("all are answered", lambda: d.counters().get("sent") == 3000)
        self.assert_stops(d, 3000)

    def test_what_does_not_fit_is_kept_and_told_of(self):
        self.node.do("PUT", f"/{self.index}", {"mappings": {"properties": {"host": {"properties": {"name": {"type": "ip"}}}}}})
        d = self.start()
        d.send(b"".join(attack(n) if n % 10 else attack(n).replace(b"ws-%d.corp.example" % n, b"192.0.2.%d" % n) for n in range(100)))
        found = self.wait_found(d, 10)
        self.assertEqual(self.hosts(found), sorted(f"192.0.2.{n}" for n in range(0, 100, 10)))
        eventually("the others are refused", lambda: d.counters().get("dropped_refused") == 90)
        d.wait_said("a message is refused: 400 mapper_parsing_exception: failed to parse field \\[host.name\\] of type \\[ip\\]")
        self.assert_stops(d, 100)
        self.assertEqual(sorted(json.loads(x["message"])["host"]["name"] for x in self.letters()),
                         self.wanted(n for n in range(100) if n % 10))
        for letter in self.letters():  # what it is, and why that is none
            self.assertRegex(letter["reason"], r"\('ws-\d+\.corp\.example' is not an IP string literal\.\)")

    def test_what_somebody_has_to_mend_waits(self):
        """Closed, full, no pipeline, too many shards: until then nothing is lost, and then all of it is there."""
        one, do, settings = self.index, self.node.do, "/_cluster/settings"

        def cluster(name, value):
            return lambda: do("PUT", settings, {"transient": {name: value}})

        def of_index(name, value):
            return lambda: do("PUT", f"/{one}/_settings", {name: value})

        def make():
            do("PUT", f"/{one}")

        def no_write_index():
            for name in (f"{one}-1", f"{one}-2"):
                do("PUT", f"/{name}", {"aliases": {one: {}}})

        for what, breaks, mends, options in (
                ("400 index_closed_exception", (make, lambda: do("POST", f"/{one}/_close")), lambda: do("POST", f"/{one}/_open"), ()),
                ("403 cluster_block_exception", (make, of_index("index.blocks.write", True)), of_index("index.blocks.write", False), ()),
                ("429 cluster_block_exception", (make, of_index("index.blocks.read_only_allow_delete", True)),
                 of_index("index.blocks.read_only_allow_delete", None), ()),
                ("403: .*cluster_block_exception", (cluster("cluster.blocks.read_only", True),), cluster("cluster.blocks.read_only", None), ()),
                ("400 illegal_argument_exception: pipeline with id", (make, of_index("index.final_pipeline", one)),
                 lambda: do("PUT", f"/_ingest/pipeline/{one}", {"processors": []}), ()),
                ("400 illegal_argument_exception: pipeline with id", (), lambda: do("PUT", "/_ingest/pipeline/other", {"processors": []}),
                 ("pipeline: other",)),
                ("400 illegal_argument_exception: no write index", (no_write_index,),
                 lambda: do("POST", "/_aliases", {"actions": [{"add": {"index": f"{one}-1", "alias": one, "is_write_index": True}}]}), ()),
                ("404 index_not_found_exception", (lambda: do("DELETE", f"/{one}-*"), cluster("action.auto_create_index", "false")),
                 cluster("action.auto_create_index", None), ()),
                ("400 validation_exception: .*shards", (make, lambda: do("PUT", f"/{one}-x"), lambda: do("DELETE", f"/{one}"),
                                                        cluster("cluster.max_shards_per_node", 1)),
                 cluster("cluster.max_shards_per_node", None), ())):
            with self.subTest(what):
                for step in breaks:
                    step()
                d = self.start(*options)
                d.send(b"".join(attack(n) for n in range(20)))
                d.wait_said(what + ".*; retrying")
                self.assertEqual(self.node.count(one), 0)
                mends()
                self.wait_found(d, 20)
                self.assert_stops(d, 20)
                self.assertFalse(os.path.exists(self.dead) and self.letters())
            if what[:3] != "400" or "no write" not in what:
                self.node.ask("DELETE", f"/{one}")

    def test_requests_that_are_too_long_are_made_shorter(self):
        """The node was told to take 200 KiB (413); what waits is sent in pieces of 256 KiB."""
        d = self.start()
        self.node.stop()
        d.send(b"".join(attack(n) for n in range(400)))
        d.wait_received(400)
        self.node.start()
        self.assertEqual(self.hosts(self.wait_found(d, 400)), self.wanted(range(400)))
        eventually("all are answered", lambda: d.counters().get("sent") == 400)
        self.assert_stops(d, 400)

    def test_alerts_fit_into_the_template(self):
        """Whatever the first of them holds: OpenSearch makes a date of what looks like one, and refuses all that follow."""
        with open(TEMPLATE, encoding="utf-8") as f:
            template = json.load(f)
        template["index_patterns"] = [self.index]
        self.node.do("PUT", f"/_index_template/{self.index}", template)
        d = self.start()
        events = [attack(0).replace(b"scrobj.dll", word.encode()) for word in ("2024-01-01", "scrobj.dll", "17", "true", "192.0.2.1", "y" * 10000)]
        demo = [line + b"\n" for name in sorted(os.listdir(DEMO)) if ".json" in name for line in lines_of(os.path.join(DEMO, name))]
        d.send(b"".join(events + demo))
        alerts = d.wait_received(len(events) + len(demo))["alerts"]
        self.assertGreater(alerts, len(events))
        self.wait_found(d, alerts)
        eventually("all are answered", lambda: d.counters().get("sent") == alerts)
        self.assert_stops(d)

    def test_records_that_are_forwarded(self):
        d = self.start("forward: all")
        records = [attack(n) if n % 10 == 3 else ordinary(n) for n in range(200)]
        d.send(b"".join(records))
        found = self.wait_found(d, 200)
        self.assertEqual(sorted(doc["Hostname"] for doc in found.values()), self.wanted(range(200)))
        self.assertEqual(sum("squibly" in doc for doc in found.values()), 20)
        self.assert_stops(d, 200)
        d = self.start("forward: all")
        d.send(b"".join(records))
        eventually("all are answered", lambda: d.counters().get("sent") == 200)
        self.wait_found(d, 200)
        self.assert_stops(d, 200)


if __name__ == "__main__":
    main()
