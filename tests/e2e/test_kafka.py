"""Kafka, out and in: librdkafka's mock brokers, kcat as the client that nobody here wrote."""
import collections
import json
import os
import re
import shutil
import tempfile
import time
import unittest

from harness import LONG, Case, attack, eventually, main
from kafka import FETCH, NOT_ENOUGH_REPLICAS, PRODUCE, TOO_LARGE, GONE, TOPIC_NOT_ALLOWED, Cluster, Reader, kcat_or_skip


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


def after(daemon, words):
    """The line behind the first one that says so."""
    return next(i for i, line in enumerate(daemon.err) if words in line) + 1


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
            alert = json.loads(m["payload"])
            self.assertEqual(m["key"], alert["host"]["name"])
            headers = dict(zip(m["headers"][::2], m["headers"][1::2]))
            self.assertEqual(headers["squibly-id"], alert["event"]["id"])
        self.assertEqual(numbers(messages), list(range(200)))
        self.assertGreater(len({m["partition"] for m in messages}), 1)
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

    def test_a_letter_is_written_when_all_else_is_delivered_and_once(self):
        self.cluster.tell("topic", "alerts", 1)
        self.cluster.tell("down", -1)
        path, spool = os.path.join(self.folder, "dead.ndjson"), os.path.join(self.folder, "spool")
        large = attack(7).replace(b".sct", b".sct" + 30000 * b"x")

        def start():
            return self.start(f"    max_message: 20000\n    durability: spool\n    spool: {spool}\n", f"dead_letter: {{path: {path}}}\n")

        def letters():
            with open(path, "rb") as f:
                return [json.loads(line) for line in f]

        d = start()
        d.send(attacks(0, 7) + large + attacks(8, 20))
        eventually("all in the spool", lambda: d.counters().get("spooled", 0) == 20)
        d.kill()
        self.assertEqual(letters(), [])
        d = start()
        self.cluster.tell("up", -1)
        reader = self.reader()  # kcat ends when it finds no broker up
        self.assertEqual(numbers(reader.wait(19)), [n for n in range(20) if n != 7])
        self.assert_stops(d)
        self.assertEqual([("x" * 20000 in letter["message"], letter["output"]) for letter in letters()], [(True, "kafka alerts")])

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


class Input(KafkaCase):
    """One daemon or several in a group; alerts go to a TCP upstream, or to another topic."""

    def input(self, more=""):
        return (f"inputs:\n  - type: kafka\n    brokers: [\"{self.cluster.bootstrap}\"]\n    topics: [events]\n"
                f"    retry_min: 50ms\n    retry_max: 400ms\n    commit_interval: 50ms\n    session: 3s\n{more}")

    def start(self, more="", outputs=None, config=""):
        if outputs is None:
            self.up = getattr(self, "up", None) or self.upstream()
            outputs = f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{self.up.port}\n"
        return self.start_with(self.input(more) + outputs + config)

    def produce(self, first, end, *options):
        self.cluster.produce("events", [attack(n).strip() for n in range(first, end)], *options)

    def seen(self, up=None):
        return collections.Counter(int(re.search(rb"/(\d+)\.sct", line).group(1)) for line in list((up or self.up).lines))

    def wait_seen(self, n):
        eventually(lambda: f"{n} different alerts, {len(self.seen())} came", lambda: len(self.seen()) >= n)

    def test_each_message_is_a_record_and_what_is_done_is_not_read_again(self):
        self.cluster.tell("topic", "events", 3)
        self.produce(0, 300, "-z", "lz4")
        d = self.start("    tenant: north\n")
        self.wait_seen(300)
        said = [json.loads(line)["squibly"] for line in self.up.lines]
        peers = {squibly["peer"] for squibly in said}
        self.assertTrue(peers <= {f"events[{n}]" for n in range(3)}, peers)
        self.assertEqual({squibly.get("tenant") for squibly in said}, {"north"})
        c = self.assert_stops(d, 300)
        self.assertEqual(c["kafka_assigned"], 3)
        self.assertGreater(c["kafka_commits"], 0)
        d = self.start()
        self.produce(300, 310)
        self.wait_seen(310)
        self.assert_stops(d, 10)
        self.assertEqual(set(self.seen().values()), {1})

    def test_max_rate_makes_the_brokers_wait_and_loses_nothing(self):
        self.cluster.tell("topic", "events", 1)
        n, rate = 2000, 128 << 10
        size = sum(len(attack(i).strip()) for i in range(n))
        self.produce(0, n)
        d = self.start("    max_rate: 128KiB\n")
        d.wait_said("1 partition more")  # joining takes seconds by itself
        began = time.monotonic()
        self.wait_seen(n)
        # A second's worth comes at once, and the message that goes over the line; a second for us to see the line.
        self.assertGreater(time.monotonic() - began, (size - rate - 300) / rate - 1)
        c = self.assert_stops(d, n)
        self.assertGreater(c.get("rate_pauses", 0), 0)

    def test_empty_messages_and_long_ones_are_counted(self):
        self.cluster.tell("topic", "events", 1)
        self.cluster.produce("events", [attack(0).strip(), b"x" * 5000, b"broken"])
        self.cluster.produce("events", [b"k:"], "-Z", "-K:")
        self.produce(1, 2)
        d = self.start("    max_record: 4KiB\n")
        self.wait_seen(2)
        d.wait_said(r"the message at offset 1 of events\[0\] is longer than max_record, 5000 bytes")
        c = self.assert_stops(d, 4)
        self.assertEqual((c["alerted"], c["oversized"], c["malformed"] + c["clean"], c["kafka_empty"]), (2, 1, 1, 1))

    def test_a_stalled_output_loses_and_doubles_nothing(self):
        self.cluster.tell("topic", "events", 2)
        self.produce(0, 6000)
        self.up = self.upstream(stalled=True)
        d = self.start(outputs=f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{self.up.port}\n    queue: 64KiB\n",
                       config="batches: 2\nlimits:\n  batch_records: 16\n  batch_alerts: 64KiB\n")
        d.wait_said("2 partitions more")
        begin = time.monotonic()
        eventually("a standstill after which partitions are paused", lambda: time.monotonic() - begin > 3)
        c = d.counters()
        self.assertLess(c["received"], 6000)
        self.assertGreater(c["kafka_lag"], 100)
        self.up.stalled = False
        self.wait_seen(6000)
        eventually("no lag", lambda: not d.counters().get("kafka_lag"))
        self.assert_stops(d, 6000)
        self.assertEqual(set(self.seen().values()), {1})

    @unittest.skipUnless(LONG, "SQUIBLY_LONG=1: it takes its time")
    def test_a_backlog_larger_than_prefetch_is_read_without_a_rest_after_each_of_it(self):
        """librdkafka's threads sleep for up to a second when its queue is full: here some 30 times."""
        self.cluster.tell("topic", "events", 8)
        harmless = [attack(n).strip().replace(b"scrobj.dll", 8000 * b"x") for n in range(500)]
        for partition in range(8):  # the mock keeps 5 MiB of each
            self.cluster.produce("events", harmless, "-p", str(partition), "-X", "batch.size=140000")

        def took(prefetch):
            d = self.start(f"    prefetch: {prefetch}\n    group: with{prefetch}\n")
            d.wait_said("8 partitions more")
            begin = time.monotonic()
            d.wait_received(4000)
            seconds = time.monotonic() - begin
            self.assert_stops(d, 4000)
            return seconds
        self.assertLess(took("1MiB"), 3 * took("64MiB") + 3)

    def test_kill_9_loses_nothing(self):
        self.cluster.tell("topic", "events", 4)
        out, reader = self.output(), self.reader()
        rounds = 4 if LONG else 2
        for round in range(rounds):
            self.produce(round * 1500, (round + 1) * 1500)
            d = self.start(outputs=out)
            d.wait_said("4 partitions more")
            if round < rounds - 1:
                before = len(reader.messages)
                eventually("some alerts", lambda: len(reader.messages) > before)
                d.kill()
        eventually(lambda: f"{rounds * 1500} alerts, {len(set(numbers(list(reader.messages))))} came",
                   lambda: len(set(numbers(list(reader.messages)))) == rounds * 1500)
        self.assert_stops(d)

    def test_when_one_of_a_group_is_killed_the_other_reads_on(self):
        self.cluster.tell("topic", "events", 6)
        self.produce(0, 1000)
        one = self.start()
        one.wait_said("6 partitions more")
        two = self.start()
        one.wait_said("3 partitions fewer")
        two.wait_said("3 partitions more")
        self.produce(1000, 3000)
        one.kill()
        self.produce(3000, 4000)
        self.wait_seen(4000)
        two.wait_said("3 partitions more", after(two, "partitions more"))
        self.assert_stops(two)

    def test_a_member_that_stops_gives_its_partitions_at_once_and_they_are_read_again(self):
        self.cluster.tell("topic", "events", 2)
        one = self.start()
        one.wait_said("2 partitions more")
        two = self.start()
        two.wait_said("1 partition more")
        self.produce(0, 100)
        self.wait_seen(100)
        before = len(one.err)
        self.assert_stops(two)
        one.wait_said("1 partition more", before)  # one that it had before: paused when it went
        self.produce(100, 300)
        self.wait_seen(300)
        self.assert_stops(one)
        self.assertEqual(set(self.seen().values()), {1})

    def test_what_is_not_settled_when_a_partition_goes_is_read_by_the_other(self):
        self.cluster.tell("topic", "events", 2)
        for partition in range(2):  # kcat by itself may put all into one, and the other is taken
            self.produce(partition * 200, partition * 200 + 200, "-p", str(partition))
        stalled = self.upstream(stalled=True)
        one = self.start("    revoke_wait: 300ms\n",
                         outputs=f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{stalled.port}\n    queue: 64KiB\n",
                         config="shutdown_deadline: 1s\n")
        one.wait_said("2 partitions more")
        eventually("records of both", lambda: one.counters().get("received", 0) > 200)
        two = self.start()
        one.wait_said("were not settled in time; they are read again there")
        c = one.counters()
        self.assertGreater(c["kafka_given_up"], 0)
        self.assertGreater(c["kafka_revoked"], 0)
        one.kill()
        stalled.stalled = False  # what its kernel had acknowledged was settled, and is not read again
        eventually("all alerts", lambda: len(self.seen() | self.seen(stalled)) >= 400)
        self.assert_stops(two)

    def test_a_broker_that_errs_is_asked_again(self):
        self.cluster.tell("topic", "events", 2)
        d = self.start()
        d.wait_said("2 partitions more")
        self.cluster.tell("error", FETCH, GONE, 3)
        self.produce(0, 200)
        self.wait_seen(200)
        self.cluster.tell("down", -1)
        d.wait_said("kafka events .*; retrying")
        self.cluster.tell("up", -1)
        self.produce(200, 300)
        self.wait_seen(300)
        self.assert_stops(d)
        self.assertEqual(set(self.seen().values()), {1})

    def test_it_stops_when_the_brokers_are_away(self):
        self.cluster.tell("topic", "events", 2)
        d = self.start()
        d.wait_said("2 partitions more")
        self.cluster.tell("down", -1)
        self.assert_stops(d)


class Options(Case):
    def refused(self, text, why):
        d = self.daemon("outputs:\n  - type: kafka\n    topic: alerts\n" + text + "rules:\n  paths: []\n")
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
