"""Real events: what is found in them and what is not. Skipped where the shared events are absent."""
import collections
import glob
import json
import os

from harness import Case, lines_of, main, scan, shared

EVENTS = 19_318
ATTACK = "empire_launcher_sct_regsvr32"
SERIOUS = {"medium", "high", "critical"}
# Alerts of medium and above in files other than that of the attack: (file, rule): (count, why).
JUSTIFIED = {}


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
        total, found = 0, collections.Counter()
        files = corpus_files(self.root)
        self.assertEqual(len(files), 12)
        for path in files:
            name = os.path.basename(path).split("_2")[0]
            alerts, n = scan(path)
            total += n["events"]
            self.assertEqual((n["malformed"], n["oversized"]), (0, 0), path)
            if ATTACK in path:
                self.check_attack(alerts)
                continue
            for a in alerts:
                if a["rule"]["level"] in SERIOUS:
                    found[name, a["rule"]["name"]] += 1
        self.assertEqual(total, EVENTS)
        self.assertEqual(dict(found), {key: count for key, (count, _) in JUSTIFIED.items()})

    def check_attack(self, alerts):
        creations = [a for a in alerts if a["rule"]["level"] in ("high", "critical")
                     and "launcher.sct" in a["process"]["command_line"]]
        self.assertEqual(sorted(a["event"]["code"] for a in creations), ["1", "4688"])

    def test_the_oracle_gives_the_same_alerts(self):
        paths = corpus_files(self.root)
        paths += sorted(path for path in glob.glob(os.path.join(self.root, "corpus", "shapes", "*.gz"))
                        if "derived_expected" not in path)  # a table of values, no producer's events
        paths += sorted(glob.glob(os.path.join(self.root, "labelled", "commandlines.*.gz")))
        fast, n_fast = scan("--max-record", "16777216", *paths)
        plain, n_plain = scan("--max-record", "16777216", "--plain", *paths)
        self.assertEqual(n_fast, n_plain)
        self.assertEqual([what(a) for a in fast], [what(a) for a in plain])
        self.assertGreater(len(fast), 100)


class Shapes(Case):
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
        self.assertEqual([k[:2] for k in want], [
            ("1", "Squiblydoo: regsvr32 runs a scriptlet from a URL"),
            ("1", "regsvr32 starts a shell, a script host or a system tool"),
            ("4688", "Squiblydoo: regsvr32 runs a scriptlet from a URL"),
            ("4688", "regsvr32 starts a shell, a script host or a system tool")])
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
                    self.assertEqual(sorted(key(a) for a in alerts), want)


class Labelled(Case):
    @classmethod
    def setUpClass(cls):
        cls.root = shared()

    def test_awkward_json_is_read_as_expected(self):
        path = os.path.join(self.root, "labelled", "jsontricks.jsonl")
        rows = [json.loads(line) for line in lines_of(path)]
        self.assertEqual(len(rows), 22)
        for row in rows:
            with self.subTest(f"{row['id']}: {row['trick']}"):
                alerts, n = scan(stdin=row["raw"].encode("utf-8", "surrogatepass") + b"\n")
                self.assertEqual(n["events"], 1)
                if row["expect"] == "alert":
                    self.assertTrue(alerts)
                    self.assertEqual(n["malformed"], 0)
                elif row["expect"] == "no-alert":
                    self.assertEqual((alerts, n["malformed"]), ([], 0))
                elif row["expect"] == "malformed":
                    self.assertEqual((alerts, n["malformed"]), ([], 1))
                else:
                    self.assertEqual(row["expect"], "alert-or-malformed")
                    self.assertTrue(alerts or n["malformed"] == 1)

    def test_what_is_benign_raises_nothing_beyond_what_its_label_allows(self):
        rank = ["", "informational", "low", "medium", "high", "critical"]
        most = {}
        for line in lines_of(os.path.join(self.root, "labelled", "expect.tsv"))[1:]:
            id_, verdict, _, highest = line.decode().split("\t")
            most[id_] = (verdict, highest)
        for shape, label in (("nxlog", lambda e: e["LabelId"]), ("winlogbeat", lambda e: e["labels"]["id"])):
            alerts, n = scan(os.path.join(self.root, "labelled", f"commandlines.{shape}.jsonl.gz"))
            self.assertEqual((n["events"], n["malformed"]), (189, 0))
            seen = collections.Counter()
            for a in alerts:
                id_ = label(json.loads(a["event"]["original"]))
                seen[id_] += 1
                verdict, highest = most[id_]
                with self.subTest(f"{shape} {id_} {a['rule']['name']}: {a['process']['command_line']}"):
                    self.assertLessEqual(rank.index(a["rule"]["level"]), rank.index(highest))
            malicious = [i for i, (verdict, _) in most.items() if verdict == "malicious"]
            caught = sum(1 for i in malicious if seen[i])
            print(f"{shape}: {caught} of {len(malicious)} malicious rows raise an alert")
            self.assertGreaterEqual(caught, len(malicious) // 2)


if __name__ == "__main__":
    main()
