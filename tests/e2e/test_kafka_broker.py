"""Kafka itself: Apache Kafka's broker (tools/clients kafka), with TLS and SASL, restarted and in groups that change.

What librdkafka's mock brokers cannot show. Minutes, and a JVM: only with SQUIBLY_LONG.
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from certs import Authority
from harness import LONG, SOURCE, Case, attack, eventually, main
from kafka import Reader
from test_kafka import RULE

sys.path.insert(0, os.path.join(SOURCE, "tools", "lib"))
import kafka_broker  # noqa: E402

PASSWORD = "correct horse"
SECURED = """ssl.keystore.type=PEM
ssl.keystore.location={pem}
ssl.truststore.type=PEM
ssl.truststore.location={ca}
ssl.endpoint.identification.algorithm=
listener.name.ssl.ssl.client.auth=required
listener.name.sasl_ssl.sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
  username="squiblyd" password="{password}" user_squiblyd="{password}";
"""


class Broker(Case):
    """One broker for all tests; each has topics and a group of its own."""

    @classmethod
    def setUpClass(cls):
        if not LONG:
            raise unittest.SkipTest("a broker of its own: only with SQUIBLY_LONG")
        if not kafka_broker.jars():
            raise unittest.SkipTest("no Apache Kafka on this machine (tools/deps kafka, tools/clients kafka)")
        cls.folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        cls.ca = Authority(cls.folder)
        pem = cls.ca.issue("broker", "IP:127.0.0.1")
        cls.broker = kafka_broker.Broker(cls.folder, 4, SECURED.format(pem=pem, ca=cls.ca.ca, password=PASSWORD), ("SSL", "SASL_SSL"))
        cls.addClassCleanup(cls.broker.stop, True)
        cls.bootstrap = cls.broker.bootstrap

    def setUp(self):
        self.rule = os.path.join(self.folder, "rule.yml")
        with open(self.rule, "w", encoding="ascii") as f:
            f.write(RULE)
        self.name = self.id().rsplit(".", 1)[1][:60]
        self.events, self.alerts = "events-" + self.name, "alerts-" + self.name
        self.broker.topic(self.events)
        self.broker.topic(self.alerts)

    def start(self, *, tcp=False, session="6s", secure=""):
        where = f"    brokers: [\"{self.bootstrap if not secure else '127.0.0.1:' + str(self.broker.ports[secure.split()[0]])}\"]\n"
        where += secure.partition(" ")[2]
        inputs = ("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n" if tcp else
                  f"inputs:\n  - type: kafka\n    topics: [{self.events}]\n    group: {self.name}\n    commit_interval: 50ms\n"
                  f"    session: {session}\n    retry_max: 1s\n{where}")
        return self.daemon(f"{inputs}outputs:\n  - type: kafka\n    topic: {self.alerts}\n    retry_max: 1s\n{where}"
                           f"rules:\n  paths: [{self.rule}]\n", inputs=False)

    def produce(self, first, end):
        lines = b"".join(attack(n) for n in range(first, end))
        subprocess.run([kafka_broker.KCAT, "-P", "-b", self.bootstrap, "-t", self.events], input=lines, check=True, capture_output=True,
                       timeout=120)

    def reader(self):
        reader = Reader(self.broker, self.alerts)
        self.addCleanup(reader.stop)
        return reader

    def wait_all(self, reader, n):
        """Every attack is there; those that are there more than once have one id. @return how many came twice"""
        def ids():
            found = collections.defaultdict(list)
            for m in list(reader.messages):
                number = int(re.search(r"/(\d+)\.sct", m["payload"]).group(1))
                found[number].append(dict(zip(m["headers"][::2], m["headers"][1::2]))["squibly-id"])
            return found
        eventually(lambda: f"{n} different alerts, {len(ids())} came", lambda: len(ids()) >= n or reader.reads(), 180)
        found = ids()
        self.assertEqual(sorted(found), list(range(n)))
        self.assertEqual({len(set(same)) for same in found.values()}, {1})
        self.assertEqual(len({same[0] for same in found.values()}), n)
        return sum(len(same) - 1 for same in found.values())

    def test_through_two_topics_each_once(self):
        self.produce(0, 20000)
        d, reader = self.start(), self.reader()
        self.assertEqual(self.wait_all(reader, 20000), 0)
        for m in reader.messages[:100]:
            self.assertEqual(m["key"], json.loads(m["payload"])["host"]["name"])
        c = self.assert_stops(d, 20000)
        self.assertEqual(c["kafka_given_up"] if "kafka_given_up" in c else 0, 0)
        d = self.start()
        self.produce(20000, 20010)
        self.assertEqual(self.wait_all(reader, 20010), 0)
        self.assert_stops(d, 10)

    def test_one_of_a_group_is_killed(self):
        one = self.start()
        one.wait_said("4 partitions more")
        two = self.start()
        two.wait_said("2 partitions more")
        reader = self.reader()
        for n in range(10):
            self.produce(n * 1000, (n + 1) * 1000)
            if n == 5:
                one.kill()
        print("came twice:", self.wait_all(reader, 10000))
        self.assert_stops(two)

    def test_the_broker_is_killed_and_comes_again(self):
        sender, reader_of_events = self.start(tcp=True), self.start()
        reader_of_events.wait_said("4 partitions more")
        with sender.connect() as s:
            for n in range(0, 3000, 2):
                s.sendall(attack(n))
            self.broker.stop(kill=True)
            for n in range(3000, 6000):
                s.sendall(attack(n))
            self.broker.start()
            for n in range(1, 3000, 2):
                s.sendall(attack(n))
        print("came twice:", self.wait_all(self.reader(), 6000))  # kcat ends when no broker is there: only now
        self.assert_stops(sender, 6000)
        self.produce(6000, 9000)
        self.broker.stop()
        self.broker.start()
        self.produce(9000, 12000)
        print("came twice:", self.wait_all(self.reader(), 12000))
        self.assert_stops(reader_of_events)

    def test_members_that_come_and_go_all_the_time(self):
        reader, members, sent = self.reader(), [], 0
        for round in range(8):
            members.append(self.start(session="3s"))
            self.produce(sent, sent + 1500)
            sent += 1500
            time.sleep(1.5)  # a storm is a matter of time: others have joined, or are at it
            if round % 3 == 1:
                self.assert_stops(members.pop(0))
            elif round % 3 == 2:
                members.pop(0).kill()
        print("came twice:", self.wait_all(reader, sent))
        for d in members:
            self.assert_stops(d)

    def secured(self, listener, more):
        secure = f"{listener}     tls: true\n    tls_ca: {self.ca.ca}\n{more}"
        self.produce(0, 100)
        d, reader = self.start(secure=secure), self.reader()
        self.assertEqual(self.wait_all(reader, 100), 0)
        self.assert_stops(d, 100)

    def sasl(self, mechanism, password=PASSWORD):
        path = os.path.join(self.folder, "password-" + self.name)
        with open(path, "w", encoding="ascii") as f:
            os.fchmod(f.fileno(), 0o600)
            f.write(password + "\n")
        return f"    sasl: {mechanism}\n    sasl_user: squiblyd\n    sasl_password_file: {path}\n"

    def test_tls_with_our_certificate(self):
        self.secured("SSL", f"    tls_certificate: {self.ca.issue('squiblyd')}\n")

    def test_what_the_broker_does_not_take_is_said(self):
        for more, said in (("SSL ", "certificate"), ("SASL_SSL " + self.sasl("scram-sha-256"), "SCRAM-SHA-256 mechanism handshake failed")):
            with self.subTest(said):
                listener, _, more = more.partition(" ")
                d = self.start(secure=f"{listener}     tls: true\n    tls_ca: {self.ca.ca}\n{more}")
                d.wait_said(f"{said}.*; retrying")
                self.assertEqual(d.stop()[0], 0)

    def test_plain_over_tls(self):
        self.secured("SASL_SSL", self.sasl("plain"))

    def test_a_wrong_password_is_said_and_waited_for(self):
        more = self.sasl("plain", "wrong")
        d = self.start(secure=f"SASL_SSL     tls: true\n    tls_ca: {self.ca.ca}\n{more}")
        d.wait_said("uthentication failed.*; retrying")
        self.sasl("plain")
        self.produce(0, 10)
        reader = self.reader()
        d.process.send_signal(1)  # SIGHUP: read the password anew
        self.assertEqual(self.wait_all(reader, 10), 0)
        self.assert_stops(d, 10)


if __name__ == "__main__":
    main()
