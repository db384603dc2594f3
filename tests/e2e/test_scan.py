"""squibly scan on the project's own events: what is found, how it is printed, how it fails."""
import gzip
import json
import os
import shutil
import subprocess
import tempfile

from harness import DEMO, Case, attack, lines_of, main, ordinary, scan, squibly

NXLOG = os.path.join(DEMO, "nxlog.ndjson")
WINLOGBEAT = os.path.join(DEMO, "winlogbeat.ndjson")


def expected():
    with open(os.path.join(DEMO, "expected"), encoding="utf-8") as f:
        return sorted(tuple(line.rstrip("\n").split("\t")) for line in f)


def found(alerts):
    return sorted((a["rule"]["level"], a["rule"]["name"]) for a in alerts)


class Scan(Case):
    def test_the_demo_events_give_exactly_the_expected_alerts(self):
        alerts, n = scan(NXLOG, WINLOGBEAT)
        self.assertEqual(found(alerts), expected())
        self.assertEqual(n["events"], len(lines_of(NXLOG)) + len(lines_of(WINLOGBEAT)))
        self.assertEqual((n["malformed"], n["oversized"]), (0, 0))

    def test_an_alert_says_what_happened_where_and_why(self):
        alert = scan(stdin=attack(7))[0][0]
        self.assertEqual(alert["event"]["kind"], "alert")
        self.assertEqual(alert["event"]["code"], "4688")
        self.assertEqual(alert["event"]["severity"], 99)
        self.assertEqual(alert["event"]["original"].encode() + b"\n", attack(7))
        self.assertEqual(alert["rule"]["level"], "critical")
        self.assertEqual(alert["host"]["name"], "ws-7.corp.example")
        self.assertEqual(alert["process"]["executable"], "C:\\Windows\\System32\\regsvr32.exe")
        self.assertEqual(alert["process"]["parent"]["executable"], "C:\\Windows\\System32\\cmd.exe")
        self.assertEqual(alert["winlog"]["channel"], "Security")
        self.assertIn("T1218.010", [t["id"] for t in alert["threat"]["technique"]])
        fields = {m["field"] for m in alert["squibly"]["matched"]}
        self.assertEqual(fields, {"squibly.program", "squibly.regsvr32.scrobj", "squibly.regsvr32.install",
                                  "squibly.regsvr32.install_class"})

    def test_every_way_to_pack_and_cut_gives_the_same_alerts(self):
        want = found(scan(NXLOG)[0])
        lines = lines_of(NXLOG)
        objects = [json.loads(line) for line in lines]
        ways = {
            "lines": b"\n".join(lines),
            "CRLF and a byte order mark": b"\xef\xbb\xbf" + b"\r\n".join(lines),
            "NUL": b"\0".join(lines),
            "an array": json.dumps(objects).encode(),
            "an indented array": json.dumps(objects, indent=2).encode(),
            "indented objects back to back": b"\n".join(json.dumps(o, indent=4).encode() for o in objects),
            "objects without separators": b"".join(lines),
            "syslog": b"".join(b"<14>1 2026-11-20T08:12:00Z ws - - - - " + x + b"\n" for x in lines),
            "octet counting": b"".join(b"%d %s" % (len(x), x) for x in lines),
            "gzip": gzip.compress(b"\n".join(lines)),
            "gzip in two members": gzip.compress(b"\n".join(lines[:9]) + b"\n") + gzip.compress(b"\n".join(lines[9:])),
        }
        if shutil.which("zstd"):
            ways["zstd"] = subprocess.run(["zstd", "-c"], input=b"\n".join(lines), capture_output=True,
                                          check=True).stdout
        for name, data in ways.items():
            with self.subTest(name):
                alerts, n = scan(stdin=data)
                self.assertEqual(found(alerts), want)
                self.assertEqual(n["malformed"], 0)
                self.assertEqual(n["events"], len(lines))

    def test_the_oracle_agrees(self):
        for path in (NXLOG, WINLOGBEAT):
            self.assertEqual(squibly("scan", "--plain", "-f", "text", path)[0],
                             squibly("scan", "-f", "text", path)[0])

    def test_levels_choose_what_is_printed_and_the_exit_status(self):
        self.assertEqual({a["rule"]["level"] for a in scan("-m", "critical", NXLOG)[0]}, {"critical"})
        squibly("scan", "-q", "--fail-on", "critical", NXLOG, status=1)
        squibly("scan", "-q", "--fail-on", "low", "-", stdin=ordinary(1), status=0)

    def test_text_is_one_line_each_and_obeys_no_event(self):
        line = attack(1).replace(b"/s /n", b"/s \\u001b[2J\\n\\u202e /n")
        out, err = squibly("scan", "--format", "text", stdin=line)
        # Beside the attack: the hidden characters, what is left of them as a second library, and that
        # its folder is not told.
        self.assertEqual(out.count(b"\n"), 4)
        self.assertNotIn(b"\x1b", out)
        self.assertEqual(out.count(rb"/s \x1b[2J\x0a\u202e /n"), 4)
        self.assertIn("4 alerts: 1 critical, 2 high, 1 low", err)

    def test_text_leaves_out_the_middle_of_what_is_too_long(self):
        line = attack(1).replace(b"/s /n", b"/s C:\\\\Windows\\\\System32\\\\" + b"y" * 5000 + b".dll /n")
        out, _ = squibly("scan", "--format", "text", stdin=line)
        self.assertLessEqual(len(out.rstrip(b"\n")), 200)
        self.assertIn(b"yyy...", out)
        self.assertIn(b"scrobj.dll", out)

    def test_a_bad_record_does_not_hide_the_next(self):
        data = b"not an event\n" + b'{"a":"\\x"}\n' + b'{"EventID":4688,"Comm\n' + attack(1)
        alerts, n = scan("--malformed", stdin=data)
        self.assertEqual(len(alerts), 1)
        self.assertEqual((n["events"], n["malformed"]), (4, 3))
        # Otherwise one that looks like an object is not even read, since no rule can match it.
        alerts, n = scan(stdin=data)
        self.assertEqual((len(alerts), n["events"], n["malformed"], n["unread"]), (1, 4, 2, 1))

    def test_an_oversized_record_is_skipped_and_counted_once(self):
        data = ordinary(1) + b'{"x":"' + b"y" * 5000 + b'"}\n' + attack(2)
        alerts, n = scan("--max-record", "1024", stdin=data)
        self.assertEqual((len(alerts), n["oversized"], n["events"]), (1, 1, 3))

    def test_a_large_record_passes_whole(self):
        big = attack(3)[:-2] + b',"x":"' + b"z" * 900_000 + b'"}\n'
        alerts, n = scan(stdin=ordinary(1) * 3000 + big + attack(4))
        self.assertEqual((len(alerts), n["events"]), (2, 3002))

    def test_what_cannot_be_read_is_told_and_the_rest_is_read(self):
        with tempfile.TemporaryDirectory() as d:
            cut = os.path.join(d, "cut.gz")
            with open(cut, "wb") as f:
                f.write(gzip.compress(attack(1) * 50)[:-12])
            _, err = squibly("scan", "-f", "json", os.path.join(d, "absent"), status=2)
            self.assertIn("absent: No such file or directory", err)
            _, err = squibly("scan", "-f", "json", cut, status=2)
            self.assertIn("cut off", err)
            _, err = squibly("scan", "-f", "json", d, status=2)
            self.assertIn("is a folder", err)
            out, _ = squibly("scan", "-f", "json", cut, NXLOG, status=2)
            self.assertGreaterEqual(out.count(b"Squiblydoo"), 1)
        _, err = squibly("scan", stdin="{}".encode("utf-16"), status=2)
        self.assertIn("UTF-16", err)

    def test_what_is_not_what_its_name_says_or_holds_no_text_is_told_and_the_rest_is_read(self):
        files = {
            "page.gz": (b"<html>no such file</html>\n", "page.gz: is not packed with gzip, though its name says so"),
            "random.json.GZ": (b"\x93\x07\xe1\x55" * 5000, "random.json.GZ: is not packed with gzip"),
            "empty.gz": (b"", "empty.gz: is empty, and no gzip data"),
            "one.gz": (b"\x1f", "one.gz: is not packed with gzip"),
            "lines.zst": (b"<14>1 - - - - - {}\n", "lines.zst: is not packed with zstd, though its name says so"),
            "ids.zst": (b"\x28\xb5\x2f", "ids.zst: is not packed with zstd"),
            "head.gz": (gzip.compress(attack(1))[:10], "head.gz: the packed data is cut off"),
            "flipped.gz": (gzip.compress(attack(1))[:10] + b"\xff" * 50, "flipped.gz: damaged gzip data"),
            "Security.evtx": (b"ElfFile\0" + bytes(5000), "Security.evtx: is a Windows event log (.evtx)"),
            "events.zip": (b"PK\x03\x04" + bytes(500), "events.zip: is a zip archive; unpack it first"),
            "events.xz": (b"\xfd7zXZ\0" + bytes(500), "events.xz: is packed with xz; unpack it first"),
            "events.bz2": (b"BZh91AY&SY" + bytes(500), "events.bz2: is packed with bzip2; unpack it first"),
        }
        with tempfile.TemporaryDirectory() as d:
            good = os.path.join(d, "good")
            with open(good, "wb") as f:
                f.write(attack(2))
            for name, (data, why) in files.items():
                with self.subTest(name):
                    path = os.path.join(d, name)
                    with open(path, "wb") as f:
                        f.write(data)
                    out, err = squibly("scan", "-f", "json", path, good, status=2)
                    self.assertIn(why, err)
                    self.assertEqual(len([line for line in err.splitlines() if name in line]), 1, err)
                    self.assertIn("1 events, 1 alerts", err)
                    self.assertEqual(out.count(b"\n"), 1)

    def test_what_was_unpacked_before_the_damage_is_read(self):
        packed = gzip.compress(attack(1) * 5000)
        for name, data in (("checksum", packed[:-8] + bytes(8)), ("length", packed[:-4] + bytes(4)), ("cut", packed[:-8]),
                           ("what follows", packed + b"more")):
            with self.subTest(name):
                out, err = squibly("scan", "-f", "json", stdin=data, status=2)
                self.assertEqual(out.count(b"\n"), 5000)
                self.assertRegex(err, "standard input: (damaged gzip data|the packed data is cut off|bytes that are not gzip follow)")

    def test_json_that_somebody_unpacked_and_what_is_packed_otherwise_than_it_is_called_is_read(self):
        with tempfile.TemporaryDirectory() as d:
            for name, data in (("unpacked.gz", attack(1)), ("list.zst", b" \n[" + attack(1) + b"]"),
                               ("bom.gz", b"\xef\xbb\xbf" + attack(1)), ("gzip.zst", gzip.compress(attack(1))),
                               ("BZhours.ndjson", b"BZhours: down\n" + attack(1)), ("empty", b"")):
                with self.subTest(name), open(os.path.join(d, name), "wb") as f:
                    f.write(data)
                    f.flush()
                    alerts, _ = scan(f.name)
                    self.assertEqual(len(alerts), bool(data))


if __name__ == "__main__":
    main()
