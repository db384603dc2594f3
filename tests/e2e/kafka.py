"""A Kafka cluster (librdkafka's mock brokers) and kcat, the client of others, for the tests."""
import json
import os
import shutil
import subprocess
import tempfile
import threading
import unittest

from harness import BUILD, DEADLINE, eventually

MOCK = os.path.join(BUILD, "tests", "e2e", "kafka_mock")
KCAT = shutil.which("kcat") or shutil.which("kafkacat")
PRODUCE, FETCH, OFFSET_COMMIT = 0, 1, 8  # the numbers of requests
TOO_LARGE, TOPIC_NOT_ALLOWED, NOT_ENOUGH_REPLICAS, GONE = 10, 29, 19, -195


def kcat_or_skip():
    if not KCAT:
        raise unittest.SkipTest("no kcat on this machine (tools/deps clients)")
    return KCAT


class Cluster:
    """Mock brokers in a process of their own. Ends with the test."""

    def __init__(self, brokers=1):
        self.process = subprocess.Popen([MOCK, str(brokers)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.bootstrap = self.process.stdout.readline().strip()
        if not self.bootstrap:
            raise AssertionError("the mock cluster did not start")

    def tell(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer != "ok":
            raise AssertionError(f"the mock cluster to {words}: {answer!r}")

    def stop(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.process.stdout.close()

    def produce(self, topic, lines, *options):
        """Lines of bytes, each a message, by kcat."""
        run = subprocess.run([kcat_or_skip(), "-P", "-b", self.bootstrap, "-t", topic, *options], input=b"\n".join(lines) + b"\n",
                             capture_output=True, timeout=DEADLINE)
        if run.returncode or b"ERROR" in run.stderr:
            raise AssertionError(f"kcat: {run.returncode}: {run.stderr.decode()}")

    def committed(self, topic, group, partitions):
        """Sum of the offsets that the group has committed: what is left for one who comes into it."""
        run = subprocess.run([kcat_or_skip(), "-G", group, "-b", self.bootstrap, "-e", "-J", topic], capture_output=True, timeout=DEADLINE)
        return [json.loads(line) for line in run.stdout.splitlines()]


class Reader:
    """Everything in a topic, read by kcat as it comes: dicts with key, payload, headers, partition, offset."""

    def __init__(self, cluster, topic):
        self.messages = []
        self.words = tempfile.TemporaryFile()
        self.process = subprocess.Popen([kcat_or_skip(), "-C", "-b", cluster.bootstrap, "-t", topic, "-o", "beginning", "-J", "-u", "-q"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.words)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.messages.append(json.loads(line))

    def wait(self, n, deadline=DEADLINE):
        eventually(lambda: f"{n} messages, {len(self.messages)} came", lambda: len(self.messages) >= n or self.reads(), deadline)
        return list(self.messages)

    def reads(self):
        """Who waits in vain for a kcat that has ended is told at once, and why it did. @return False"""
        if not self.thread.is_alive():
            self.words.seek(0)
            raise AssertionError(f"kcat, which reads, ended with {self.process.wait()}: {self.words.read().decode()}")
        return False

    def alerts(self):
        return [json.loads(m["payload"]) for m in list(self.messages)]

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.words.close()
