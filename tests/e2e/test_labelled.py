"""Labelled events: every verdict of the shipped rules, and tables of how they came about.

Exact: each malicious, suspicious and benign row must come out between the least and the most that
its label allows. Skipped where the labelled events are absent.
"""
import collections
import json
import os

from harness import Case, lines_of, main, scan, shared

LEVELS = ["none", "informational", "low", "medium", "high", "critical"]
VERDICTS = ["malicious", "suspicious", "benign"]
MALICIOUS = {"critical", "high"}


def rank(level):
    return LEVELS.index(level)


def highest(alerts):
    return max((a["rule"]["level"] for a in alerts), key=rank, default="none")


def table(title, rows):
    """Print how many rows of each verdict came out at each level; `rows` are (verdict, level, alerts)."""
    count = collections.Counter((verdict, level) for verdict, level, _ in rows)
    print(f"\n{title:32}" + "".join(f"{level:>14}" for level in LEVELS) + f"{'alerts':>8}")
    for verdict in VERDICTS:
        if any(v == verdict for v, _, _ in rows):
            print(f"  {verdict:30}" + "".join(f"{count[verdict, level] or '.':>14}" for level in LEVELS)
                  + f"{sum(n for v, _, n in rows if v == verdict):8}")


class Labelled(Case):
    @classmethod
    def setUpClass(cls):
        cls.root = os.path.join(shared(), "labelled")

    def path(self, name):
        return os.path.join(self.root, name)

    def rows(self, name):
        return [json.loads(line) for line in lines_of(self.path(name))]

    def test_every_command_line_is_judged_as_labelled_in_both_shapes(self):
        labels = [line.decode().split("\t") for line in lines_of(self.path("expect.tsv"))[1:]]
        behaviour = {row["id"]: row["behaviour"] for row in self.rows("commandlines.jsonl")}
        self.assertEqual(len(labels), 189)
        for shape, label in (("nxlog", lambda e: e["LabelId"]), ("winlogbeat", lambda e: e["labels"]["id"])):
            alerts, n = scan(self.path(f"commandlines.{shape}.jsonl.gz"))
            self.assertEqual((n["events"], n["malformed"], n["oversized"]), (189, 0, 0))
            by_row = collections.defaultdict(list)
            for a in alerts:
                by_row[label(json.loads(a["event"]["original"]))].append(a)
            right, seen = 0, []
            for id_, verdict, least, most in labels:
                level = highest(by_row[id_])
                seen.append((verdict, level, len(by_row[id_])))
                names = [a["rule"]["name"] for a in by_row[id_]]
                with self.subTest(f"{shape} {id_} {verdict} {behaviour[id_]}: {level} {names}"):
                    self.assertLessEqual(rank(least), rank(level))
                    self.assertLessEqual(rank(level), rank(most))
                    right += 1
            table(f"command lines, {shape}", seen)
            print(f"  {right} of {len(labels)} as labelled")
            self.assertEqual(right, 189)

    def test_every_other_event_is_judged_as_labelled(self):
        allowed = {"malicious": ("high", "critical"), "suspicious": ("low", "critical"), "benign": ("none", "low")}
        seen = []
        for row in self.rows("otherevents.jsonl"):
            sysmon = "Sysmon" in row["channel"]
            event = {"EventTime": "2026-11-20T10:00:00.000000+00:00", "Hostname": "ws-1.corp.example",
                     "EventID": row["event_id"], "Channel": row["channel"],
                     "SourceName": "Microsoft-Windows-" + ("Sysmon" if sysmon else "Security-Auditing")}
            alerts, n = scan(stdin=json.dumps({**event, **row["fields"]}).encode() + b"\n")
            self.assertEqual((n["events"], n["malformed"]), (1, 0))
            level = highest(alerts)
            seen.append((row["verdict"], level, len(alerts)))
            with self.subTest(f"{row['id']} {row['verdict']} {row['behaviour']}: {level}"):
                least, most = allowed[row["verdict"]]
                self.assertLessEqual(rank(least), rank(level))
                self.assertLessEqual(rank(level), rank(most))
        self.assertEqual(len(seen), 39)
        table("other events", seen)

    def test_awkward_json_is_read_as_expected(self):
        rows = self.rows("jsontricks.jsonl")
        self.assertEqual(len(rows), 22)
        for row in rows:
            with self.subTest(f"{row['id']}: {row['trick']}"):
                alerts, n = scan(stdin=row["raw"].encode("utf-8", "surrogatepass") + b"\n")
                self.assertEqual(n["events"], 1)
                level = highest(alerts)
                if row["expect"] == "alert":
                    self.assertEqual((level, n["malformed"]), ("critical", 0))
                elif row["expect"] == "no-alert":
                    self.assertEqual((alerts, n["malformed"]), ([], 0))
                elif row["expect"] == "malformed":
                    self.assertEqual((alerts, n["malformed"]), ([], 1))
                else:
                    self.assertEqual(row["expect"], "alert-or-malformed")
                    self.assertTrue(level in MALICIOUS or n["malformed"] == 1)


if __name__ == "__main__":
    main()
