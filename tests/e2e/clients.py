"""What the tests with clients of others share: where tools/clients built them, how to run them, the
events that they send, and how to tell that each arrived exactly once."""
import collections
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest

from harness import BUILD, DEADLINE, SOURCE, Case, eventually

FOLDER = os.environ.get("SQUIBLY_CLIENTS") or os.path.join(SOURCE, "build", "clients")

BULK_MAX = 2048  # events in a window of libbeat; it has two of them on their way
# As Winlogbeat sends it. Every event is an alert of RULE, and its command line has its number.
EVENT = ('{"@timestamp":"2026-11-22T10:00:00.000Z","@metadata":{"beat":"winlogbeat","type":"_doc",'
         '"version":"8.17.4"},"winlog":{"channel":"Security","provider_name":'
         '"Microsoft-Windows-Security-Auditing","event_id":"4688","record_id":%d,'
         '"computer_name":"ws-%d.corp.example","event_data":{"NewProcessName":'
         '"C:\\\\Windows\\\\System32\\\\notepad.exe","CommandLine":"notepad.exe -event %d",'
         '"ParentProcessName":"C:\\\\Windows\\\\explorer.exe"}},"event":{"code":"4688","kind":"event"},'
         '"host":{"name":"ws-%d"}}')
RULE = """title: Every event of the tests
id: 0d5a2f6e-3a59-4f1d-9f2c-7b1c8f0a6c11
logsource: {category: process_creation, product: windows}
detection:
    selection:
        CommandLine|contains: '-event '
    condition: selection
level: low
"""
COMMAND = "notepad.exe -event "


def sanitized():
    """Is what is tested built with a sanitizer, and so some times slower?"""
    try:
        with open(os.path.join(BUILD, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as f:
            return any(o["name"] == "b_sanitize" and o["value"] not in ("none", []) for o in json.load(f))
    except OSError:
        return False


SANITIZED = sanitized()


def built(name):
    """The path of something that tools/clients makes, or a skip."""
    path = os.path.join(FOLDER, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"{name.split('/')[0]} is not there (tools/clients says why)")
    return path


def program(name):
    """The path of an installed program, or a skip."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise unittest.SkipTest(f"{name} is not installed (tools/deps clients)")
    return path


def event(n):
    return EVENT % (n, n % 100, n, n % 100)


def free_port():
    """For what must find the same port again after a restart."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def numbers_in(lines):
    """How often each event is in these lines. One that a kill cut off is no alert."""
    seen = collections.Counter()
    for line in lines:
        try:
            command = json.loads(line)["process"]["command_line"]
        except ValueError:
            continue
        if not command.startswith(COMMAND):
            raise AssertionError(f"an alert of nothing that was sent: {line!r}")
        seen[int(command[len(COMMAND):])] += 1
    return seen


class Pki:
    """An authority, a server's certificate for 127.0.0.1 and localhost, and one of a client."""

    CLIENT = "forwarder-7.corp.example"

    def __init__(self, folder):
        self.folder = folder
        self.ca, self.ca_key = self.path("ca.crt"), self.path("ca.key")
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", "/CN=squiblyd test authority", "-days", "2", "-keyout", self.ca_key,
                      "-out", self.ca)
        self.cert, self.key = self._signed("server", "localhost", "DNS:localhost,IP:127.0.0.1")
        self.client, self.client_key = self._signed("client", self.CLIENT, "DNS:" + self.CLIENT)

    def path(self, name):
        return os.path.join(self.folder, name)

    @staticmethod
    def _openssl(*args):
        subprocess.run([program("openssl"), *args], check=True, capture_output=True)

    def _signed(self, name, common, names):
        cert, key, request, more = (self.path(f"{name}.{end}") for end in ("crt", "key", "csr", "ext"))
        with open(more, "w", encoding="ascii") as f:
            f.write(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-subj", f"/CN={common}", "-keyout", key, "-out", request)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key,
                      "-CAcreateserial", "-days", "2", "-extfile", more, "-out", cert)
        return cert, key

    def server_options(self, clients="required"):
        """Lines of an input's configuration."""
        return (f"    tls_certificate: {self.cert}\n    tls_key: {self.key}\n"
                f"    tls_clients: {clients}\n    tls_client_ca: {self.ca}\n")


class Running:
    """A client that runs; its output is kept in files, so that it never waits for us."""

    def __init__(self, args, env=None):
        self.args = args
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
                                        env=dict(os.environ, **(env or {})))

    def said(self):
        texts = []
        for f in (self.out, self.err):
            f.seek(0)
            texts.append(f.read().decode("utf-8", "replace"))
        return texts

    def wait(self, status=0, deadline=4 * DEADLINE):
        """Its standard output; anything but `status` (None: any) fails."""
        try:
            got = self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.end()
            got = f"none within {deadline} s"
        out, err = self.said()
        if status is not None and got != status:
            raise AssertionError(f"{self.args[0]}: status {got}, not {status}\n{out[-2000:]}\n{err[-4000:]}")
        return out

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def close(self):
        self.end()
        self.out.close()
        self.err.close()


class ClientCase(Case):
    """A collector whose every event is an alert in one file."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="squiblyd-clients-")
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.alerts = os.path.join(self.folder, "alerts.ndjson")
        self.clients = []
        self.seen, self.read = collections.Counter(), 0  # what arrived() knows of that file
        self.rule = os.path.join(self.folder, "every.yml")
        with open(self.rule, "w", encoding="ascii") as f:
            f.write(RULE)

    def pki(self):
        return Pki(self.folder)

    def collector(self, *inputs, outputs=None, more=""):
        """squiblyd with inputs as lines of configuration, the first of which is their type."""
        text = f"rules:\n  paths: [{self.rule}]\ninputs:\n"
        for lines in inputs:
            kind, _, rest = lines.partition("\n")
            text += f"  - type: {kind}\n" + ("" if "listen:" in rest else "    listen: 127.0.0.1:0\n") + rest
        text += outputs or f"outputs:\n  - type: file\n    path: {self.alerts}\n"
        return self.daemon(text + more, inputs=False)

    def events(self, first, n, name="events.ndjson"):
        """A file of the events `first` to `first` + `n` - 1."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as f:
            f.writelines(event(i) + "\n" for i in range(first, first + n))
        return path

    def run_client(self, *args, env=None):
        client = Running([str(a) for a in args], env)
        self.clients.append(client)
        self.addCleanup(client.close)
        return client

    def lumber_send(self, port, path, *args):
        return self.run_client(built("lumber_send"), "-address", f"127.0.0.1:{port}", "-file", path, *args)

    def arrived(self):
        """How often each event is in the file of alerts."""
        try:
            with open(self.alerts, "rb") as f:
                f.seek(self.read)
                data = f.read()
        except FileNotFoundError:
            return self.seen
        whole = data.rfind(b"\n") + 1
        self.read += whole
        self.seen.update(numbers_in(data[:whole].splitlines()))
        return self.seen

    def wait_arrived(self, n, deadline=DEADLINE):
        """Wait until `n` different events have arrived."""
        def what():
            said = "\n".join(client.said()[1][-2000:] for client in self.clients)
            return f"{n} events, {len(self.seen)} are there\n{said}"
        eventually(what, lambda: len(self.arrived()) >= n, deadline)

    def assert_each_once(self, first, n):
        """Exactly the events `first` to `first` + `n` - 1 have arrived, each once."""
        seen = self.arrived()
        missing = [i for i in range(first, first + n) if i not in seen]
        self.assertEqual(missing[:10], [], f"{len(missing)} of {n} are missing")
        twice = [i for i, times in seen.items() if times > 1]
        self.assertEqual(sorted(twice)[:10], [], f"{len(twice)} came more than once")
        self.assertEqual(len(seen), n)


def filebeat_args(case, path, output):
    """Start Filebeat so: it reads the events of the file `path` as they are, and sends them by `output`,
    in windows as Winlogbeat's; no more than two of them are unacknowledged, since that is the queue."""
    config = os.path.join(case.folder, "filebeat.yml")
    with open(config, "w", encoding="ascii") as f:
        f.write(f"""filebeat.inputs:
  - type: log
    paths: [{path}]
    json.keys_under_root: true
    json.overwrite_keys: true
    json.add_error_key: true
filebeat.shutdown_timeout: 10s
queue.mem: {{events: {2 * BULK_MAX}, flush.min_events: {BULK_MAX}, flush.timeout: 1s}}
logging.to_stderr: true
path.home: {case.folder}/filebeat
{output}""")
    os.chmod(config, 0o600)
    return [built("filebeat"), "run", "-c", config, "--strict.perms=false"]


def filebeat_totals(client):
    """Stop Filebeat; what its output counted: total, acked, failed, dropped, duplicates."""
    client.process.terminate()
    client.wait()
    line = [t for t in client.said()[1].splitlines() if "Total metrics" in t][-1]
    return json.loads(line[line.index("{"):])["monitoring"]["metrics"]["libbeat"]["output"]["events"]


def report_of(text):
    """What a client printed last, as JSON."""
    try:
        return json.loads(text.strip().splitlines()[-1])
    except (IndexError, ValueError) as e:
        raise AssertionError(f"the client printed no report: {text[-500:]!r}") from e


if __name__ == "__main__":
    sys.exit("this file is for the tests beside it")
