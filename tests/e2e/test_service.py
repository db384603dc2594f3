"""What is installed: the systemd unit as systemd sees it, and what an upgrade leaves alone."""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from harness import BUILD, SOURCE, Case, main

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


class Install(Case):
    def install(self, to):
        run = subprocess.run(["meson", "install", "--no-rebuild", "-C", BUILD, "--destdir", to], capture_output=True, text=True,
                             timeout=120)
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)

    def test_a_configuration_that_is_there_is_left_alone(self):
        if not shutil.which("meson"):
            raise unittest.SkipTest("meson is not installed")
        to = tempfile.mkdtemp(prefix="squiblyd-e2e-")
        self.addCleanup(shutil.rmtree, to, True)
        self.install(to)
        config, = glob.glob(to + "/**/etc/squiblyd/squiblyd.yaml", recursive=True)
        with open(config, encoding="utf-8") as f, open(os.path.join(SOURCE, "conf", "squiblyd.yaml"), encoding="utf-8") as g:
            self.assertEqual(f.read(), g.read())
        with open(config, "w", encoding="utf-8") as f:
            f.write("outputs:\n  - type: file\n    path: /srv/alerts\n")
        self.install(to)
        with open(config, encoding="utf-8") as f:
            self.assertIn("/srv/alerts", f.read())

        # A link that leads nowhere today is the operator's, too.
        os.remove(config)
        os.symlink("/nonexistent/squiblyd.yaml", config)
        self.install(to)
        self.assertTrue(os.path.islink(config))

        # What units and documents point at is there.
        for unit in glob.glob(to + "/**/systemd/system/squiblyd*", recursive=True):
            with open(unit, encoding="utf-8") as f:
                for path in re.findall(r"^Documentation=file:(.*)$", f.read(), re.M):
                    self.assertTrue(os.path.exists(to + path), f"{unit}: {path}")
        readme, = glob.glob(to + "/**/doc/squiblyd/README.md", recursive=True)
        with open(readme, encoding="utf-8") as f:
            for link in re.findall(r"\]\((docs/[^)#]*|LICENSE)", f.read()):
                self.assertTrue(os.path.exists(os.path.join(os.path.dirname(readme), link)), link)


if __name__ == "__main__":
    main()
