# SPDX-License-Identifier: PostgreSQL
"""Figures of this machine, in this run, as tables. See run.sh.

health  requests for /primary that one node answers, over connections that are
        kept: ours and Patroni's in turns, so that both see the same machine
idle    memory and processor time of one node without clients, PostgreSQL left
        out: matriarchd with its sentinel beside Patroni with its etcd
outage  how long nobody could write, as "matriarch demo --tour" tells it

What is not installed is said and left out.
"""

import contextlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "test" / "cluster")]

import harness  # noqa: E402
import incumbent  # noqa: E402

HEALTH_S = int(os.environ.get("SECONDS_EACH", "5"))
IDLE_S = int(os.environ.get("SECONDS_EACH", "20"))
TURNS = 3
HEADINGS = ("health", "idle", "outage")


def wrk(url, connections, method):
    """(requests a second, median ms, 99th percentile in ms)"""
    script = pathlib.Path(os.environ["MT_SCRATCH"]) / "method.lua"
    script.write_text(f'wrk.method = "{method}"\n')
    command = ["wrk", "-t1", f"-c{connections}", f"-d{HEALTH_S}s",
               "--latency", "-s", str(script), url]
    text = subprocess.run(command, capture_output=True, text=True, check=True,
                          timeout=HEALTH_S + 60).stdout
    assert "Non-2xx" not in text, text
    units = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}

    def percentile(which):
        number, unit = re.search(rf"{which}% +([\d.]+)([a-z]+)", text).groups()
        return float(number) * units[unit]
    return (float(re.search(r"Requests/sec: +([\d.]+)", text).group(1)),
            percentile(50), percentile(99))


def health(ours, theirs):
    rows = []
    for method, connections in (("GET", 8), ("GET", 64), ("OPTIONS", 8)):
        figures = {url: [] for url in (ours, theirs) if url}
        for _ in range(TURNS):
            for url, got in figures.items():
                got.append(wrk(f"{url}/primary", connections, method))
        middle = {url: [statistics.median(column) for column in zip(*got)]
                  for url, got in figures.items()}
        for i, what in enumerate(("requests/s", "median, ms", "p99, ms")):
            rows.append((f"{method} /primary, {connections} connections: "
                         f"{what}", middle[ours][i],
                         middle[theirs][i] if theirs else None, i > 0))
    table("Health checks", rows, f"wrk -t1 -cN -d{HEALTH_S}s --latency "
          f"URL/primary, median of {TURNS} turns")


def memory_mb(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) / 1024


def cpu_s(pid):
    words = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    fields = words.split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def idle(ours, theirs):
    both = [pids for pids in (ours, theirs) if pids]
    time.sleep(3)       # what was just begun is over
    before = [sum(map(cpu_s, pids)) for pids in both]
    time.sleep(IDLE_S)
    spent = [(sum(map(cpu_s, pids)) - was) * 60 / IDLE_S
             for pids, was in zip(both, before)]
    memory = [sum(map(memory_mb, pids)) for pids in both]
    rows = [(what, figures[0], figures[1] if theirs else None, True)
            for what, figures in (("resident memory, MB", memory),
                                  ("processor s a minute", spent))]
    table("One node without clients, PostgreSQL left out", rows,
          f"VmRSS, and utime + stime over {IDLE_S} s, of /proc")


def outage():
    text = subprocess.run([str(harness.CLI), "demo", "--tour"],
                          capture_output=True, text=True, check=True,
                          timeout=300).stdout
    rows = [(what, int(ms), None, True) for what, ms in re.findall(
        r"^  (switchover|node kill|postmaster kill) +(\d+) ms$", text,
        re.MULTILINE)]
    assert len(rows) == 3, text
    table("Longest interruption of writes, ms", rows, "matriarch demo --tour")


def number(value):
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}"


def table(heading, rows, command):
    """Rows: what, ours, theirs or None, whether less is better."""
    print(f"\n{heading}\n({command})\n")
    print(f"{'':44}{'Matriarch':>11}{'Patroni':>11}{'better by':>11}")
    for what, mine, other, is_less in rows:
        ratio = ""
        if other is not None and mine > 0 and other > 0:
            ratio = f"{other / mine if is_less else mine / other:.1f}x"
        print(f"{what:44}{number(mine):>11}{number(other):>11}{ratio:>11}")
    sys.stdout.flush()


def main():
    wanted = sys.argv[1:] or list(HEADINGS)
    if not set(wanted) <= set(HEADINGS):
        sys.exit(f"bench: there are only {', '.join(HEADINGS)}")
    if "health" in wanted and shutil.which("wrk") is None:
        print("health is left out: wrk is not installed")
        wanted.remove("health")
    with contextlib.ExitStack() as stack:
        if {"health", "idle"} & set(wanted):
            cluster = stack.enter_context(harness.Cluster(n=1))
            node = cluster.start_and_form().nodes[0]
            theirs = None
            if incumbent.is_there():
                theirs = stack.enter_context(incumbent.Patroni(cluster.dir))
            else:
                print("Patroni is left out: it wants Debian's packages "
                      "patroni and etcd-server")
            if "idle" in wanted:
                idle([node.process.pid, *node.sentinel_pids()],
                     theirs and theirs.pids)
            if "health" in wanted:
                health(f"http://{node.address}:{node.api_port}",
                       theirs and theirs.url)
    if "outage" in wanted:
        outage()


if __name__ == "__main__":
    main()
