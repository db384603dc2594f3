"""The sieve leaves out no record that gives an alert: the same alerts as when every record is read, on all shared events."""
import glob
import json
import os
import tempfile

from harness import SOURCE, Case, lines_of, main, scan, shared, squibly

READ_ALL = "--malformed"  # who asks what cannot be read wants every record read


def timeless(alerts):
    """Alerts without what the clock says: when they were made, which is also the time of events that have none."""
    for alert in alerts:
        created = alert["event"].pop("created")
        if alert["@timestamp"] == created:
            del alert["@timestamp"]
    return alerts


class Sieve(Case):
    def same(self, *args, stdin=None):
        all_of_them, _ = scan(READ_ALL, *args, stdin=stdin)
        sieved, _ = scan(*args, stdin=stdin)
        self.assertEqual(timeless(sieved), timeless(all_of_them))
        return len(sieved)

    def test_real_events_give_the_same_alerts(self):
        files = sorted(glob.glob(os.path.join(shared(), "corpus", "*", "*.gz")))
        self.assertTrue(files)
        self.assertGreater(sum(self.same(path) for path in files), 0)

    def test_labelled_events_give_the_same_alerts(self):
        files = sorted(glob.glob(os.path.join(shared(), "labelled", "*.jsonl*")))
        self.assertTrue(files)
        self.assertGreater(sum(self.same(path) for path in files), 0)

    def test_tricks_of_json_give_the_same_alerts(self):
        rows = [json.loads(line)["raw"] for line in lines_of(os.path.join(shared(), "labelled", "jsontricks.jsonl"))]
        self.assertGreater(self.same("-", stdin="\n".join(rows).encode("utf-8", "surrogatepass")), 0)


class Plan(Case):
    def plan(self, *paths):
        out, _ = squibly("check", "--plan", *paths)
        return out.decode().splitlines()

    def test_no_shipped_rule_keeps_every_record(self):
        lines = self.plan(os.path.join(SOURCE, "patterns"))
        self.assertRegex(lines[-1], r"^[0-9]+ words; 0 rules keep every record$")
        mshta = [line for line in lines if "mshta-script-or-address.yml" in line]
        self.assertEqual(len(mshta), 1)
        self.assertTrue(mshta[0].endswith(': "mshta"'), mshta[0])

    def test_a_rule_without_promise_is_told(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as f:
            f.write("title: Anything\nlevel: low\nlogsource: {product: windows, definition: all}\n"
                    "detection: {s: {Image|exists: true}, condition: s}\n")
            f.flush()
            self.assertEqual(self.plan(f.name)[1:],
                             [f"{f.name}:1: Anything: every record", "0 words; 1 rule keeps every record"])


if __name__ == "__main__":
    main()
