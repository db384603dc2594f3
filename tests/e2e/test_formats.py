"""What a sender may put into an event to break out of an alert, through every format: one line each, which a strict
parser written after the format's own specification takes apart, and the value back, or what docs/formats.md puts in
its place. And the alert as a Detection Finding, against the attributes of OCSF 1.4.0."""
import datetime
import json
import os
import re
import tempfile
import time

from harness import Case, eventually, main

FORMATS = ["json", "syslog", "cef", "leef", "ocsf", "syslog3164"]
RULE_ID = "6a1b0b0c-1111-4222-8333-444455556666"
RULE = rf"""title: Hostile | value = in \ "title" ]
id: {RULE_ID}
status: test
description: Says what it finds.
level: high
tags:
  - attack.defense-evasion
  - attack.t1218.010
  - attack.t1105
logsource:
  category: process_creation
  product: windows
detection:
  s:
    Image|endswith: '\hostile.exe'
  condition: s
"""
TITLE = 'Hostile | value = in \\ "title" ]'

# Name, the bytes of the value inside of a JSON string, the text that this is.
HOSTILE = [
    ("CR", rb"a\rb", "a\rb"),
    ("LF", rb"a\nb", "a\nb"),
    ("CRLF and a forged record", rb"a\r\n<13>1 - - - - - - forged", "a\r\n<13>1 - - - - - - forged"),
    ("tab", rb"a\tsev=10\tb", "a\tsev=10\tb"),
    ("pipe", rb"a|b||", "a|b||"),
    ("equals", rb"a=b cs1=forged cs2Label=x", "a=b cs1=forged cs2Label=x"),
    ("backslash", rb"a\\b\\", "a\\b\\"),
    ("escapes of CEF", rb"a\\nb\\=c\\|d\\\\n", "a\\nb\\=c\\|d\\\\n"),
    ("backslash before LF", rb"a\\\nb", "a\\\nb"),
    ("quotes", rb"a\"b'c`", "a\"b'c`"),
    ("end of structured data", rb"] [x@1 y=\"z\"] -", "] [x@1 y=\"z\"] -"),
    ("end of the document", rb"\"}}},{\"squibly\":{", "\"}}},{\"squibly\":{"),
    ("ESC", rb"\u001b[31mred", "\x1b[31mred"),
    ("every control character", b"".join(b"\\u%04x" % c for c in range(1, 32)), "".join(map(chr, range(1, 32)))),
    ("NUL", rb"a\u0000b", "a\0b"),
    ("DEL", b"a\x7fb", "a\x7fb"),
    ("C1", "a\x85\x9bb".encode(), "a\x85\x9bb"),
    ("line and paragraph separators", "a\u2028b\u2029c".encode(), "a\u2028b\u2029c"),
    ("separators as escapes", rb"a\u2028b", "a\u2028b"),
    ("BOM", "\ufeffa".encode(), "\ufeffa"),
    ("right to left", "a\u202egpj.exe".encode(), "a\u202egpj.exe"),
    ("beyond the BMP", "a\U0001f4a9b".encode(), "a\U0001f4a9b"),
    ("a pair of surrogates", rb"\ud83d\udca9", "\U0001f4a9"),
    ("byte that is no UTF-8", b"a\xffb", "a\ufffdb"),
    ("overlong slash", b"a\xc0\xafb", "a\ufffd\ufffdb"),
    ("sequence cut off", b"a\xe2\x82", "a\ufffd\ufffd"),
    ("surrogate in UTF-8", b"a\xed\xa0\x80b", "a\ufffd\ufffd\ufffdb"),
    ("percent", rb"%s%n%n${jndi:ldap://x}", "%s%n%n${jndi:ldap://x}"),
    ("blank", rb" a  b ", " a  b "),
    ("long", b"x" * 20000 + rb"\n|=", "x" * 20000 + "\n|="),
    ("id of another alert", b"0" * 32, "0" * 32),
    ("looks like CEF", rb"CEF:0|a|b|c|d|e|9|", "CEF:0|a|b|c|d|e|9|"),
]


def record(number, value):
    return (b'{"EventID":1,"SourceName":"Microsoft-Windows-Sysmon","Channel":"Microsoft-Windows-Sysmon/Operational",'
            b'"Hostname":"ws-%d.corp.example","RecordNumber":%d,"EventTime":"2020-07-22T03:27:52Z",'
            b'"Image":"C:\\\\hostile.exe","CommandLine":"x%s.","User":"DOM\\\\u%s.","ProcessId":"4711",'
            b'"ParentImage":"C:\\\\p%s.exe"}\n' % (number, number, value, value, value))


# ---- strict parsers, each after the words of its specification ----

def no_constants(name):
    raise ValueError(name)


def unique(pairs):
    keys = [k for k, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice: {keys}"
    return dict(pairs)


def parse_json(text):
    """RFC 8259, with no key twice in an object and no empty strings."""
    def look(v):
        assert v != "", "an empty string"
        for one in v.values() if isinstance(v, dict) else v if isinstance(v, list) else ():
            look(one)
    document = json.loads(text, parse_constant=no_constants, object_pairs_hook=unique)
    look(document)
    return document


def parse_5424(text):
    """RFC 5424, section 6. @return the header's fields and the message"""
    head = re.match(r"<(?P<pri>0|[1-9][0-9]{0,2})>(?P<version>[1-9][0-9]{0,2}) "
                    r"(?P<time>-|[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
                    r"(?:Z|[+-][0-9]{2}:[0-9]{2})) (?P<host>[!-~]{1,255}) (?P<app>[!-~]{1,48}) (?P<proc>[!-~]{1,128}) "
                    r"(?P<msgid>[!-~]{1,32}) (?P<sd>-)(?: |$)", text)
    assert head, text[:200]
    assert int(head["pri"]) <= 191
    return head.groupdict(), text[head.end():]


def parse_3164(text):
    """RFC 3164, sections 4.1.1 to 4.1.3, without its maximum of 1024 bytes."""
    head = re.match(r"<(?P<pri>0|[1-9][0-9]{0,2})>(?P<time>(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
                    r"(?: [1-9]|[12][0-9]|3[01]) [0-9]{2}:[0-9]{2}:[0-9]{2}) (?P<host>[!-~]+) "
                    r"(?P<tag>[A-Za-z0-9]{1,32}): ", text)
    assert head, text[:200]
    assert int(head["pri"]) <= 191
    return head.groupdict(), text[head.end():]


def unescape(text, allowed):
    """Every backslash must begin one of the escapes that the specification knows."""
    def one(m):
        assert m[1] in allowed, f"\\{m[1]} in {text!r}"
        return {"n": "\n", "r": "\r"}.get(m[1], m[1])
    return re.sub(r"\\(.?)", one, text, flags=re.S)


def parse_cef(text):
    """ArcSight CEF 25: a header of seven fields, `|` and `\\` escaped; key=value, `=` and `\\` escaped, \\n and \\r."""
    fields = re.match(r"CEF:((?:[^|\\]|\\.)*)" + r"\|((?:[^|\\]|\\.)*)" * 6 + r"\|(.*)$", text, re.S)
    assert fields, text[:200]
    header = [unescape(f, "|\\") for f in fields.groups()[:7]]
    assert header[0] == "0" and header[6].isdigit() and int(header[6]) <= 10
    rest, pairs = fields[8], {}
    starts = list(re.finditer(r"(?:^| )([A-Za-z0-9_]+)(?<!\\)=", rest))
    assert starts and starts[0].start() == 0
    for this, after in zip(starts, starts[1:] + [None]):
        value = rest[this.end():after.start() if after else len(rest)]
        assert not re.search(r"(?<!\\)(?:\\\\)*=", value.replace("\\=", "")), value
        assert this[1] not in pairs, f"{this[1]} twice"
        pairs[this[1]] = unescape(value, "=\\nr")
    return header, pairs


def parse_leef(text):
    """LEEF 2.0: a header of five fields and the delimiter in hexadecimal; pairs between delimiters."""
    head = re.match(r"LEEF:2\.0\|([^|]*)\|([^|]*)\|([^|]*)\|([^|]*)\|x([0-9A-Fa-f]{2,4})\|", text)
    assert head, text[:200]
    pairs = {}
    for pair in text[head.end():].split(chr(int(head[5], 16))):
        key, equals, value = pair.partition("=")
        assert equals and re.fullmatch("[A-Za-z0-9]+", key), pair
        assert key not in pairs, f"{key} twice"
        pairs[key] = value
    return list(head.groups()), pairs


# ---- what docs/formats.md puts in the place of what a format cannot say ----

def visible(text, blanks):
    """Control characters, C1 too, as '?', but those of `blanks` as a blank, and those of `keep` as they are."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda m: " " if m[0] in blanks else "?", text)


def in_cef(text):
    return "".join(c if c in "\r\n" else visible(c, "\t") for c in text)


def in_leef(text):
    return visible(text, "\t\r\n")


# ---- OCSF 1.4.0: of each object what it must have, what it may, and of which one must be there ----

SCHEMA = {
    "detection_finding": {
        "required": {"activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time",
                     "type_uid"},
        "allowed": {"activity_name", "actor", "category_name", "class_name", "count", "device", "end_time", "evidences",
                    "is_alert", "message", "observables", "raw_data", "severity", "start_time", "status", "status_id",
                    "type_name", "unmapped"},
        "objects": {"finding_info": "finding_info", "metadata": "metadata", "device": "device", "actor": "actor",
                    "evidences": "evidences", "observables": "observable"}},
    "metadata": {"required": {"product", "version"},
                 "allowed": {"uid", "tenant_uid", "profiles", "log_name", "log_provider", "event_code"},
                 "objects": {"product": "product"}},
    "product": {"required": set(), "allowed": {"name", "vendor_name", "version"}, "one_of": {"name", "uid"}},
    "finding_info": {"required": {"uid"},
                     "allowed": {"title", "desc", "analytic", "attacks", "created_time", "first_seen_time",
                                 "last_seen_time", "types", "data_sources", "related_events"},
                     "objects": {"analytic": "analytic", "attacks": "attack", "related_events": "related_event"}},
    "related_event": {"required": {"uid"}, "allowed": set()},
    "analytic": {"required": {"type_id"}, "allowed": {"type", "uid", "name"}, "one_of": {"name", "uid"}},
    "attack": {"required": set(), "allowed": {"tactic", "technique", "sub_technique"},
               "one_of": {"tactic", "technique", "sub_technique"},
               "objects": {"tactic": "attack_part", "technique": "attack_part", "sub_technique": "attack_part"}},
    "attack_part": {"required": set(), "allowed": {"name", "uid"}, "one_of": {"name", "uid"}},
    "device": {"required": {"type_id"}, "allowed": {"type", "hostname"}, "one_of": {"hostname", "ip", "name", "uid"}},
    "actor": {"required": set(), "allowed": {"user"}, "one_of": {"user", "process"}, "objects": {"user": "user"}},
    "user": {"required": set(), "allowed": {"name", "domain"}, "one_of": {"name", "uid", "account"}},
    "evidences": {"required": set(), "allowed": {"process"}, "one_of": {"process"}, "objects": {"process": "process"}},
    "process": {"required": set(),
                "allowed": {"name", "pid", "uid", "cmd_line", "working_directory", "file", "parent_process"},
                "one_of": {"name", "pid", "uid", "cmd_line"},
                "objects": {"file": "file", "parent_process": "process"}},
    "file": {"required": {"name", "type_id"}, "allowed": {"path", "internal_name"}},
    "observable": {"required": {"name", "type_id"}, "allowed": {"type", "value"}},
}
# Identifier, its captions.
ENUMS = {
    "severity_id": ("severity", {1: "Informational", 2: "Low", 3: "Medium", 4: "High", 5: "Critical"}),
    "status_id": ("status", {1: "New"}),
    "activity_id": ("activity_name", {1: "Create"}),
    "category_uid": ("category_name", {2: "Findings"}),
    "class_uid": ("class_name", {2004: "Detection Finding"}),
}
OBSERVABLES = {1: "Hostname", 4: "User Name", 9: "Process Name", 13: "Command Line"}


def check_object(kind, o, path):
    schema = SCHEMA[kind]
    assert isinstance(o, dict), f"{path}: no object"
    assert schema["required"] <= o.keys(), f"{path}: lacks {schema['required'] - o.keys()}"
    extra = o.keys() - schema["required"] - schema["allowed"]
    assert not extra, f"{path}: {extra} is not of OCSF"
    assert not schema.get("one_of") or schema["one_of"] & o.keys(), f"{path}: none of {schema['one_of']}"
    for key, value in o.items():
        if key.endswith(("_id", "_uid", "time")) and key != "tenant_uid" or key in ("pid", "count"):
            assert type(value) is int, f"{path}.{key}: {value!r}"
        if key in schema.get("objects", {}):
            many = isinstance(value, list)
            assert many == (key in ("attacks", "evidences", "observables", "related_events")), f"{path}.{key}"
            assert value
            for one in value if many else [value]:
                check_object(schema["objects"][key], one, f"{path}.{key}")


def resolve(document, path):
    """Values of an attribute by the name that an observable gives it."""
    found = [document]
    for part in path.split("."):
        found = [v for o in found for v in (o[part] if isinstance(o[part], list) else [o[part]])]
    return found


def check_finding(f):
    check_object("detection_finding", f, "finding")
    for key, (caption, values) in ENUMS.items():
        assert values[f[key]] == f[caption], f"{key} {f[key]} is not {f[caption]}"
    assert f["class_uid"] // 1000 == f["category_uid"]
    assert f["type_uid"] == f["class_uid"] * 100 + f["activity_id"]
    assert f["type_name"] == f"{f['class_name']}: {f['activity_name']}"
    assert f["metadata"]["version"] == "1.4.0" and f["metadata"]["profiles"] == ["host"]
    now = time.time() * 1000
    assert now - 3600e3 < f["time"] <= now + 1000 and f["time"] == f["finding_info"]["created_time"]
    assert f["start_time"] <= f["end_time"] <= f["time"]
    for o in f["observables"]:
        assert OBSERVABLES[o["type_id"]] == o["type"]
        assert o["value"] in resolve(f, o["name"]), o


class Formats(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.lines = None

    def run_all(self, records, config="", env=None, tenant=""):
        """Lines of each format about the same events, in their order."""
        folder = tempfile.mkdtemp(prefix="squibly-formats-")
        rule = os.path.join(folder, "rule.yml")
        with open(rule, "w", encoding="utf-8") as f:
            f.write(RULE)
        outputs = "".join(f"  - type: file\n    path: {folder}/{name}\n    format: {name}\n" for name in FORMATS)
        d = self.daemon(f"inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n{tenant}rules:\n  paths: [{rule}]\n"
                        f"outputs:\n{outputs}{config}", inputs=False, env=env)
        d.send(b"".join(records))
        d.wait_received(len(records))
        self.assert_stops(d, len(records))
        lines = {}
        for name in FORMATS:
            with open(os.path.join(folder, name), "rb") as f:
                data = f.read()
            self.assertTrue(data.endswith(b"\n"))
            lines[name] = [line.decode("utf-8") for line in data[:-1].split(b"\n")]  # strict: or an exception
        return lines

    def hostile(self):
        if Formats.lines is None:
            Formats.lines = self.run_all([record(i, value) for i, (_, value, _) in enumerate(HOSTILE)],
                                         tenant="    tenant: north\n")
        return Formats.lines

    def each(self, name):
        lines = self.hostile()[name]
        self.assertEqual(len(lines), len(HOSTILE), "more lines than alerts, or fewer")
        order = {}
        for line in lines:
            order[int(re.search(r"ws-(\d+)\.corp\.example", line)[1])] = line
        self.assertEqual(sorted(order), list(range(len(HOSTILE))))
        for number, (case, _, text) in enumerate(HOSTILE):
            with self.subTest(format=name, value=case):
                yield order[number], text, number

    def look_at_json(self, a, text, number):
        self.assertEqual(a["process"]["command_line"], f"x{text}.")
        # What stands behind a backslash is the name, and before the last one the domain.
        self.assertEqual(a["user"]["domain"], "DOM")
        self.assertEqual(a["user"]["name"], f"u{text}.")
        self.assertEqual(a["process"]["parent"]["executable"], f"C:\\p{text}.exe")
        self.assertEqual(a["rule"]["name"], TITLE)
        self.assertEqual(a["host"]["name"], f"ws-{number}.corp.example")
        self.assertEqual((a["squibly"]["tenant"], a["organization"]), ("north", {"name": "north"}))
        self.assertRegex(a["event"]["id"], "^[0-9a-f]{32}$")

    def test_json(self):
        for line, text, number in self.each("json"):
            self.look_at_json(parse_json(line), text, number)

    def test_syslog(self):
        for line, text, number in self.each("syslog"):
            header, message = parse_5424(line)
            self.assertEqual((header["pri"], header["app"], header["msgid"]),
                             ("107", "squiblyd", RULE_ID.replace("-", "")))
            self.look_at_json(parse_json(message), text, number)

    def test_syslog3164(self):
        for line, text, number in self.each("syslog3164"):
            header, message = parse_3164(line)
            self.assertEqual((header["pri"], header["tag"]), ("107", "squiblyd"))
            self.assertNotIn(".", header["host"])
            self.look_at_json(parse_json(message), text, number)

    def test_the_time_of_3164_is_local(self):
        lines = self.run_all([record(7, b"x")], env={"TZ": "TST-5:30"})
        header, message = parse_3164(lines["syslog3164"][0])
        created = datetime.datetime.fromisoformat(json.loads(message)["event"]["created"].rstrip("Z"))
        local = created + datetime.timedelta(hours=5, minutes=30)
        self.assertEqual(header["time"], f"{local:%b} {local.day:2} {local:%H:%M:%S}")

    def test_cef(self):
        for line, text, number in self.each("cef"):
            header, pairs = parse_cef(line)
            self.assertEqual(header[4:6], [RULE_ID, TITLE])
            self.assertEqual(pairs["cs1"], in_cef(f"x{text}.")[:4000])
            self.assertEqual(pairs["duser"], in_cef(f"u{text}.")[:1023])
            self.assertEqual(pairs["cs2"], in_cef(f"C:\\p{text}.exe")[:4000])
            self.assertEqual(pairs["cn1"], str(number))
            self.assertEqual(pairs["squiblydTenant"], "north")
            self.assertRegex(pairs["externalId"], "^[0-9a-f]{32}$")

    def test_leef(self):
        for line, text, number in self.each("leef"):
            header, pairs = parse_leef(line)
            self.assertEqual(header[3], RULE_ID)
            self.assertEqual(pairs["commandLine"], in_leef(f"x{text}."))
            self.assertEqual(pairs["usrName"], in_leef(f"u{text}."))
            self.assertEqual(pairs["ruleName"], TITLE)
            self.assertEqual(pairs["recordId"], str(number))
            self.assertEqual(pairs["tenant"], "north")
            self.assertRegex(pairs["alertId"], "^[0-9a-f]{32}$")

    def test_ocsf(self):
        for line, text, number in self.each("ocsf"):
            f = parse_json(line)
            check_finding(f)
            process = f["evidences"][0]["process"]
            self.assertEqual(process["cmd_line"], f"x{text}.")
            self.assertEqual(process["file"], {"name": "hostile.exe", "path": "C:\\hostile.exe", "type_id": 1})
            self.assertEqual(process["pid"], 4711)
            self.assertEqual(process["parent_process"]["file"]["path"], f"C:\\p{text}.exe")
            self.assertEqual(f["actor"]["user"], {"name": f"u{text}.", "domain": "DOM"})
            self.assertEqual(f["device"]["hostname"], f"ws-{number}.corp.example")
            self.assertEqual(f["start_time"], 1595388472000)
            self.assertEqual((f["metadata"]["tenant_uid"], f["unmapped"]["squibly"]["tenant"]), ("north", "north"))
            info = f["finding_info"]
            self.assertEqual((info["title"], info["desc"]), (TITLE, "Says what it finds."))
            self.assertEqual(info["analytic"], {"uid": RULE_ID, "name": TITLE, "type_id": 1, "type": "Rule"})
            tactic = {"uid": "TA0005", "name": "Defense Evasion"}
            self.assertEqual(info["attacks"], [
                {"tactic": tactic, "technique": {"uid": "T1218"}, "sub_technique": {"uid": "T1218.010"}},
                {"tactic": tactic, "technique": {"uid": "T1105"}}])
            self.assertEqual(info["uid"], f["metadata"]["uid"])
            self.assertEqual(info["related_events"], [{"uid": f["unmapped"]["squibly"]["event_id"]}])

    def test_every_format_has_the_same_ids(self):
        lines = self.hostile()
        for number in range(len(HOSTILE)):
            host = f"ws-{number}.corp.example"
            of = {name: next(x for x in lines[name] if host in x) for name in FORMATS}
            document = parse_json(of["json"])
            want = (document["event"]["id"], document["squibly"]["event_id"])
            cef, leef, finding = parse_cef(of["cef"])[1], parse_leef(of["leef"])[1], parse_json(of["ocsf"])
            self.assertEqual((cef["externalId"], cef["squiblydEventId"]), want)
            self.assertEqual((leef["alertId"], leef["eventId"]), want)
            self.assertEqual((finding["metadata"]["uid"], finding["unmapped"]["squibly"]["event_id"]), want)

    def test_the_count_of_repeats_has_an_id_of_its_own(self):
        """A receiver that drops what it has had must not drop the count."""
        records = [record(7, b"same") for _ in range(4)]
        lines = self.run_all(records, "fold:\n  window: 1h\n")
        parsers = {"json": parse_json, "syslog": lambda x: parse_json(parse_5424(x)[1]),
                   "syslog3164": lambda x: parse_json(parse_3164(x)[1]), "cef": lambda x: parse_cef(x)[1],
                   "leef": lambda x: parse_leef(x)[1], "ocsf": parse_json}
        ids = set()
        for name in FORMATS:
            first, count = (parsers[name](line) for line in lines[name])
            if name == "cef":
                a, b, n = first["externalId"], count["externalId"], int(count["cnt"])
            elif name == "leef":
                a, b, n = first["alertId"], count["alertId"], int(count["cnt"])
            elif name == "ocsf":
                check_finding(count)
                a, b, n = first["metadata"]["uid"], count["metadata"]["uid"], count["count"]
            else:
                a, b, n = first["event"]["id"], count["event"]["id"], count["squibly"]["repeats"]
            self.assertEqual(n, 3)
            self.assertNotEqual(a, b)
            ids.add((a, b))
        self.assertEqual(len(ids), 1, "formats differ")


if __name__ == "__main__":
    main()
