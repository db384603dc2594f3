"""Three ways to the same alerts, and the daemon that checks the first by the third while it runs.

fast: sieve, skim, Hyperscan. middle: yajl reads every record, Hyperscan. slow: yajl, and each rule
tried as it was written, which is `squibly scan --plain`.
"""
import collections
import glob
import gzip
import json
import os
import tempfile

from harness import BUILD, DEMO, Case, eventually, lines_of, main, ordinary, scan, shared

LIAR = os.path.join(BUILD, "tests", "e2e", "squiblyd_liar")
CHECK_ALL = "check_one_in: 1\ncheck_share: 100\n"
RULE = """title: Blind
id: 11111111-2222-4333-8444-555555555555
level: high
logsource: {product: windows, category: process_creation}
detection:
  s:
    CommandLine|contains: 'spot'
  condition: s
"""


def said(alert):
    """What an alert says of its event, comparable whoever made it."""
    alert = json.loads(alert) if isinstance(alert, str) else alert
    return (alert["rule"].get("id") or alert["rule"]["name"], alert["event"].get("original"),
            json.dumps(alert["squibly"]["matched"]))


def slurp(path):
    with (gzip.open if path.endswith(".gz") else open)(path, "rb") as f:
        return f.read()


def numbers(counters, *names):
    """Those that are zero are not printed."""
    return tuple(counters.get(f"oracle_{name}", 0) for name in names)


class Ways(Case):
    def alerts_of(self, config, paths):
        """Each file in a connection of its own, since each is framed in its own way."""
        d = self.daemon(config)
        n = 0
        for path in paths:
            d.send(slurp(path))
            n += 1
            eventually(f"connection {n} is read to its end", lambda: d.counters().get("connections", 0) >= n)
        last = {}

        def quiet():
            before = dict(last)
            last.update(d.counters())
            return before and before.get("bytes_in") == last["bytes_in"] >= sum(sizes)
        sizes = [len(slurp(p)) for p in paths]
        eventually("all bytes are read", quiet, 240)
        c = self.assert_stops(d)
        return collections.Counter(said(line) for line in d.out), c, d

    def agree(self, paths):
        """Fast and checked, against middle, against slow. @return the counters of the fast one"""
        fast, c, d = self.alerts_of(CHECK_ALL, paths)
        self.assertEqual(numbers(c, "disagreed", "raised", "skipped"), (0, 0, 0), "\n".join(d.err))
        self.assertNotIn("check finds", "\n".join(d.err))
        middle, m, _ = self.alerts_of("validate: all\nskim: false\ncheck_one_in: 0\n", paths)
        self.assertEqual(numbers(m, "checked", "disagreed"), (0, 0))
        self.assertFalse({"left_out", "skim_unsure"} & m.keys(), m)
        slow = collections.Counter(said(a) for a in scan("--plain", *paths)[0])
        self.assertEqual(fast, middle)
        self.assertEqual(fast, slow)
        self.assertGreater(sum(fast.values()), 0)
        self.assertEqual(sum(fast.values()), c["alerts"])
        return c

    def test_on_our_own_events(self):
        paths = [os.path.join(DEMO, name) for name in ("nxlog.ndjson", "winlogbeat.ndjson")]
        c = self.agree(paths)
        self.assertEqual(c["oracle_checked"], sum(len(lines_of(p)) for p in paths))

    def test_on_every_real_event(self):
        root = shared()
        paths = sorted(sum((glob.glob(os.path.join(root, "corpus", folder, "*.ndjson.gz"))
                            for folder in ("nxlog", "nxlog-wef", "winlogbeat6")), []))
        self.assertEqual(len(paths), 12)
        c = self.agree(paths)
        self.assertEqual(c["received"], 19_318)
        self.assertEqual(c["oracle_checked"], c["received"])

    def test_on_every_shape_and_labelled_row(self):
        root = shared()
        paths = sorted(p for p in glob.glob(os.path.join(root, "corpus", "shapes", "*.gz")) if "expected" not in p)
        paths += sorted(glob.glob(os.path.join(root, "labelled", "*.gz")))
        paths += [os.path.join(root, "labelled", name) for name in ("otherevents.jsonl", "sequences.jsonl")]
        c = self.agree(paths)
        self.assertGreater(c["oracle_checked"], 500)


class Check(Case):
    def test_about_one_record_in_so_many_is_checked(self):
        d = self.daemon("check_one_in: 100\ncheck_share: 100\n")
        d.send(b"".join(ordinary(i) for i in range(20_000)))
        d.wait_received(20_000)
        c = self.assert_stops(d, 20_000)
        self.assertTrue(140 <= c["oracle_checked"] <= 260, c)  # 200, and a few standard deviations of 8
        self.assertEqual(numbers(c, "disagreed", "skipped"), (0, 0))

    def test_none_when_none_is_wanted(self):
        d = self.daemon("check_one_in: 0\n")
        d.send(b"".join(ordinary(i) for i in range(1000)))
        d.wait_received(1000)
        self.assertEqual(numbers(self.assert_stops(d, 1000), "checked", "skipped"), (0, 0))

    def test_no_more_than_the_share_of_time(self):
        d = self.daemon("check_one_in: 1\ncheck_share: 1\n")
        lines = b"".join(ordinary(i) for i in range(20_000))
        for _ in range(5):
            d.send(lines)
        d.wait_received(100_000)
        c = self.assert_stops(d, 100_000)
        self.assertEqual(c["oracle_checked"] + c["oracle_skipped"], 100_000)
        self.assertGreater(c["oracle_skipped"], 50_000)
        self.assertGreater(c["oracle_checked"], 0)


class Liar(Case):
    """A squiblyd whose Hyperscan misses some texts."""

    def lying(self, config):
        folder = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        with open(os.path.join(folder, "rule.yml"), "w", encoding="utf-8") as f:
            f.write(RULE)
        return self.daemon(f"{config}rules:\n  paths: [{folder}/rule.yml]\n"
                           f"dead_letter:\n  path: {folder}/dead.json\n", program=LIAR, folder=folder)

    def test_a_missed_attack_is_raised_logged_and_kept(self):
        d = self.lying(CHECK_ALL)
        hidden = ordinary(1).replace(b"notepad.exe 1.txt", b"x blind spot")
        d.send(ordinary(0) + hidden + ordinary(2).replace(b"notepad.exe 2.txt", b"a spot"))
        d.wait_received(3)
        d.wait_said(r"a check finds other alerts, please report: 127\.0\.0\.1:\d+: only the slow way finds "
                    r"\"Blind\" \(11111111-2222-4333-8444-555555555555\); record: \{\"EventID\":4688,")
        c = self.assert_stops(d, 3)
        self.assertEqual(numbers(c, "checked", "disagreed", "raised", "skipped"), (3, 1, 1, 0))
        self.assertEqual((c["alerts"], c["alerted"], c["clean"], c["malformed"]), (2, 1, 2, 0))
        alerts = [json.loads(line) for line in d.out]
        self.assertEqual([a["event"]["original"].encode() + b"\n" for a in alerts if "blind" in a["event"]["original"]],
                         [hidden])
        self.assertEqual(len(alerts), 2)
        dead = [json.loads(line) for line in lines_of(os.path.join(d.folder, "dead.json"))]
        self.assertEqual([x["record"].encode() + b"\n" for x in dead], [hidden])
        self.assertTrue(dead[0]["reason"].startswith('oracle: only the slow way finds "Blind"'), dead)

    def test_unchecked_it_stays_hidden(self):
        d = self.lying("check_one_in: 0\n")
        d.send(ordinary(1).replace(b"notepad.exe 1.txt", b"x blind spot"))
        d.wait_received(1)
        self.assertEqual(self.assert_stops(d, 1).get("alerts", 0), 0)

    def test_many_are_told_at_a_rate(self):
        d = self.lying(CHECK_ALL)
        for i in range(40):
            d.send(ordinary(i).replace(b"notepad.exe ", b"blind spot "))
            d.wait_received(i + 1)
        c = self.assert_stops(d, 40)
        self.assertEqual((c["oracle_disagreed"], c["alerts"]), (40, 40))
        lines = sum("a check finds other alerts" in line for line in d.err)
        self.assertTrue(10 <= lines <= 39, lines)


if __name__ == "__main__":
    main()
