"""Kafka, out and in: librdkafka's mock brokers, kcat as the client that nobody here wrote."""
import json
import os
import re
import shutil
import tempfile

from harness import Case, attack, eventually, main
from kafka import NOT_ENOUGH_REPLICAS, PRODUCE, TOO_LARGE, GONE, TOPIC_NOT_ALLOWED, Cluster, Reader, kcat_or_skip


RULE = """title: Every attack of the tests
id: 3c1c7a0e-6f0d-4b8e-9a53-52a0c4e8d7b2
logsource: {category: process_creation, product: windows}
detection:
    selection:
        CommandLine|contains: 'scrobj.dll'
    condition: selection
level: high
"""


class KafkaCase(Case):
    def setUp(self):
        kcat_or_skip()
        self.folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.rule = os.path.join(self.folder, "rule.yml")
        with open(self.rule, "w", encoding="ascii") as f:
            f.write(RULE)
        self.cluster = self.new_cluster()

    def start_with(self, text):
        return self.daemon(text + f"rules:\n  paths: [{self.rule}]\n", inputs=False)

    def new_cluster(self, brokers=1):
        cluster = Cluster(brokers)
        self.addCleanup(cluster.stop)
        return cluster

    def reader(self, topic="alerts"):
        reader = Reader(self.cluster, topic)
        self.addCleanup(reader.stop)
        return reader

    def output(self, more=""):
        return (f"outputs:\n  - type: kafka\n    brokers: [\"{self.cluster.bootstrap}\"]\n    topic: alerts\n"
                f"    retry_min: 50ms\n    retry_max: 400ms\n{more}")


def attacks(first, end):
    return b"".join(attack(n) for n in range(first, end))


def numbers(messages):
    """Which of attack() the alerts are of."""
    return sorted(int(re.search(r"/(\d+)\.sct", m["payload"]).group(1)) for m in messages)


class Output(KafkaCase):
    def start(self, more="", config=""):
        return self.start_with("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n" + self.output(more) + config)

    def test_alerts_arrive_with_the_host_as_key_and_the_id_as_header(self):
        self.cluster.tell("topic", "alerts", 4)
        reader, d = self.reader(), self.start()
        d.send(attacks(0, 200))
        d.wait_received(200)
        messages = reader.wait(200)
        for m in messages:
            self.assertTrue(json.loads(m["payload"])["rule"]["name"])
        self.assertEqual(numbers(messages), list(range(200)))
        c = self.assert_stops(d, 200)
        self.assertEqual((c["queued"], c["sent"]), (c["alerts"], c["alerts"]))
        self.assertEqual(len(reader.messages), c["alerts"])

    def test_brokers_that_are_away_are_waited_for(self):
        self.cluster.tell("topic", "alerts", 1)
        self.cluster.tell("down", -1)
        d = self.start()
        d.send(attacks(0, 50))
        d.wait_said(r"kafka alerts: .*; retrying")
        self.assertEqual(d.wait_received(50)["sent"], 0)
        self.cluster.tell("up", -1)
        messages = self.reader().wait(50)
        self.assertEqual(numbers(messages), list(range(50)))
        d.wait_said("kafka alerts: works again")
        self.assert_stops(d, 50)

    def test_errors_that_pass_lose_and_double_nothing_and_keep_the_order(self):
        self.cluster.tell("topic", "alerts", 1)
        d, reader = self.start(), self.reader()
        d.send(attacks(0, 10))
        reader.wait(10)
        self.cluster.tell("error", PRODUCE, NOT_ENOUGH_REPLICAS, 3)
        self.cluster.tell("error", PRODUCE, GONE, 2)
        d.send(attacks(10, 300))
        messages = reader.wait(300)
        self.assertEqual([int(re.search(r"/(\d+)\.sct", m["payload"]).group(1)) for m in messages], list(range(300)))
        c = self.assert_stops(d, 300)
        self.assertEqual(c["sent"], c["alerts"])

    def test_who_may_not_write_waits_until_somebody_mends_it(self):
        self.cluster.tell("topic", "alerts", 1)
        d, reader = self.start(), self.reader()
        self.cluster.tell("error", PRODUCE, TOPIC_NOT_ALLOWED, 4)
        d.send(attacks(0, 20))
        d.wait_said("uthoriz.*; retrying")
        messages = reader.wait(20)
        self.assertEqual(numbers(messages), list(range(20)))
        c = self.assert_stops(d, 20)
        self.assertEqual((c["sent"], c.get("dropped_refused", 0)), (c["alerts"], 0))

    def test_what_is_too_large_is_refused_and_what_came_with_it_is_not(self):
        self.cluster.tell("topic", "alerts", 1)
        d, reader = self.start("    max_message: 20000\n"), self.reader()
        large = attack(7).replace(b".sct", b".sct" + 30000 * b"x")
        d.send(attacks(0, 7) + large + attacks(8, 20))
        messages = reader.wait(19)
        self.assertEqual(numbers(messages), [n for n in range(20) if n != 7])
        c = self.assert_stops(d, 20)
        self.assertEqual((c["sent"], c.get("dropped_refused", 0)), (c["alerts"] - 1, 1))

    def test_a_broker_that_takes_a_batch_not_is_given_its_messages_one_by_one(self):
        self.cluster.tell("topic", "alerts", 1)
        d, reader = self.start("    linger: 200ms\n"), self.reader()
        d.send(attacks(0, 1))
        reader.wait(1)
        self.cluster.tell("error", PRODUCE, TOO_LARGE, 1)
        d.send(attacks(1, 20))
        messages = reader.wait(20)
        self.assertEqual(numbers(messages), list(range(20)))
        c = self.assert_stops(d, 20)
        self.assertEqual((c["sent"], c.get("dropped_refused", 0)), (c["alerts"], 0))

    def test_what_the_brokers_never_take_does_not_hold_up_the_end(self):
        self.cluster.tell("topic", "alerts", 1)
        self.cluster.tell("down", -1)
        d = self.start(config="shutdown_deadline: 1s\n")
        d.send(attacks(0, 30))
        d.wait_received(30)
        c = self.assert_stops(d, 30)
        self.assertEqual(c["dropped_shutdown"], c["alerts"])


class Options(Case):
    def refused(self, text, why):
        d = self.daemon("outputs:\n  - type: kafka\n    topic: alerts\n" + text)
        self.assertNotEqual(d.wait(), 0)
        self.assertTrue(d.said(why), "\n".join(d.err))

    def test_what_cannot_be_meant_is_said_before_anything_starts(self):
        self.refused("", "brokers")
        self.refused("    brokers: [\"127.0.0.1:1\"]\n    sasl: plain\n", "sasl needs sasl_user and sasl_password_file")
        self.refused("    brokers: [\"127.0.0.1:1\"]\n    sasl_user: u\n", "but no sasl")
        self.refused("    brokers: [\"127.0.0.1:1\"]\n    tls_ca: /nonexistent\n", "tls")
        self.refused("    brokers: [\"127.0.0.1:1\"]\n    tls: true\n    tls_ca: /nonexistent\n", "/nonexistent")


if __name__ == "__main__":
    main()
