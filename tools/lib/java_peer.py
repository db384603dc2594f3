"""A server in Java that tools/clients fetched, for tests and tools/bench: started, waited for, ended.

Everything on 127.0.0.1, ports chosen by the system; ends with the `with`, or stop().
"""
import os
import shutil
import socket
import subprocess
import time

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")


def jars(name):
    """The folder of its jars, which need not be there; None: there is no Java."""
    clients = os.environ.get("SQUIBLY_CLIENTS") or os.path.join(SOURCE, "build", "clients")
    return os.path.join(clients, name) if shutil.which("java") else None


def free_ports(n):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


class JavaPeer:
    """Who derives from it says how it is started, command(), and whether it is ready, answers()."""

    def __init__(self, name, log, deadline):
        self.name, self.log, self.deadline, self.process = name, log, deadline, None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + self.deadline
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.name} does not start; see {self.log}")
            time.sleep(0.2)

    def stop(self, kill=False):
        if self.process and self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop(kill=True)
