"""Filebeat itself, whose outputs are those of Winlogbeat, sends a file of events: by output.logstash with
TLS and client certificates, compressed and not, and by output.elasticsearch. In the long run 100,000 events
each, and with kill -9 of squiblyd on the way, by go-lumber too; 20 times in 200,000 that are passed on. Its patience
with an upstream that takes nothing, too."""
import os
import random
import re
import signal
import time

import test_stall
from clients import (BULK_MAX, SANITIZED, ClientCase, Pki, built, filebeat_args, filebeat_totals,
                     free_port)
from harness import DEADLINE, LONG, eventually, main

EVENTS = 100000 if LONG and not SANITIZED else 2000
KILLS = 3
WAIT = 4 * DEADLINE


class FilebeatCase(ClientCase):
    def logstash(self, port, level, pki):
        return f"""output.logstash:
  hosts: ["127.0.0.1:{port}"]
  pipelining: 2
  compression_level: {level}
  bulk_max_size: {BULK_MAX}
  backoff.init: 100ms
  backoff.max: 1s
  ssl.certificate_authorities: ["{pki.ca}"]
  ssl.certificate: "{pki.client}"
  ssl.key: "{pki.client_key}"
  ssl.verification_mode: full
"""

    def elasticsearch(self, port):
        return f"""output.elasticsearch:
  hosts: ["http://127.0.0.1:{port}"]
  bulk_max_size: {BULK_MAX}
  backoff.init: 100ms
  backoff.max: 1s
"""

    def assert_calm(self, kind, output, *more):
        """Each event arrives once, and Filebeat has nothing to complain of."""
        port = free_port()
        d = self.collector(f"{kind}\n    listen: 127.0.0.1:{port}\n{''.join(more)}")
        d.port(kind)
        client = self.run_client(*filebeat_args(self, self.events(0, EVENTS), output(port)))
        self.wait_arrived(EVENTS, WAIT)
        totals = filebeat_totals(client)
        self.assertEqual({k: totals[k] for k in ("total", "acked", "failed", "dropped", "duplicates")},
                         {"total": EVENTS, "acked": EVENTS, "failed": 0, "dropped": 0, "duplicates": 0})
        self.assert_stops(d, EVENTS)
        self.assert_each_once(0, EVENTS)
        with open(self.alerts, "rb") as f:
            return f.readline()

    def assert_survives(self, kind, output, *more):
        """With squiblyd killed on the way nothing is missing, and what came twice is at most what was
        unacknowledged at a kill."""
        port = free_port()
        config = f"{kind}\n    listen: 127.0.0.1:{port}\n{''.join(more)}"
        d = self.collector(config)
        d.port(kind)
        client = self.run_client(*filebeat_args(self, self.events(0, EVENTS), output(port)))
        for kill in range(1, KILLS + 1):
            size = self.size_after(kill)
            eventually("alerts on the way", lambda s=size: self.size() > s, WAIT)
            self.assertLess(len(self.arrived()), EVENTS)
            d.process.send_signal(signal.SIGKILL)
            d.wait()
            d = self.collector(config)
            d.port(kind)
        self.wait_arrived(EVENTS, WAIT)
        totals = filebeat_totals(client)
        self.assertEqual((totals["acked"], totals["dropped"]), (EVENTS, 0))
        status, _ = d.stop()
        self.assertEqual(status, 0)
        seen = self.arrived()
        self.assertEqual(len(seen), EVENTS)
        twice = sum(seen.values()) - EVENTS
        self.assertLessEqual(twice, KILLS * 2 * BULK_MAX)
        print(f"{kind}: {EVENTS} events, {KILLS} kills, none missing, {twice} came twice", flush=True)

    def size(self):
        return os.path.getsize(self.alerts) if os.path.exists(self.alerts) else 0

    def size_after(self, kill):
        """How large the file of alerts is at least when the next kill is due."""
        eventually("the first alert", lambda: self.size() > 4096, WAIT)
        with open(self.alerts, "rb") as f:
            return EVENTS * kill // (KILLS + 1) * len(f.readline())


class Calm(FilebeatCase):
    def test_logstash_output_with_tls_compressed(self):
        pki = self.pki()
        line = self.assert_calm("beats", lambda port: self.logstash(port, 3, pki), pki.server_options())
        self.assertIn(Pki.CLIENT.encode(), line)

    def test_logstash_output_with_tls_plain_frames(self):
        pki = self.pki()
        self.assert_calm("beats", lambda port: self.logstash(port, 0, pki), pki.server_options())

    def test_elasticsearch_output(self):
        self.assert_calm("http", self.elasticsearch)

    def test_elasticsearch_output_with_tls_and_a_password(self):
        pki, users = self.pki(), os.path.join(self.folder, "users")
        with open(users, "w", encoding="ascii") as f:
            f.write("forwarders:correct horse\n")

        def output(port):
            return f"""output.elasticsearch:
  hosts: ["https://localhost:{port}"]
  username: forwarders
  password: "correct horse"
  compression_level: 0
  ssl.certificate_authorities: ["{pki.ca}"]
  ssl.certificate: "{pki.client}"
  ssl.key: "{pki.client_key}"
"""
        line = self.assert_calm("http", output, f"    users_file: {users}\n", pki.server_options())
        self.assertIn(Pki.CLIENT.encode(), line)
        self.assertIn(b"forwarders", line)


class Stalled(test_stall.StallCase):
    def test_it_waits_and_sends_nothing_again(self):
        built("filebeat")
        up, d = self.stalled_collector()
        client = self.run_client(*filebeat_args(self, self.events(0, test_stall.EVENTS), f"""output.logstash:
  hosts: ["127.0.0.1:{d.port("beats")}"]
  pipelining: 2
  compression_level: 3
  timeout: {test_stall.PATIENCE}s
"""))
        self.hold(self.wait_stuck(d), client)
        up.stalled = False
        self.wait_all(up)
        totals = filebeat_totals(client)
        self.assertEqual((totals["total"], totals["acked"], totals["failed"]),
                         (test_stall.EVENTS, test_stall.EVENTS, 0))
        self.assertEqual(len(re.findall("Connection to .* established", client.said()[1])), 1)
        self.assert_all(up, d)


if LONG and not SANITIZED:  # with few events there is no "on the way"
    class Kills(FilebeatCase):
        def test_nothing_of_logstash_output_is_lost(self):
            pki = self.pki()
            self.assert_survives("beats", lambda port: self.logstash(port, 3, pki), pki.server_options())

        def test_nothing_of_logstash_output_with_plain_frames_is_lost(self):
            pki = self.pki()
            self.assert_survives("beats", lambda port: self.logstash(port, 0, pki), pki.server_options())

        def test_nothing_of_elasticsearch_output_is_lost(self):
            self.assert_survives("http", self.elasticsearch)


    class PassedOn(FilebeatCase):
        """Every event goes on to a receiver, and squiblyd is killed again and again at moments of chance."""

        EVENTS, KILLS, REPEATS = 200000, 20, 1000

        def passed_on(self, make_client, output, more=0):
            """Nothing is missing; twice came what the sender had not been answered for, and `more` for each kill."""
            up, port, dice = self.upstream(), free_port(), random.Random(7)
            config = (f"inputs:\n  - type: beats\n    listen: 127.0.0.1:{port}\n"
                      f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n    forward: all\n"
                      f"    retry_min: 10ms\n    retry_max: 50ms\n{output}")
            d = self.daemon(config, inputs=False)
            d.port("beats")
            client, began = make_client(port, self.events(0, self.EVENTS)), time.monotonic()
            for kill in range(1, self.KILLS + 1):
                due = self.EVENTS * kill // (self.KILLS + 2)
                eventually(lambda n=due: f"{n} lines, {len(up.lines)} came", lambda n=due: len(up.lines) > n, WAIT)
                time.sleep(dice.random() * 0.1)
                d.process.kill()
                d.wait()
                d = self.daemon(config, inputs=False)
                d.port("beats")
            seen, at = set(), 0

            def all_came():
                nonlocal at
                lines = up.lines[at:]
                at += len(lines)
                for line in lines:
                    found = re.search(rb'"CommandLine":"notepad.exe -event (\d+)"', line)
                    if found:  # else it is one that a kill cut off
                        seen.add(int(found.group(1)))
                return len(seen) >= self.EVENTS
            eventually(lambda: f"{self.EVENTS} events, {len(seen)} came\n{client.said()[1][-2000:]}", all_came, WAIT)
            self.assertEqual(seen, set(range(self.EVENTS)))
            self.assert_stops(d)
            self.assertLessEqual(at - self.EVENTS, self.KILLS * (2 * BULK_MAX + more))
            print(f"{self.EVENTS} events, {self.KILLS} kills, none missing, {at - self.EVENTS} lines more, "
                  f"{time.monotonic() - began:.0f} s", flush=True)

        def filebeat(self, port, path):
            return self.run_client(*filebeat_args(self, path, f"""output.logstash:
  hosts: ["127.0.0.1:{port}"]
  pipelining: 2
  bulk_max_size: {BULK_MAX}
  backoff.init: 10ms
  backoff.max: 100ms
"""))

        def spool(self):
            return f"    durability: spool\n    spool: {self.folder}/spool\n    spool_repeats: {self.REPEATS}\n"

        def test_all_of_filebeat_comes_with_a_spool(self):
            self.passed_on(self.filebeat, self.spool(), self.REPEATS)

        def test_all_of_filebeat_comes_without(self):
            self.passed_on(self.filebeat, "")

        def test_all_of_go_lumber_comes_with_a_spool(self):
            self.passed_on(lambda port, path: self.lumber_send(port, path, "-retry", "1m"), self.spool(),
                           self.REPEATS)


if __name__ == "__main__":
    main()
