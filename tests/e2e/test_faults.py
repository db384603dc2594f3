"""What becomes of a daemon that is short of descriptors, whose clock is set, that is stopped for a while, whose log
nobody reads, or whose child is killed: what it says, what it counts, and that nothing is lost by it."""
import fcntl
import http.client
import json
import os
import re
import resource
import signal
import socket
import struct
import time
import unittest

from harness import BUILD, DEADLINE, LONG, Case, acknowledged, attack, eventually, lines_of, main, squibly
from test_spool import SpoolCase

MORTAL = os.path.join(BUILD, "tests", "e2e", "squiblyd_mortal")
NEGATIVE = re.compile(rb'[:= ]-[1-9]')


class Descriptors(Case):
    """There are none left: who connects waits, what is open goes on, and all goes on when there are some again."""

    @staticmethod
    def allow(d, new):
        """New descriptors, or none; those that are open stay."""
        hard = resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(d.process.pid, resource.RLIMIT_NOFILE, (hard if new else 3, hard))

    def test_who_connects_waits_and_who_is_connected_goes_on(self):
        up = self.upstream()
        d = self.daemon(upstream=up)
        d.port()
        with d.connect() as first:
            first.sendall(attack(0))
            up.expect(1)
            self.allow(d, False)
            with d.connect() as second:  # the kernel accepts it
                second.sendall(attack(1))
                d.wait_said("cannot accept a connection: Too many open files; retrying")
                first.sendall(attack(2))
                up.expect(2)
                self.assertGreater(d.counters()["accepts_failed"], 0)
                self.allow(d, True)
                up.expect(3)
        self.assertEqual(sorted(a["host"]["name"] for a in up.alerts()), [f"ws-{n}.corp.example" for n in range(3)])
        self.assert_stops(d, 3)

    def test_an_output_connects_when_it_can(self):
        up = self.upstream()
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
                        f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                        "    retry_min: 10ms\n    retry_max: 50ms\n", inputs=False)
        with d.connect() as s:
            s.sendall(attack(0))
            up.expect(1)
            up.stop()
            d.wait_said(f"127.0.0.1:{up.port}: .*retrying")
            self.allow(d, False)
            up.start()
            s.sendall(attack(1))
            self.assertGreater(d.wait_received(2)["waiting"], 0)
            self.allow(d, True)
            eventually("the second", lambda: b"ws-1." in b"".join(up.lines))
        self.assert_stops(d, 2)

    def test_a_file_is_written_on_and_rules_stay(self):
        path = os.path.join(self.scratch(), "alerts.json")
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
                        f"outputs:\n  - type: file\n    path: {path}\n", inputs=False)
        with d.connect() as s:
            s.sendall(attack(0))
            d.wait_received(1)
            self.allow(d, False)
            at = d.hup()
            d.wait_said("cannot open it anew: Too many open files; keeping the old one", at)
            d.wait_said("Too many open files.*rules|rules.*Too many open files", at)
            s.sendall(attack(1))
            self.assertEqual(d.wait_received(2)["reloads_failed"], 1)
            self.allow(d, True)
            d.wait_said("opened anew", at)  # by itself
            self.assertEqual(sum("cannot open it anew" in line for line in d.err), 1)
            s.sendall(attack(2))
            d.wait_received(3)
        self.assert_stops(d, 3)
        self.assertEqual(len(lines_of(path)), 3)


class FileSize(Case):
    """A limit of the size of files (LimitFSIZE=, ulimit -f), which the kernel tells by a signal first."""

    def test_it_is_as_a_disk_that_is_full(self):
        path = os.path.join(self.scratch(), "alerts.json")
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
                        f"outputs:\n  - type: file\n    path: {path}\n", inputs=False)
        d.port("tcp")
        resource.prlimit(d.process.pid, resource.RLIMIT_FSIZE, (256 << 10, 256 << 10))  # of 100 alerts of 3 KiB
        d.send(b"".join(attack(n) for n in range(100)))
        d.wait_said("alerts.json: File too large; retrying")
        os.rename(path, path + ".1")
        d.hup()
        d.wait_said("alerts.json: writing works again")
        d.wait_received(100)
        self.assert_stops(d, 100)
        alerts = [json.loads(line) for line in lines_of(path + ".1") + lines_of(path)]
        self.assertEqual([a["host"]["name"] for a in alerts], [f"ws-{n}.corp.example" for n in range(100)])


class Clock(Case):
    """The time of day is set, times that only grow are not."""

    DAY, HOUR = 86400, 3600

    def start(self, text):
        folder = self.scratch()
        self.clock = os.path.join(folder, "clock")
        self.put(0)
        return self.daemon(text.replace("FOLDER", folder), inputs=False, folder=folder, program=MORTAL,
                           env={"SQ_CLOCK": self.clock})

    def put(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as f:
            f.write(struct.pack("q", seconds))

    @staticmethod
    def age(alert):
        """Seconds by which it was raised later than now."""
        return time.mktime(time.strptime(alert["@timestamp"][:19] + " UTC", "%Y-%m-%dT%H:%M:%S %Z")) \
            - time.timezone - time.time()

    def test_files_follow_it_forward_and_never_back(self):
        d = self.start("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
                       "outputs:\n  - type: file\n    path: FOLDER/alerts.json\n    rotate_interval: 1h\n"
                       "    rotate_names: time\ncontrol:\n  path: FOLDER/control\n")
        # Back a day and forward two, and back by an hour.
        steps = [0, -self.DAY, self.DAY, self.DAY - self.HOUR, 3 * self.DAY, 3 * self.DAY - self.HOUR]
        files = [1, 1, 2, 2, 3, 3]
        path = os.path.join(d.folder, "alerts.json")
        with d.connect() as s:
            for n, (seconds, count) in enumerate(zip(steps, files)):
                self.put(seconds)
                s.sendall(attack(n))
                d.wait_received(n + 1)
                eventually("written", lambda n=n: d.counters()["sent"] > n)
                names = sorted(name for name in os.listdir(d.folder) if name.startswith("alerts.json"))
                self.assertEqual(len(names), count, (seconds, names))
        alerts = [json.loads(line) for name in names[1:] + names[:1]
                  for line in lines_of(os.path.join(d.folder, name))]
        self.assertEqual([a["host"]["name"] for a in alerts], [f"ws-{n}.corp.example" for n in range(len(steps))])
        status = squibly("status", "--json", "-s", f"{d.folder}/control")[0]
        self.assertNotRegex(status, NEGATIVE)
        self.assertLess(json.loads(status)["uptime_ms"], DEADLINE * 1000 * 5)
        self.assertNotRegex(squibly("status", "-s", f"{d.folder}/control")[0], NEGATIVE)
        self.assertTrue(os.path.exists(path))
        self.assert_stops(d, len(steps))

    def folds(self, jump):
        """The summary of a window comes when that much time has passed, whatever the clock says."""
        up = self.upstream()
        d = self.start("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n    idle: 1min\n"
                       f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\nfold:\n  window: 1s\n"
                       "deduplicate:\n  window: 1000\n")
        with d.connect() as s:
            s.sendall(attack(1) * 3)
            eventually("the first", lambda: len(up.lines) >= 1)
            self.put(jump)
            eventually("the summary", lambda: len(up.lines) == 2)
            s.sendall(attack(2))  # nobody has taken it for idle
            up.expect(3)
        first, summary, later = up.alerts()
        self.assertEqual((first["host"]["name"], summary["host"]["name"], later["host"]["name"]),
                         ("ws-1.corp.example", "ws-1.corp.example", "ws-2.corp.example"))
        for line in up.lines:
            self.assertNotRegex(line, NEGATIVE)
        c = self.assert_stops(d, 4)
        self.assertEqual((c["alerts_folded"], c["connections_idle"] if "connections_idle" in c else 0), (2, 0))

    def test_windows_of_time_pass_when_it_is_put_back_an_hour(self):
        self.folds(-self.HOUR)

    def test_windows_of_time_pass_when_it_is_put_forward_a_day(self):
        self.folds(self.DAY)


class Stopped(Case):
    """SIGSTOP, as a virtual machine that is moved or a cgroup that is frozen looks to us."""

    SECONDS = 12

    @unittest.skipUnless(LONG, "a senders' timeout of ten seconds has to pass")
    def test_what_was_sent_meanwhile_is_read_before_its_sender_is_called_idle(self):
        up = self.upstream()
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n    idle: 10s\n"
                        "  - type: udp\n    listen: 127.0.0.1:0\n  - type: http\n    listen: 127.0.0.1:0\n"
                        f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n", inputs=False)
        web = http.client.HTTPConnection("127.0.0.1", d.port("http"), timeout=DEADLINE)
        udp = ("127.0.0.1", d.port("udp"))
        senders = [d.connect() for _ in range(20)]
        for n, s in enumerate(senders):
            s.sendall(attack(n))
        eventually("20 alerts", lambda: len(up.lines) >= 20)
        os.kill(d.process.pid, signal.SIGSTOP)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(attack(100), udp)
        for n, s in enumerate(senders):
            s.sendall(attack(20 + n))
        web.request("POST", "/events", attack(101))
        time.sleep(self.SECONDS)
        for s in senders:
            self.assertTrue(acknowledged(s))
        os.kill(d.process.pid, signal.SIGCONT)
        self.assertEqual(web.getresponse().read() and 200, 200)
        web.close()
        eventually(lambda: f"42 alerts, {len(up.lines)} came", lambda: len(up.lines) >= 42)
        for s in senders:
            s.close()
        self.assertEqual(sorted(int(a["host"]["name"][3:].split(".")[0]) for a in up.alerts()),
                         [*range(40), 100, 101])
        self.assert_stops(d, 42)


class Unread(Case):
    """A full pipe behind standard error."""

    def start(self, text):
        read, write = os.pipe()
        self.addCleanup(os.close, read)
        fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4 * 4096)
        d = self.daemon(text, inputs=False, pass_fds=(write,), wrap=("sh", "-c", f'exec "$0" "$@" 2>&{write}'))
        os.close(write)
        os.set_blocking(read, False)
        return d, read

    @staticmethod
    def take(read):
        try:
            return os.read(read, 1 << 20)
        except BlockingIOError:
            return b""

    def test_nobody_waits_for_who_does_not_read(self):
        up = self.upstream()
        d, read = self.start("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
                             f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n")
        said = b""

        def port():
            nonlocal said
            said += self.take(read)
            return re.search(rb"listening on .*?:(\d+)", said)
        number = int(eventually("its address", port).group(1))
        # Tables of counters until nobody could have room for them; then records, and it stops when it is asked to.
        for n in range(200):
            with socket.create_connection(("127.0.0.1", number), timeout=DEADLINE) as s:
                s.sendall(attack(n) + b"broken\n")
            d.process.send_signal(signal.SIGUSR1)
            up.expect(n + 1)
        while self.take(read):
            pass
        d.process.send_signal(signal.SIGUSR1)
        said = b""

        def told():
            nonlocal said
            said += self.take(read)
            return re.search(rb"(\d+) lines of this log were lost: nobody read it", said) and \
                re.search(rb"log_lost +(\d+) ", said)
        counted = int(eventually(lambda: said, told).group(1))
        self.assertGreaterEqual(counted, int(re.search(rb"(\d+) lines of this log", said).group(1)))
        d.process.send_signal(signal.SIGTERM)
        self.assertEqual(d.wait(), 0)

    def test_it_stops_when_nobody_reads(self):
        up = self.upstream()
        d, read = self.start(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
                             f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n")
        said = b""

        def running():
            nonlocal said
            said += self.take(read)
            return b"listening on" in said
        eventually("its start", running)
        for _ in range(100):
            d.process.send_signal(signal.SIGUSR1)
            time.sleep(0.002)
        d.process.send_signal(signal.SIGTERM)
        self.assertEqual(d.wait(), 0)


class Child(SpoolCase):
    """The child that looks a spool over is killed, as the kernel does it when memory is short."""

    def test_nothing_is_taken_for_damaged(self):
        up = self.upstream()
        up.stop()
        d = self.start(up)
        self.assertTrue(self.post(d, 0, 20))
        d.kill()
        d = self.start(up, program=MORTAL, env={"SQ_MORTAL": "child"})
        self.assertNotEqual(d.wait(), 0)
        self.assertTrue(d.said("it could not be checked: signal 9 came"), d.err)
        up.start()
        d = self.start(up)
        self.assert_missing_none(up, range(20))
        self.assertEqual(self.assert_stops(d).get("set_aside", 0), 0)


if __name__ == "__main__":
    main()
