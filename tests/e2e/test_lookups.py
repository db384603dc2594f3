"""What the site knows of its hosts and networks stands in alerts and in what is forwarded."""
import json
import os
import tempfile

from harness import Case, attack, eventually, main


class Lookups(Case):
    def start(self, outputs):
        self.folder = tempfile.mkdtemp(prefix="squiblyd-lookups-")
        self.assets = os.path.join(self.folder, "assets.csv")
        self.sites = os.path.join(self.folder, "sites.csv")
        self.write(self.assets, "host,owner,criticality\nWS-1.corp.example,\"Meier, Anna\",high\n")
        self.write(self.sites, "net,site\n127.0.0.0/8,Berlin\n127.0.0.1,here\n")
        d = self.daemon("inputs:\n  - type: tcp\n    listen: 127.0.0.1:0\n" + outputs +
                        f"lookups:\n  - name: assets\n    path: {self.assets}\n"
                        f"  - name: network\n    path: {self.sites}\n    key: peer\n", inputs=False)
        d.port()
        return d

    @staticmethod
    def write(path, text):
        with open(path + ".new", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".new", path)

    def test_alerts_and_records_say_who_owns_the_host(self):
        up, through = self.upstream(), self.upstream()
        d = self.start(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n"
                       f"  - type: tcp\n    address: 127.0.0.1:{through.port}\n    forward: matched\n")
        d.send(attack(1) + attack(2))
        eventually("alerts and records", lambda: len(through.lines) == 2 and len(up.lines) >= 2)
        for lines in (up.lines, through.lines):
            context = [json.loads(line)["squibly"]["context"] for line in lines]
            self.assertIn({"assets": {"owner": "Meier, Anna", "criticality": "high"}, "network": {"site": "here"}},
                          context)
            self.assertIn({"network": {"site": "here"}}, context)
        self.assert_stops(d, 2)

    def test_files_are_read_anew_and_broken_ones_are_not_taken(self):
        up = self.upstream()
        d = self.start(f"outputs:\n  - type: tcp\n    address: 127.0.0.1:{up.port}\n")

        def owner(n):
            up.lines.clear()
            d.send(attack(1))
            eventually("an alert", lambda: up.lines)
            return json.loads(up.lines[0])["squibly"]["context"].get("assets")
        self.assertEqual(owner(1)["owner"], "Meier, Anna")
        self.write(self.assets, "host,owner\nws-1.corp.example,Schmidt\n")
        before = d.hup()
        d.wait_said("reloaded: ", before)
        self.assertEqual(owner(2), {"owner": "Schmidt"})
        self.write(self.assets, "host,owner\nws-1.corp.example,\"never closed\n")
        before = d.hup()
        d.wait_said(r"assets.csv:2:19: a quote that is never closed", before)
        d.wait_said("new lookup tables refused, the old ones stay", before)
        d.wait_said("reloaded: ", before)
        self.assertEqual(owner(3), {"owner": "Schmidt"})
        self.assertEqual(self.assert_stops(d)["lookups_refused"], 1)

    def test_a_broken_file_is_found_before_the_start(self):
        folder = tempfile.mkdtemp(prefix="squiblyd-lookups-")
        path = os.path.join(folder, "a.csv")
        self.write(path, "host,owner\na\n")
        d = self.daemon(f"lookups:\n  - name: a\n    path: {path}\n")
        d.wait_said(r"cannot start: .*a.csv:2:1: 1 fields, where the first row has 2")
        self.assertEqual(d.wait(), 1)
        d = self.daemon(f"lookups:\n  - name: a\n    path: {path}.none\n", args=["--check-config"])
        d.wait_said(r"a.csv.none")
        self.assertEqual(d.wait(), 1)


if __name__ == "__main__":
    main()
