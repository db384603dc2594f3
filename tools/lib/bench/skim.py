"""Five fields out of every event: skim, each body, against simdjson On-Demand and yajl, in one run on one core."""
from common import BUILD, ROUNDS, timed, verdict

BAR_SIMDJSON = {"skim avx512": 1.1, "skim avx2": 0.8}
BAR_YAJL = {"skim sse2": 3.0, "skim neon": 3.0}  # "plain" is for CPUs with no vectors that we know


def skim(corpus):
    _, run = timed([f"{BUILD}/tests/bench/skim_cost", corpus, str(ROUNDS)])
    head, *lines = run.stdout.decode().splitlines()
    rows = [(name, float(speed), int(each)) for name, speed, each in (line.split("|") for line in lines)]
    simdjson = max((speed for name, speed, _ in rows if name.startswith("simdjson")), default=None)
    yajl = next(speed for name, speed, _ in rows if name == "yajl bare")
    print(f"EventID, Channel, Image, NewProcessName and CommandLine of {head}")
    for name, speed, each in rows:
        text = f"  {name:32} {speed:6.3f} GB/s {each:6d} ns an event"
        if name.startswith("skim"):
            text += f"   {speed / yajl:5.2f} times yajl bare"
            if name in BAR_YAJL:
                text += f" (bar {BAR_YAJL[name]}: {verdict(speed >= BAR_YAJL[name] * yajl)})"
            if simdjson:
                text += f"   {speed / simdjson:.2f} of simdjson"
                if name in BAR_SIMDJSON:
                    text += f" (bar {BAR_SIMDJSON[name]}: {verdict(speed >= BAR_SIMDJSON[name] * simdjson)})"
        print(text)
    if not simdjson:
        print("  skipped: simdjson, which is not installed (tools/deps bench)")
    print()
