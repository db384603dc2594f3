"""Apache Kafka, one node of its own (KRaft), as tools/clients kafka fetched it; for tests and tools/bench.

Everything on 127.0.0.1, ports chosen by the system, data in a folder of its own; ends with the `with`, or stop().
"""
import glob
import json
import os
import shutil
import subprocess
import time

import java_peer

CLUSTER_ID = "6SNj6n5kTCKFZjF6qnNOYg"
KCAT = shutil.which("kcat") or shutil.which("kafkacat")
PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners={listeners}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
log.dirs={data}
num.partitions={partitions}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
"""


def jars():
    """The folder of its jars, or None: it could not be had, or there is no Java."""
    folder = java_peer.jars("kafka")
    return folder if folder and KCAT and glob.glob(os.path.join(folder, "kafka_2.*.jar")) else None


def version():
    return os.path.basename(glob.glob(os.path.join(jars(), "kafka_2.*.jar"))[0]).rsplit("-", 1)[1][:-len(".jar")]


class Broker(java_peer.JavaPeer):
    """`more`: further properties. `listeners`: protocols beside PLAINTEXT, each with a port in `ports`. `scram`: for
    kafka.tools.StorageTool, as 'SCRAM-SHA-512=[name=u,password=p]'. `before`: what runs it, as ["taskset", "-c", "1"]."""

    def __init__(self, folder, partitions=4, more="", listeners=(), scram=(), before=(), deadline=120):
        names = ["PLAINTEXT", *listeners]
        ports = java_peer.free_ports(len(names) + 1)
        super().__init__("Kafka", os.path.join(folder, "kafka.log"), deadline)
        self.before = list(before)
        self.ports = dict(zip(names, ports))
        self.bootstrap = f"127.0.0.1:{self.ports['PLAINTEXT']}"
        at = ",".join(f"{name}://127.0.0.1:{port}" for name, port in self.ports.items())
        self.properties = os.path.join(folder, "server.properties")
        with open(self.properties, "w", encoding="ascii") as f:
            f.write(PROPERTIES.format(controller=ports[-1], listeners=f"{at},CONTROLLER://127.0.0.1:{ports[-1]}", advertised=at,
                                      data=os.path.join(folder, "data"), partitions=partitions) + more)
        credentials = [word for one in scram for word in ("--add-scram", one)]
        subprocess.run([*self._java("-XX:TieredStopAtLevel=1"), "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", self.properties,
                        *credentials], check=True, capture_output=True, timeout=deadline)
        self.start()

    @staticmethod
    def _java(*options):
        return ["java", "-Xmx512m", "-XX:+UseSerialGC", *options, "-cp", os.path.join(jars(), "*")]

    def command(self):
        return [*self.before, *self._java(), "kafka.Kafka", self.properties]

    def answers(self):
        return subprocess.run([KCAT, "-L", "-b", self.bootstrap, "-m", "2"], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=30).returncode == 0

    def topic(self, name):
        """Make it, by asking for it: with as many partitions as every topic has. On return it can be written to and read:
        the broker answers before it has made it, and kcat, told of a topic that is not there, ends."""
        end = time.monotonic() + self.deadline
        while True:
            run = subprocess.run([KCAT, "-L", "-J", "-b", self.bootstrap, "-t", name], stdin=subprocess.DEVNULL, capture_output=True,
                                 check=True, timeout=60)
            of_it = [t for t in json.loads(run.stdout)["topics"] if t["topic"] == name and not t.get("error")]
            if of_it and of_it[0]["partitions"] and not any("error" in p or p["leader"] < 0 for p in of_it[0]["partitions"]):
                return
            if time.monotonic() > end:
                raise RuntimeError(f"Kafka does not make the topic {name}: {run.stdout.decode()}")
            time.sleep(0.05)
