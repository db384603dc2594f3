#!/usr/bin/env python3
"""What the real daemon asks of the heap, of locks and of the kernel does not grow with the events.

The same number of bytes is sent twice, once as N events and once as 2 N of half the length, so that
there are about as many reads, batches and writes. What more is asked for is what an event costs:
nothing, while one call per event would be N more.
"""
import os
import re
import shutil
import struct
import subprocess
import tempfile

import harness

EVENTS = 10000
# Bytes of a record with its line end: N of the first and 2 N of the second are the same.
LONG, SHORT = 2048, 1024
# Calls for each further event. A batch costs some, timing decides how many there are, and 2 N alerts are
# more bytes to write than N, since what they say beside the record is not shorter.
SLACK = 0.25
LAST = 999999
HOTCOUNT = os.path.join(harness.BUILD, "tests", "e2e", "libhotcount.so")


def sized(event, n):
    """The event with a member that makes it `n` bytes long."""
    head, frame = event.rstrip(b"\n")[:-1], len(b',"Padding":""}\n')
    return head + b',"Padding":"' + b"x" * (n - len(head) - frame) + b'"}\n'


def stream(of, events, size):
    """Such events, and an attack that is told when all before it are done."""
    return b"".join(sized(of(i), size) for i in range(events)) + harness.attack(LAST)


def sanitized():
    text = subprocess.run(["nm", "-D", harness.SQUIBLYD], capture_output=True, text=True, check=False).stdout
    return "__asan_" in text or "__tsan_" in text


class Hotpath(harness.Case):
    forward = ""

    def run_daemon(self, data, wrap=(), env=None):
        """Send it all and wait for the alert of the last event; the daemon is asked nothing meanwhile."""
        patterns = os.path.join(harness.SOURCE, "patterns")
        d = self.daemon(f"workers: 1\nlimits:\n  batch_alerts: 8MiB\nrules:\n  paths: [{patterns}]\n"
                        f"outputs:\n  - type: file\n    path: {self.alerts}\n{self.forward}", wrap=wrap, env=env)
        d.send(data)
        harness.eventually("the last event", self.last_is_told, 240)
        pid = d.process.pid
        if wrap:
            pid = int(subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, check=True).stdout.split()[0])
        os.kill(pid, 15)
        self.assertEqual(d.wait(), 0, "\n".join(d.err))
        with open(self.alerts, "rb") as f:
            return sum(1 for _ in f)

    def last_is_told(self):
        try:
            with open(self.alerts, "rb") as f:
                f.seek(max(0, os.path.getsize(self.alerts) - 65536))
                return b"/%d.sct" % LAST in f.read()
        except OSError:
            return False

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="squiblyd-hotpath-")
        self.alerts = os.path.join(self.folder, "alerts.ndjson")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def twice(self, of, count):
        """Calls for N events and for 2 N, and the alerts of each."""
        got = []
        for events, size in ((EVENTS, LONG), (2 * EVENTS, SHORT)):
            if os.path.exists(self.alerts):
                os.unlink(self.alerts)
            got.append(count(stream(of, events, size)))
        return got

    def heap_and_locks(self, data):
        path = os.path.join(self.folder, "count")
        if os.path.exists(path):
            os.unlink(path)
        alerts = self.run_daemon(data, env={"LD_PRELOAD": HOTCOUNT, "HOTCOUNT": path})
        with open(path, "rb") as f:
            return (*struct.unpack("=QQ", f.read()), alerts)

    def kernel(self, data):
        path = os.path.join(self.folder, "strace")
        alerts = self.run_daemon(data, wrap=("strace", "-f", "-c", "-o", path))
        with open(path, encoding="utf-8") as f:
            total = re.search(r"^100\.00\s+\S+\s+(?:\S+\s+)?(\d+)\s+(?:\d+\s+)?total$", f.read(), re.M)
        return int(total.group(1)), alerts

    def assert_none_per_event(self, what, few, many):
        more = (many - few) / EVENTS
        print(f"{what}: {few} for {EVENTS} events, {many} for {2 * EVENTS}: {more:.4f} for each further one")
        self.assertGreater(few, 0)
        self.assertLess(more, SLACK, what)

    def check_heap_and_locks(self, of):
        if sanitized():
            self.skipTest("a sanitizer has the heap and the locks to itself")
        few, many = self.twice(of, self.heap_and_locks)
        self.assert_none_per_event("allocations", few[0], many[0])
        self.assert_none_per_event("locks", few[1], many[1])
        return few[2], many[2]

    def check_kernel(self, of):
        if not shutil.which("strace"):
            self.skipTest("there is no strace on this machine")
        if subprocess.run(["strace", "-c", "-o", os.devnull, "true"], capture_output=True, check=False).returncode:
            self.skipTest("strace may not trace on this machine")
        if sanitized():
            self.skipTest("a sanitizer makes calls of its own")
        few, many = self.twice(of, self.kernel)
        self.assert_none_per_event("system calls", few[0], many[0])
        return few[1], many[1]

    def test_heap_and_locks_ordinary(self):
        few, many = self.check_heap_and_locks(harness.ordinary)
        self.assertEqual(few, many)

    def test_heap_and_locks_attacks(self):
        few, many = self.check_heap_and_locks(harness.attack)
        self.assertGreater(few, EVENTS)
        self.assertGreater(many, 2 * EVENTS)

    def test_kernel_ordinary(self):
        few, many = self.check_kernel(harness.ordinary)
        self.assertEqual(few, many)

    def test_kernel_attacks(self):
        few, many = self.check_kernel(harness.attack)
        self.assertGreater(few, EVENTS)
        self.assertGreater(many, 2 * EVENTS)


class HotpathForward(Hotpath):
    """The same of records that go through: all of them are written."""
    forward = "    forward: all\n"

    def test_heap_and_locks_ordinary(self):
        self.assertEqual(self.check_heap_and_locks(harness.ordinary), (EVENTS + 1, 2 * EVENTS + 1))

    def test_kernel_ordinary(self):
        self.assertEqual(self.check_kernel(harness.ordinary), (EVENTS + 1, 2 * EVENTS + 1))


if __name__ == "__main__":
    harness.main()
