"""The systemd unit as systemd sees it: no finding, and how exposed it says the service is."""
import glob
import os
import re
import shutil
import subprocess
import unittest

from harness import BUILD, Case, main

WORST = 2.5  # of 10: what systemd-analyze may say at most


class Unit(Case):
    def test_the_sandbox_is_tight(self):
        if not shutil.which("systemd-analyze"):
            raise unittest.SkipTest("systemd-analyze is not installed")
        unit = glob.glob(os.path.join(BUILD, "systemd", "squiblyd.service"))
        self.assertTrue(unit, "there is no unit file")
        run = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager", unit[0]],
                             capture_output=True, text=True, timeout=60)
        found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", run.stdout)
        if not found:
            raise unittest.SkipTest("systemd-analyze cannot judge units offline here: "
                                    + (run.stderr.strip().splitlines() or ["no reason given"])[-1])
        print("systemd-analyze security: exposure", found.group(1), "of 10")
        self.assertLessEqual(float(found.group(1)), WORST, run.stdout)


if __name__ == "__main__":
    main()
