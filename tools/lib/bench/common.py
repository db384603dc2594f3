"""What every measurement of tools/bench needs: programs started on one core, their CPU seconds, memory."""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time

SHARED, ROUNDS = sys.argv[1], int(sys.argv[2])
BUILD = os.environ.get("BUILD", "build")
COPIES = int(os.environ.get("BENCH_COPIES", "10"))  # of the corpus: fewer only to see that a measurement works
RSYSLOG_CONF = """module(load="{module}")
module(load="mmjsonparse")
global(maxMessageSize="1m" workDirectory="{folder}")
template(name="raw" type="string" string="%msg%\\n")
main_queue(queue.size="100000" queue.dequeueBatchSize="1024")
input(type="{module}" address="127.0.0.1" port="{port}"{more})
action(type="mmjsonparse" cookie="")
if re_match_i($!CommandLine, "regsvr32.*scrobj") or re_match_i($!CommandLine, "[-/]i:(https?|ftp):") then {{
	action(type="omfile" file="{folder}/rsyslog.alerts" template="raw")
}}
"""


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return re.search(r"model name\s*: (.*)", f.read()).group(1)


def cpu_of(pid):
    """CPU seconds (user and system) of a process, all its threads: by its clock, since /proc counts by 10 ms."""
    return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it


def rss_of(pid, which="VmHWM"):
    """MiB."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(re.search(rf"{which}:\s*(\d+)", f.read()).group(1)) / 1024


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def load(program, *args):
    """Run one of tests/bench that makes load, on CPU 1. @return the numbers that it prints"""
    run = subprocess.run(["taskset", "-c", "1", f"{BUILD}/tests/bench/{program}", *map(str, args)],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=300)
    return [float(n) for n in run.stdout.split()]


def free_memory():
    """Bytes that can be used without swapping, the page cache among them."""
    with open("/proc/meminfo", encoding="ascii") as f:
        return int(re.search(r"MemAvailable:\s*(\d+)", f.read()).group(1)) * 1024


def timed(args, **named):
    """CPU seconds of one run of a program on CPU 0, and the run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = subprocess.run(["taskset", "-c", "0", *args], stdin=subprocess.DEVNULL, capture_output=True,
                         check=True, **named)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime), run


def by_the_clock(args, output, env=None):
    """One run on all CPUs, what it prints into the file `output`. @return (seconds, CPU seconds, standard error)"""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with open(output, "wb") as f:
        run = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=f, stderr=subprocess.PIPE, env=env, check=True,
                             timeout=600)
    seconds, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run.stderr


def verdict(ok):
    return "met" if ok else "MISSED"


def wait_port(port, process):
    end = time.monotonic() + 300  # thousands of rules take a while to compile
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"bench: {process.args} ended with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.002)
    raise SystemExit(f"bench: {process.args} does not listen")


def on_disk(file):
    """Write a file of ours out now, so that the system does not while something is measured."""
    file.flush()
    os.fsync(file.fileno())


def udp_drops(port):
    """Datagrams that did not fit into the receive buffer of 127.0.0.1:port; None when nobody has that port."""
    with open("/proc/net/udp", encoding="ascii") as f:
        rows = [line.split() for line in f]
    return next((int(row[-1]) for row in rows if row[1] == f"0100007F:{port:04X}"), None)


def wait_udp_port(port, process):
    end = time.monotonic() + 60
    while udp_drops(port) is None:
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"bench: {process.args} does not take datagrams")
        time.sleep(0.002)


def send_file(port, path):
    """Send the file over one connection, from CPU 1 (or wherever this runs)."""
    with socket.create_connection(("127.0.0.1", port)) as s, open(path, "rb") as f:
        s.sendfile(f)


def settle(pid):
    """Wait until the process has been idle for half a second; gives its CPU seconds."""
    last, since = cpu_of(pid), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        now = cpu_of(pid)
        if now > last + 0.015:
            last, since = now, time.monotonic()
    return cpu_of(pid)


def stop(process):
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Server:
    """A program that listens on `port`, on CPU 0; its CPU seconds while it served."""

    wait = staticmethod(wait_port)

    def __init__(self, args, port, **named):
        self.port, self.used = port, None
        self.process = subprocess.Popen(["taskset", "-c", "0", *args], stdin=subprocess.DEVNULL, **named)

    def __enter__(self):
        self.wait(self.port, self.process)
        self.before = settle(self.process.pid)
        return self

    def served(self):
        """All was sent: wait until it is dealt with. @return CPU seconds since it began"""
        self.used = settle(self.process.pid) - self.before
        return self.used

    def __exit__(self, *_):
        stop(self.process)


class Squiblyd(Server):
    """squiblyd with one input, the shipped rules, alerts to a file, unless something else is said."""

    def __init__(self, folder, kind, more="", outputs=None, rules="", program=f"{BUILD}/squiblyd"):
        port, config = free_port(), os.path.join(folder, "squiblyd.yaml")
        self.alerts = os.path.join(folder, "squiblyd.alerts")
        if os.path.exists(self.alerts):  # of another run
            os.unlink(self.alerts)
        outputs = outputs or f"  - type: file\n    path: {self.alerts}\n"
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"{rules}inputs:\n  - type: {kind}\n    listen: 127.0.0.1:{port}\n{more}outputs:\n{outputs}")
        self.log = os.path.join(folder, "squiblyd.log")
        with open(self.log, "w", encoding="utf-8") as log:
            super().__init__([program, "-c", config], port, stdout=subprocess.DEVNULL, stderr=log,
                             env=dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache")))

    def received(self):
        """After the end: how many records it counted."""
        with open(self.log, encoding="utf-8") as f:
            return int(re.findall(r"received (\d+) = ", f.read())[-1])

    def written_alerts(self):
        """After the end: how many alerts are in its file."""
        with open(self.alerts, "rb") as f:
            return sum(block.count(b"\n") for block in iter(lambda: f.read(1 << 20), b""))

    def expect(self, events):
        if self.received() != events:
            raise SystemExit(f"bench: squiblyd received {self.received()} of {events} events; see {self.log}")


def rsyslogd():
    return shutil.which("rsyslogd", path="/usr/sbin:/usr/bin:/sbin")


def rsyslog_version():
    return subprocess.run([rsyslogd(), "-v"], capture_output=True, text=True, check=True).stdout.split()[1]


class Rsyslog(Server):
    """rsyslog with one input, which parses JSON and looks for two patterns, alerts to a file."""

    def __init__(self, folder, module, more=""):
        port, conf = free_port(), os.path.join(folder, "rsyslog.conf")
        self.alerts = os.path.join(folder, "rsyslog.alerts")
        if os.path.exists(self.alerts):  # of another run
            os.unlink(self.alerts)
        with open(conf, "w", encoding="utf-8") as f:
            f.write(RSYSLOG_CONF.format(module=module, port=port, folder=folder, more=more))
        super().__init__([rsyslogd(), "-n", "-f", conf, "-i", os.path.join(folder, "rsyslog.pid")], port,
                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run_rsyslog(path, folder, module):
    """CPU seconds of rsyslog for the file, and how many alerts its two patterns gave."""
    with Rsyslog(folder, module) as server:
        send_file(server.port, path)
        used = server.served()
    with open(server.alerts, "rb") as f:
        found = sum(1 for _ in f)
    if not found:
        raise SystemExit("bench: rsyslog found nothing; its figures would mean nothing")
    return used, found
