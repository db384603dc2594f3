"""Into Kafka and out of it, against kcat: the same messages, the same broker (Apache Kafka on CPU 1)."""
import os
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import kafka_broker  # noqa: E402
from common import BUILD, ROUNDS, Squiblyd, cpu_of, send_file, stop, verdict

BAR = 1.0
PARTITIONS = 4
# What squiblyd does and kcat, as it comes, does not: shown beside it, and no bar.
IDEMPOTENT = ("-X", "enable.idempotence=true")
CHECKING = ("-X", "check.crcs=true")


def end_offsets(broker, topic):
    """Messages in a topic: the offsets behind the last of each partition."""
    run = subprocess.run([kafka_broker.KCAT, "-Q", "-b", broker.bootstrap, *(w for n in range(PARTITIONS) for w in ("-t", f"{topic}:{n}:-1"))],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60)
    return sum(int(n) for n in re.findall(r"offset (\d+)", run.stdout))


def kcat(broker, *args, **named):
    """Seconds by the clock and CPU seconds of kcat on CPU 0."""
    began = time.monotonic()
    process = subprocess.Popen(["taskset", "-c", "0", kafka_broker.KCAT, "-q", "-b", broker.bootstrap, *args], stdin=subprocess.DEVNULL,
                               **named)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: kcat {args}: {process.returncode}")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime


def produce_kcat(broker, corpus, topic, events, *options):
    took = kcat(broker, "-P", "-t", topic, "-z", "lz4", "-l", corpus, *options)
    if end_offsets(broker, topic) != events:
        raise SystemExit(f"bench: kcat produced {end_offsets(broker, topic)} of {events} events")
    return took


def until_idle(pid, began):
    """Seconds by the clock from `began` until the process was last seen busy, when it has done nothing for half a
    second. Looking costs it nothing."""
    last, since = cpu_of(pid), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.005)
        now = cpu_of(pid)
        if now > last + 0.002:
            last, since = now, time.monotonic()
    return since - began


def produce_squiblyd(broker, corpus, topic, events, folder):
    outputs = f"  - type: kafka\n    brokers: [\"{broker.bootstrap}\"]\n    topic: {topic}\n    forward: all\n"
    with Squiblyd(folder, "tcp", outputs=outputs) as server:
        began = time.monotonic()
        send_file(server.port, corpus)
        took = until_idle(server.process.pid, began)
        used = server.served()
    server.expect(events)
    if end_offsets(broker, topic) != events:
        raise SystemExit(f"bench: squiblyd produced {end_offsets(broker, topic)} of {events} events")
    return took, used


def consume_kcat(broker, topic, events, *options):
    """To /dev/null; what one message takes, which is its start, is taken off."""
    def some(n):
        return kcat(broker, "-C", "-t", topic, "-o", "beginning", "-c", str(n), "-f", "%s\n", *options, stdout=subprocess.DEVNULL)
    clock, cpu = some(1)
    took = some(events)
    return took[0] - clock, took[1] - cpu


def wait_log(path, pattern, process, deadline=300):
    """@return the last match of `pattern` in the log, as soon as there is one"""
    end = time.monotonic() + deadline
    while True:
        with open(path, encoding="utf-8") as f:
            found = re.findall(pattern, f.read())
        if found:
            return found[-1]
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"bench: squiblyd said nothing like {pattern}; see {path}")
        time.sleep(0.005)


def consume_squiblyd(broker, topic, events, folder, group):
    """All matched against the shipped rules, alerts to a file: from the first of them until it is idle."""
    config, log = os.path.join(folder, "kafka.yaml"), os.path.join(folder, "kafka.log")
    with open(config, "w", encoding="utf-8") as f:
        f.write(f"inputs:\n  - type: kafka\n    brokers: [\"{broker.bootstrap}\"]\n    topics: [{topic}]\n    group: {group}\n"
                f"outputs:\n  - type: file\n    path: {folder}/kafka.alerts\n")
    with open(log, "w", encoding="utf-8") as f:
        process = subprocess.Popen(["taskset", "-c", "0", f"{BUILD}/squiblyd", "-c", config], stdin=subprocess.DEVNULL, stdout=f, stderr=f,
                                   env=dict(os.environ, XDG_CACHE_HOME=os.path.join(folder, "cache")))
    try:
        wait_log(log, r"partitions more", process)
        before = cpu_of(process.pid)
        while cpu_of(process.pid) < before + 0.005 and process.poll() is None:
            time.sleep(0.002)
        began = time.monotonic()
        took = until_idle(process.pid, began)
        used = cpu_of(process.pid) - before
    finally:
        stop(process)
    received = int(wait_log(log, r"received (\d+) = ", process))
    if received != events:
        raise SystemExit(f"bench: squiblyd consumed {received} of {events} events; see {log}")
    return took, used


def best(runs):
    """The best by the clock and the best in CPU seconds, each for itself."""
    return min(r[0] for r in runs), min(r[1] for r in runs)


def row(who, what, events, took):
    print(f"  {who:9} {what:46} {events / took[0]:10.0f}  {events / took[1]:10.0f}")


def report(what, events, theirs, as_we, ours, how, more):
    """`theirs`: kcat as it comes, which the bar is about; `as_we`: kcat that does one thing `more`, as squiblyd does."""
    kcat_took, as_we_took, took = best(theirs), best(as_we), best(ours)
    print(f"{what}: messages a second by the clock, and a CPU second")
    row("kcat", how, events, kcat_took)
    row("kcat", f"{how}, {more}", events, as_we_took)
    row("squiblyd", f"the shipped rules, {more}", events, took)
    clock, cpu = kcat_took[0] / took[0], kcat_took[1] / took[1]
    print(f"  ratio {clock:.2f} by the clock (bar {BAR}: {verdict(clock >= BAR)}), {cpu:.2f} in CPU seconds; "
          f"{as_we_took[0] / took[0]:.2f} and {as_we_took[1] / took[1]:.2f} with kcat {more}\n")


def kafka(corpus, events, folder):
    if not kafka_broker.jars():
        print("into and out of Kafka: skipped, there is no Apache Kafka (tools/deps kafka, tools/clients kafka)\n")
        return
    runs = {"kcat in": [], "kcat in as we": [], "squiblyd in": [], "kcat out": [], "kcat out as we": [], "squiblyd out": []}
    with tempfile.TemporaryDirectory(prefix="kafka-", dir=folder) as data, \
            kafka_broker.Broker(data, PARTITIONS, before=["taskset", "-c", "1"]) as broker:
        broker.topic("warm")
        produce_kcat(broker, corpus, "warm", events)
        for r in range(ROUNDS):
            theirs, as_we, ours = f"kcat-{r}", f"kcat-as-we-{r}", f"squiblyd-{r}"
            for topic in theirs, as_we, ours:
                broker.topic(topic)
            runs["kcat in"].append(produce_kcat(broker, corpus, theirs, events))
            runs["kcat in as we"].append(produce_kcat(broker, corpus, as_we, events, *IDEMPOTENT))
            runs["squiblyd in"].append(produce_squiblyd(broker, corpus, ours, events, folder))
            runs["kcat out"].append(consume_kcat(broker, theirs, events))
            runs["kcat out as we"].append(consume_kcat(broker, theirs, events, *CHECKING))
            runs["squiblyd out"].append(consume_squiblyd(broker, theirs, events, folder, ours))
    print(f"Apache Kafka {kafka_broker.version()} on CPU 1, one node, {PARTITIONS} partitions, lz4; kcat and squiblyd on CPU 0")
    report("into Kafka, from TCP with forward: all", events, runs["kcat in"], runs["kcat in as we"], runs["squiblyd in"], "from the file",
           "idempotent")
    report("out of Kafka, parsed and matched, alerts to a file", events, runs["kcat out"], runs["kcat out as we"], runs["squiblyd out"],
           "to /dev/null", "CRCs checked")
