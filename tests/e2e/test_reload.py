"""SIGHUP: new rules are taken up, broken ones are not, and no event is lost or seen twice meanwhile."""
import os
import tempfile
import time

from harness import Case, attack, eventually, main, ordinary

RULE = """title: {title}
id: 1f0f4f5c-4b1c-4f0e-8c39-6f2e2f1a7d5{digit}
status: test
level: high
description: A rule for this test.
logsource:
    category: process_creation
    product: windows
detection:
    selection:
        Image|{modifier}: '\\{image}'
    condition: selection
"""


class Reload(Case):
    def setUp(self):
        self.rules = tempfile.mkdtemp(prefix="squiblyd-e2e-rules-")

    def put(self, name, **named):
        named.setdefault("modifier", "endswith")
        with open(os.path.join(self.rules, name), "w", encoding="utf-8") as f:
            f.write(RULE.format(**named))

    def start(self, up):
        return self.daemon(f"rules:\n  paths: [{self.rules}]\n", upstream=up)

    def names(self, up):
        return [a["rule"]["name"] for a in up.alerts()]

    def test_new_rules_are_taken_up_without_dropping_a_connection(self):
        self.put("a.yml", title="Registration", image="regsvr32.exe", digit=1)
        up = self.upstream()
        d = self.start(up)
        with d.connect() as s:
            s.sendall(ordinary(1) + attack(1))
            eventually("the first alert", lambda: len(up.lines) == 1)
            self.put("b.yml", title="Editor", image="notepad.exe", digit=2)
            before = d.hup()
            d.wait_said(r"(?i)2 rules|rules.*(reloaded|taken up)", before)
            s.sendall(ordinary(2) + attack(2))
            eventually("both alerts", lambda: len(up.lines) == 3)
        self.assertEqual(self.names(up), ["Registration", "Editor", "Registration"])
        c = self.assert_stops(d, 4)
        self.assertEqual((c["alerted"], c["clean"]), (3, 1))

    def test_who_came_without_a_word_leaves_no_old_rules_behind(self):
        self.put("a.yml", title="Registration", image="regsvr32.exe", digit=1)
        up = self.upstream()
        d = self.start(up)
        with d.connect() as s:
            s.sendall(ordinary(1)[:40])
            d.connect().close()
            time.sleep(0.3)
            self.put("b.yml", title="Editor", image="notepad.exe", digit=2)
            before = d.hup()
            d.wait_said(r"(?i)2 rules|rules.*(reloaded|taken up)", before)
            s.sendall(ordinary(1)[40:])
            eventually("the alert of the new rule", lambda: len(up.lines) == 1)
        self.assertEqual(self.names(up), ["Editor"])
        self.assert_stops(d, 1)

    def test_a_broken_rule_leaves_the_old_set_and_says_where_it_is_broken(self):
        self.put("a.yml", title="Registration", image="regsvr32.exe", digit=1)
        up = self.upstream()
        d = self.start(up)
        d.port()
        self.put("b.yml", title="Broken", image="notepad.exe", digit=2, modifier="endswiht")
        before = d.hup()
        d.wait_said(r"b\.yml:11:\d+.*endswiht", before)
        d.send(ordinary(1) + attack(1))
        eventually("the alert of the old rule", lambda: len(up.lines) == 1)
        self.assertEqual(self.names(up), ["Registration"])
        self.assert_stops(d, 2)

    def test_reloading_again_and_again_under_load_loses_nothing(self):
        self.put("a.yml", title="Registration", image="regsvr32.exe", digit=1)
        up = self.upstream()
        d = self.start(up)
        total = 0
        with d.connect() as s:
            for n in range(30):
                s.sendall(b"".join(attack(n) for _ in range(20)) + ordinary(n) * 200)
                total += 220
                d.hup()
        c = d.wait_received(total)
        self.assertEqual((c["alerted"], c["clean"]), (600, total - 600))
        eventually("every alert", lambda: len(up.lines) == 600)
        self.assert_stops(d, total)


if __name__ == "__main__":
    main()
