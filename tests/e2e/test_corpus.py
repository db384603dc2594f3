"""Real events: what is found in them and what is not. Skipped where the shared events are absent."""
import collections
import glob
import json
import os

from harness import Case, lines_of, main, scan, shared

EVENTS = 19_318
ATTACK = "empire_launcher_sct_regsvr32"
SERIOUS = {"medium", "high", "critical"}
SQUIBLYDOO = "Squiblydoo: regsvr32 runs a scriptlet from a URL"
CHILD = "regsvr32 starts a shell, a tool of Windows or a program out of a writable folder"
ENCODED = "PowerShell runs an encoded command without a window"
LOADER = "A program of Windows loads code out of a writable folder or from an address"
# Every alert of medium and above: (file, rule, event id): (level, how many, why it is right).
JUSTIFIED = {
    (ATTACK, SQUIBLYDOO, "1"): ("critical", 1, "the attack itself, as Sysmon saw it"),
    (ATTACK, SQUIBLYDOO, "4688"): ("critical", 1, "the attack itself, as the security log saw it"),
    (ATTACK, CHILD, "1"): ("high", 1, "the scriptlet starts PowerShell"),
    (ATTACK, CHILD, "4688"): ("high", 1, "the same start"),
    (ATTACK, "regsvr32 loads the engine of scriptlets or of scripts", "7"):
        ("high", 2, "scrobj.dll, then jscript.dll, milliseconds after the start"),
    (ATTACK, "WinINet is set up inside regsvr32", "13"): ("high", 11, "zone map and cache, before the download"),
    (ATTACK, "regsvr32 connects to another machine", "3"): ("high", 1, "the download"),
    (ATTACK, "regsvr32 connects to another machine (filtering platform)", "5156"): ("high", 1, "the same"),
    (ATTACK, "A PowerShell script carries an attack with regsvr32", "4104"): ("high", 1, "how it was started"),
    ("covenant_dcsync_dcerpc_drsuapi_DsGetNCChanges",
     "An account that is no domain controller replicates the directory", "4662"):
        ("high", 3, "a user's account asks for password hashes (DCSync)"),
    ("empire_launcher_vbs", ENCODED, "1"): ("high", 1, "a script starts the stager of Empire"),
    ("empire_launcher_vbs", ENCODED, "4688"): ("high", 1, "the same start"),
    ("cmd_bitsadmin_download_psh_script", "bitsadmin fetches a file or has a command run when a job is done", "1"):
        ("medium", 1, "a script is fetched to Temp with bitsadmin"),
    ("cmd_bitsadmin_download_psh_script", "bitsadmin fetches a file or has a command run when a job is done", "4688"):
        ("medium", 1, "the same start"),
    ("empire_schtasks_creation_standard_user",
     "A task, service or Run value is made that runs foreign code through a helper of Windows", "1"):
        ("high", 1, "a task that decodes and runs the stager of Empire"),
    ("empire_schtasks_creation_standard_user",
     "A task, service or Run value is made that runs foreign code through a helper of Windows", "4688"):
        ("high", 1, "the same start"),
    ("empire_schtasks_creation_standard_user",
     "A task, service, registry value or WMI consumer is to run foreign code through a helper of Windows", "4698"):
        ("high", 1, "the task itself"),
    ("psh_cmstp_execution_bypassuac",
     "cmstp installs a profile from another machine or out of a writable folder", "1"):
        ("high", 1, "an INF file in ProgramData, silently: a bypass of user account control"),
    ("psh_cmstp_execution_bypassuac",
     "cmstp installs a profile from another machine or out of a writable folder", "4688"):
        ("high", 1, "the same start"),
    ("covenant_installutil", LOADER, "1"): ("high", 1, "the implant of Covenant, out of ProgramData"),
    ("covenant_installutil", LOADER, "4688"): ("high", 1, "the same start"),
    ("psh_mshta_html_application_execution", LOADER, "1"):
        ("high", 1, "an HTML application in the folder that runs at each logon"),
    ("psh_mshta_html_application_execution", LOADER, "4688"): ("high", 1, "the same start"),
    ("wmic_remote_xsl_jscript", "wmic formats its output with a script of its own", "1"):
        ("high", 1, "a style sheet with script from a web server (SquiblyTwo)"),
    ("wmic_remote_xsl_jscript", "wmic formats its output with a script of its own", "4688"):
        ("high", 1, "the same start"),
}

# The same twenty events in every shape, judged: (event id, rule).
WANT_SHAPES = [
    ("1", SQUIBLYDOO),
    ("1", CHILD),
    ("13", "WinINet is set up inside regsvr32"),
    ("3", "regsvr32 connects to another machine"),
    ("4688", SQUIBLYDOO),
    ("4688", CHILD),
    ("4689", "regsvr32 ended and said that the call into the library failed"),
]


def corpus_files(root):
    return sorted(sum((glob.glob(os.path.join(root, "corpus", folder, "*.ndjson.gz"))
                       for folder in ("nxlog", "nxlog-wef", "winlogbeat6")), []))


def what(alert):
    """What an alert says but for when and where squibly made it, comparable."""
    alert = json.loads(json.dumps(alert))
    alert["event"].pop("created", None)
    alert["event"].pop("ingested", None)
    alert.pop("observer", None)
    return json.dumps(alert, sort_keys=True)


class Corpus(Case):
    @classmethod
    def setUpClass(cls):
        cls.root = shared()

    def test_nothing_is_malformed_and_every_serious_alert_is_justified(self):
        total, found, levels = 0, collections.Counter(), {}
        files = corpus_files(self.root)
        self.assertEqual(len(files), 12)
        for path in files:
            name = os.path.basename(path).split("_2")[0]
            alerts, n = scan(path)
            total += n["events"]
            self.assertEqual((n["malformed"], n["oversized"]), (0, 0), path)
            for a in alerts:
                if a["rule"]["level"] in SERIOUS:
                    found[name, a["rule"]["name"], a["event"]["code"]] += 1
                    levels[name, a["rule"]["name"], a["event"]["code"]] = a["rule"]["level"]
        self.assertEqual(total, EVENTS)
        self.maxDiff = None
        self.assertEqual({key: (levels[key], n) for key, n in found.items()},
                         {key: (level, n) for key, (level, n, _) in JUSTIFIED.items()})

    def test_both_starts_of_the_attack_are_critical_and_their_children_high(self):
        path = next(p for p in corpus_files(self.root) if ATTACK in p)
        starts = [a for a in scan(path)[0] if a["event"]["code"] in ("1", "4688") and a["rule"]["level"] in SERIOUS]
        own = [a for a in starts if "launcher.sct" in a["process"]["command_line"]]
        self.assertEqual(sorted((a["event"]["code"], a["rule"]["level"]) for a in own),
                         [("1", "critical"), ("4688", "critical")])
        children = [a for a in starts if a["process"]["parent"]["executable"].lower().endswith("\\regsvr32.exe")]
        self.assertEqual({(a["event"]["code"], a["rule"]["level"]) for a in children},
                         {("1", "high"), ("4688", "high")})

    def test_the_oracle_gives_the_same_alerts(self):
        paths = corpus_files(self.root)
        paths += sorted(path for path in glob.glob(os.path.join(self.root, "corpus", "shapes", "*.gz"))
                        if "derived_expected" not in path)  # a table of values, no producer's events
        paths += sorted(glob.glob(os.path.join(self.root, "labelled", "commandlines.*.gz")))
        fast, n_fast = scan("--max-record", "16777216", *paths)
        plain, n_plain = scan("--max-record", "16777216", "--plain", *paths)
        self.assertGreater(n_fast.pop("unread"), 0)
        self.assertEqual(n_plain.pop("unread"), 0)
        self.assertEqual(n_fast, n_plain)
        self.assertEqual([what(a) for a in fast], [what(a) for a in plain])
        self.assertGreater(len(fast), 100)


class Shapes(Case):
    # Lists of values without names: what they mean is known for the start of a process, not its end.
    NO_ENDS = ["derived_fluentbit_winevtlog_stringinserts", "derived_fluentd_windows_eventlog2"]
    # Shapes that cannot carry everything, by nature of their producer.
    FEWER = {"derived_fluentbit_winlog_old": 8, "derived_winlogbeat_7.7_module_argsonly": 12}

    @classmethod
    def setUpClass(cls):
        cls.root = shared()

    def test_every_shape_gives_the_same_alerts(self):
        def key(a):
            return (a["event"]["code"], a["rule"]["name"], a["process"]["executable"].lower())

        files = sorted(glob.glob(os.path.join(self.root, "corpus", "shapes", "derived_*.gz")))
        files = [f for f in files if "derived_expected" not in f and "es_bulk" not in f]
        self.assertGreaterEqual(len(files), 26)
        reference = os.path.join(self.root, "corpus", "shapes", "derived_winlogbeat_8.17_raw.ndjson.gz")
        want = sorted(key(a) for a in scan(reference)[0])
        self.assertEqual([k[:2] for k in want], WANT_SHAPES)
        for path in files:
            name = os.path.basename(path).split(".ndjson")[0].split(".txt")[0].split(".bin")[0]
            with self.subTest(name):
                alerts, n = scan(path)
                self.assertEqual(n["malformed"], 0)
                self.assertEqual(n["events"], self.FEWER.get(name, 20))
                if name in self.FEWER:
                    self.assertTrue(set(key(a) for a in alerts) <= set(want))
                    self.assertTrue(alerts)
                else:
                    self.assertEqual(sorted(key(a) for a in alerts),
                                     [k for k in want if k[0] != "4689" or name not in self.NO_ENDS])

    def test_a_wrapped_event_gives_the_same_alerts(self):
        def key(a):
            return (a["event"]["code"], a["rule"]["name"], a.get("process", {}).get("executable", "").lower())

        tried = 0
        for path in sorted(glob.glob(os.path.join(self.root, "corpus", "shapes", "*.ndjson.gz"))):
            lines = [line for line in lines_of(path) if line.startswith(b"{")]
            plain = b"".join(line + b"\n" for line in lines)
            want = sorted(key(a) for a in scan("-", stdin=plain)[0])
            for wrapper in (b"event", b"_source"):  # HEC; a search hit
                with self.subTest(os.path.basename(path), wrapper=wrapper):
                    wrapped = b"".join(b'{"%s":%s}\n' % (wrapper, line) for line in lines)
                    self.assertEqual(sorted(key(a) for a in scan("-", stdin=wrapped)[0]), want)
                    tried += len(want)
        self.assertGreater(tried, 200)


if __name__ == "__main__":
    main()
