"""squibly check, test and send; help and wrong command lines of every command."""
import os
import socket
import tempfile
import threading

from harness import DEMO, SOURCE, Case, attack, lines_of, main, ordinary, squibly

RULE = """title: Calculator
id: 6f2c7a52-9a7e-4a3e-9d61-1f4a0f7b7c11
status: test
level: low
description: A rule for this test.
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|endswith: '\\calc.exe'
    condition: selection
"""
CALC = (b'{"EventID":4688,"Channel":"Security","NewProcessName":"C:\\\\Windows\\\\System32\\\\calc.exe",'
        b'"CommandLine":"calc"}\n')


class Folder(Case):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = holder.name

    def put(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as f:
            f.write(text if isinstance(text, bytes) else text.encode())
        return path


class Check(Folder):
    def test_the_shipped_patterns_are_without_a_finding(self):
        out, _ = squibly("check", "--strict", os.path.join(SOURCE, "patterns"))
        self.assertRegex(out.decode(), r"^\d+ rules, 0 warnings\n$")

    def test_an_error_names_file_line_and_column(self):
        bad = self.put("bad.yml", RULE.replace("endswith", "endswiht"))
        out, _ = squibly("check", bad, status=1)
        self.assertRegex(out.decode(), rf"{bad}:11:\d+: error: .*endswiht")

    def test_what_is_absent_is_a_failure_of_its_own(self):
        _, err = squibly("check", os.path.join(self.folder, "none.yml"), status=2)
        self.assertIn("No such file or directory", err)

    def test_a_configuration_is_given_to_squiblyd(self):
        good = self.put("good.yaml", "inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n")
        squibly("check", good)
        bad = self.put("bad.yaml", "inputs:\n  - type: tcp\n    lissten: 127.0.0.1:0\n")
        out, err = squibly("check", bad, status=1)
        self.assertRegex(out.decode() + err, rf"{bad}:3:\d+: .*lissten")


class Test(Folder):
    def test_a_rule_that_does_as_its_events_say_passes(self):
        self.put("a.yml", RULE)
        self.put("a.hit.ndjson", CALC)
        self.put("a.miss.ndjson", attack(1) + ordinary(1))
        out, _ = squibly("test", self.folder)
        self.assertIn("1 hit, 2 missed, as they should", out.decode())

    def test_each_surprise_is_named_with_its_line(self):
        self.put("a.yml", RULE)
        self.put("a.hit.ndjson", CALC + ordinary(5))
        self.put("a.miss.ndjson", attack(1) + CALC + b"junk\n")
        out = squibly("test", self.folder, status=1)[0].decode()
        self.assertRegex(out, r"a\.hit\.ndjson:2: must hit, does not: notepad\.exe 5\.txt")
        self.assertRegex(out, r"a\.miss\.ndjson:2: must miss, hits: calc")
        self.assertRegex(out, r"a\.miss\.ndjson:3: .*junk")

    def test_a_rule_without_events_is_a_failure_unless_allowed(self):
        self.put("a.yml", RULE)
        self.assertIn("no .hit.ndjson", squibly("test", self.folder, status=1)[0].decode())
        squibly("test", "--allow-bare", self.folder)

    def test_an_empty_file_of_events_proves_nothing(self):
        self.put("a.yml", RULE)
        self.put("a.hit.ndjson", CALC)
        self.put("a.miss.ndjson", b"\n")
        self.assertIn("holds no events", squibly("test", self.folder, status=1)[0].decode())


class Send(Folder):
    def test_tcp_sends_every_record_as_a_line(self):
        path = os.path.join(DEMO, "nxlog.ndjson")
        got = bytearray()
        with socket.create_server(("127.0.0.1", 0)) as server:
            def take():
                with server.accept()[0] as c:
                    while data := c.recv(65536):
                        got.extend(data)
            taker = threading.Thread(target=take)
            taker.start()
            _, err = squibly("send", f"127.0.0.1:{server.getsockname()[1]}", path)
            taker.join(30)
        self.assertEqual(bytes(got), b"\n".join(lines_of(path)) + b"\n")
        self.assertIn(f"sent {len(lines_of(path))} records", err)

    def test_udp_sends_every_record_as_a_datagram(self):
        path = os.path.join(DEMO, "winlogbeat.ndjson")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            s.bind(("127.0.0.1", 0))
            s.settimeout(30)
            squibly("send", "--udp", "--rate", "1000", f"127.0.0.1:{s.getsockname()[1]}", path)
            self.assertEqual([s.recv(65536) for _ in lines_of(path)], lines_of(path))

    def test_nobody_there_is_said_plainly(self):
        with socket.create_server(("127.0.0.1", 0)) as s:
            port = s.getsockname()[1]
        _, err = squibly("send", f"127.0.0.1:{port}", "-", stdin=attack(1), status=2)
        self.assertIn("Connection refused", err)


class CommandLine(Folder):
    def test_help_is_everywhere(self):
        self.assertIn(b"Usage: squibly COMMAND", squibly("--help")[0])
        for command in ("scan", "check", "test", "send"):
            self.assertIn(f"Usage: squibly {command} ".encode(), squibly(command, "--help")[0])

    def test_a_wrong_line_says_what_is_wrong_and_where_help_is(self):
        rows = [
            (["scna"], "did you mean 'scan'?"),
            (["scan", "--rulez"], "unknown option --rulez"),
            (["scan", "-x"], "unknown option -x"),
            (["scan", "-r"], "option -r needs a value"),
            (["scan", "--min-level", "hihg"], "'hihg' is no level"),
            (["scan", "-f", "xml"], "neither json nor text"),
            (["send", "nowhere", "-"], "is not HOST:PORT"),
            (["send", "::1:5170", "-"], "write an IPv6 address in brackets"),
            (["send", "--rate", "0", "h:1"], "not a number from 1"),
            (["check"], "what shall be checked?"),
            ([], "Usage: squibly COMMAND"),
        ]
        for args, want in rows:
            with self.subTest(args):
                _, err = squibly(*args, status=2)
                self.assertIn(want, err)
                self.assertTrue("--help" in err)


if __name__ == "__main__":
    main()
