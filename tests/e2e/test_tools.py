"""squibly check, test and send; help and wrong command lines of every command."""
import json
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

    def test_each_surprise_has_its_reason(self):
        self.put("a.yml", RULE)
        self.put("a.hit.ndjson", ordinary(5))
        self.put("a.miss.ndjson", CALC)
        out = squibly("test", self.folder, status=1)[0].decode()
        self.assertIn("      Calculator: 'selection' asks that Image ends with \"\\calc.exe\"; it is "
                      '"C:\\Windows\\System32\\notepad.exe"\n', out)
        self.assertIn("      Calculator: 'selection' holds; Image is "
                      '"C:\\Windows\\System32\\calc.exe"\n', out)

    def test_a_rule_without_events_is_a_failure_unless_allowed(self):
        self.put("a.yml", RULE)
        self.assertIn("no .hit.ndjson", squibly("test", self.folder, status=1)[0].decode())
        squibly("test", "--allow-bare", self.folder)

    def test_an_empty_file_of_events_proves_nothing(self):
        self.put("a.yml", RULE)
        self.put("a.hit.ndjson", CALC)
        self.put("a.miss.ndjson", b"\n")
        self.assertIn("holds no events", squibly("test", self.folder, status=1)[0].decode())


FILTER = """title: Calculators of ours
logsource:
    product: windows
filter:
    rules: any
    ours:
        User: bob
    condition: not ours
"""


class Filter(Folder):
    def test_a_filter_of_another_file_applies(self):
        rules = os.path.join(self.folder, "rules")
        os.mkdir(rules)
        self.put("rules/rule.yml", RULE)
        self.put("rules/a_filter.yml", FILTER)  # read before the rule
        bob = CALC.replace(b'"CommandLine"', b'"SubjectUserName":"bob","CommandLine"')
        events = self.put("events.ndjson", bob + CALC)
        out, _ = squibly("scan", "-q", "-r", rules, events)
        alerts = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(len(alerts), 1)
        self.assertEqual(alerts[0]["squibly"]["selections"], ["selection"])
        text = squibly("explain", "-r", rules, events)[0].decode()
        self.assertIn(f"'ours' of the filter \"Calculators of ours\" ({rules}/a_filter.yml:5) holds, which "
                      'is excluded: User is "bob"; it is "bob"\n', text)

    def test_what_a_filter_does_not_do_is_a_warning(self):
        rule = self.put("rule.yml", RULE)
        bad = self.put("filter.yml", FILTER.replace("any", "[6f2c7a52]").replace("not ours", "ours"))
        out, _ = squibly("check", rule, bad)
        self.assertIn(f"{bad}:8:16: warning: without 'not' the filter keeps only the events that fit it",
                      out.decode())
        self.assertIn(f"{bad}:5:13: warning: the filter names a rule that is not there: '6f2c7a52'",
                      out.decode())
        squibly("check", "--strict", rule, bad, status=1)

    def test_the_example_leaves_out_our_libraries_and_no_others(self):
        example = os.path.join(SOURCE, "conf", "filters", "own_software.yml")
        rule = self.put("rule.yml", RULE.replace("calc.exe", "regsvr32.exe"))
        patterns = os.path.join(SOURCE, "patterns")
        squibly("check", "--strict", patterns, example)
        ours = "D:\\Apps\\Example Corp\\x.dll"
        rows = [
            (f'regsvr32 "{ours}"', False),
            (f'regsvr32 /s "{ours}"', False),
            (f'regsvr32 -s "d:/apps//example corp/bin/../x.dll"', False),
            (f'regsvr32 /u /s "{ours}"', False),
            ("regsvr32 /s D:\\Apps\\x.dll", True),
            ("regsvr32 /s \"D:\\Apps\\Example Corp\\..\\x.dll\"", True),
            (f'regsvr32 "{ours}" C:\\Users\\Public\\x.dll', True),
            (f'regsvr32 C:\\Users\\Public\\x.dll "{ours}"', True),
            (f'regsvr32 /s "{ours}" C:\\Users\\Public\\x.dll', True),
            (f'regsvr32 /s /s "{ours}"', True),  # not one of the three ways; no harm
            (f'regsvr32 /i:http://files.example.net/a.sct "{ours}"', True),
        ]
        for line, alert in rows:
            with self.subTest(line):
                event = {"EventID": 4688, "Channel": "Security", "CommandLine": line,
                         "NewProcessName": "C:\\Windows\\System32\\regsvr32.exe"}
                out, _ = squibly("scan", "-q", "-r", rule, "-r", example, "-",
                                 stdin=json.dumps(event).encode())
                self.assertEqual(len(out.splitlines()), int(alert))


class Explain(Folder):
    def setUp(self):
        super().setUp()
        self.rule = self.put("rule.yml", RULE)

    def test_a_match_is_told_with_the_fields_of_its_event(self):
        out = squibly("explain", "-r", self.rule, "-", stdin=CALC)[0].decode()
        self.assertRegex(out, r"^-:1  process_creation \(event 4688\)  shape \w+\n")
        self.assertRegex(out, r"\n  CommandLine +calc\n")
        self.assertRegex(out, r"\n  Image +C:\\Windows\\System32\\calc.exe\n")
        self.assertRegex(out, r"\n  squibly.image_name +calc.exe\n")
        self.assertIn("  rules: 1 matched, 0 near, 0 of which nothing holds, 0 of other log sources\n", out)
        self.assertIn("  MATCH      low  Calculator  6f2c7a52-9a7e-4a3e-9d61-1f4a0f7b7c11\n"
                      "      +selection\n      'selection' holds\n", out)

    def test_a_miss_is_told_when_it_is_asked_for(self):
        out = squibly("explain", "-r", self.rule, "-", stdin=ordinary(1))[0].decode()
        self.assertNotIn("Calculator", out)
        want = ("  miss       low  Calculator  6f2c7a52-9a7e-4a3e-9d61-1f4a0f7b7c11\n      -selection\n"
                "      'selection' asks that Image ends with \"\\calc.exe\"; it is "
                '"C:\\Windows\\System32\\notepad.exe"\n')
        for options in (["--all"], ["--rule", "calculator"],
                        ["--rule", "6F2C7A52-9a7e-4a3e-9d61-1f4a0f7b7c11"]):
            self.assertIn(want, squibly("explain", *options, "-r", self.rule, "-",
                                        stdin=ordinary(1))[0].decode())

    def test_json_is_an_object_a_line(self):
        events = self.put("events.ndjson", CALC + b"junk\n" + ordinary(1))
        out = squibly("explain", "-f", "json", "-r", self.rule, "--all", events)[0]
        match, junk, miss = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([match["number"], junk["number"], miss["number"]], [1, 2, 3])
        self.assertEqual(match["fields"]["CommandLine"], ["calc"])
        self.assertEqual(match["derived"]["squibly.image_name"], ["calc.exe"])
        self.assertEqual(match["rules"][0]["result"], "match")
        self.assertEqual(match["rules"][0]["selections"],
                         [{"name": "selection", "holds": True, "negated": False}])
        self.assertEqual(junk["record"], "junk")
        self.assertEqual(miss["rules"][0]["reason"]["selection"], "selection")
        self.assertEqual(miss["rules"][0]["reason"]["field"], "Image")
        self.assertEqual(miss["counts"], {"match": 0, "near": 0, "miss": 1, "elsewhere": 0})

    def test_it_agrees_with_scan_on_every_event_beside_the_shipped_rules(self):
        files = []
        for folder, _, names in os.walk(os.path.join(SOURCE, "patterns")):
            files += [os.path.join(folder, name) for name in sorted(names) if name.endswith(".ndjson")]
        alerts = [json.loads(line) for line in squibly("scan", "-q", "-f", "json", *files)[0].splitlines()]
        told = []
        for line in squibly("explain", "-f", "json", *files)[0].splitlines():
            for rule in json.loads(line).get("rules", []):
                if rule["result"] == "match":
                    held = [s["name"] for s in rule["selections"] if s["holds"] and not s["negated"]]
                    told.append((rule["id"], list(dict.fromkeys(held))[:16]))
        self.assertGreater(len(told), 50)
        self.assertEqual(sorted((a["rule"]["id"], a["squibly"].get("selections", [])) for a in alerts),
                         sorted(told))

    def test_an_event_cannot_write_to_the_terminal(self):
        event = {"EventID": 4688, "Channel": "Security", "NewProcessName": "C:\\calc.exe",
                 "CommandLine": "calc \x1b[2J\u202e\x00\n"}
        out = squibly("explain", "-r", self.rule, "-", stdin=json.dumps(event).encode())[0]
        self.assertNotIn(b"\x1b", out)
        self.assertNotIn("\u202e".encode(), out)
        self.assertIn(b"calc \\x1b[2J\\u202e\\x00\\x0a", out)

    def test_the_shipped_rules_are_the_default(self):
        out = squibly("explain", "-", stdin=attack(1))[0].decode()
        self.assertRegex(out, r"\n  MATCH      critical  ")

    def test_a_rule_that_is_not_there_is_a_failure(self):
        _, err = squibly("explain", "--rule", "Calculato", "-r", self.rule, "-", stdin=CALC, status=2)
        self.assertIn("there is no rule 'Calculato'; did you mean 'Calculator'?", err)
        _, err = squibly("explain", "-r", self.rule, os.path.join(self.folder, "none"), status=2)
        self.assertIn("No such file or directory", err)


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
        for command in ("scan", "check", "test", "explain", "send"):
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
            (["explain"], "which events?"),
            (["explain", "-f", "xml", "-"], "neither text nor json"),
            ([], "Usage: squibly COMMAND"),
        ]
        for args, want in rows:
            with self.subTest(args):
                _, err = squibly(*args, status=2)
                self.assertIn(want, err)
                self.assertTrue("--help" in err)

    def test_a_folder_without_a_spool_is_told_from_one_that_is_not_there(self):
        _, err = squibly("spool", "list", self.folder, status=2)
        self.assertIn(f"{self.folder}: no spool is there (no data.mdb)", err)
        _, err = squibly("spool", "list", self.folder + "/none", status=2)
        self.assertIn("No such file or directory", err)


if __name__ == "__main__":
    main()
