"""Measure everything in one run, print it, and write docs/benchmarks.md."""

from __future__ import annotations

import sys
from statistics import median

from benchmarks import cold, hybrid, pairs, parameters, pypsa_network, rules, studies, warm, workers
from benchmarks.figures import Target, Timing, Workers
from benchmarks.house import ROOT, house
from benchmarks.noise import Noise
from benchmarks.report import Findings, page

SAME_OPTIMUM = 1e-6
"""Largest relative difference between two optima of one design."""

SECTIONS = {
    "A year of an engine that is switched on and off, by hybrid and whole": hybrid.section,
    "A year of exclusive pairs, beside the LP and the plain MILP": pairs.section,
    "A population over a year, by rules and by warm MILPs": rules.section,
    "Whole studies, beside the same search in a bare loop": studies.section,
}
"""What else is measured, each with a table and targets of its own."""

ROUNDS = {168: 5, 8760: 1}
DESIGNS = {168: 20, 8760: 10}
"""How many designs the peers solve."""

SPEED_UP = {168: 200.0, 8760: 15.0}
SPEED_UP_ANEW = {168: 3.0, 8760: 10.0}
TWO_WORKERS = 1.7
OWN_SHARE = {168: 60.0, 8760: 20.0}
PEAK_MB = 600.0


def main() -> int:
    noise = Noise()
    print("Workers on the year", flush=True)
    found = workers.measure()
    timings: list[list[Timing]] = []
    shares: dict[int, list[float]] = {}
    for hours, rounds in ROUNDS.items():
        print(f"The house over {hours:,} h, warm and beside its peers", flush=True)
        place = house(hours)
        ours, shares[hours] = warm.measure(place, rounds)
        peers = [*pypsa_network.measure(place, DESIGNS[hours]), *cold.measure(place, DESIGNS[hours])]
        timings += [[ours, *peers], parameters.measure(place, DESIGNS[hours])]
    differences = {
        f"{peer.name}, {peer.hours:,} h": peer.difference(ours) for ours, *peers in timings for peer in peers
    }
    different = {name: value for name, value in differences.items() if not value <= SAME_OPTIMUM}
    if different:
        for name, value in different.items():
            print(f"{name}: its optimum differs from ours by {value:.1e}", file=sys.stderr)
        return 1
    sections = []
    for name, measure in SECTIONS.items():
        print(name, flush=True)
        sections.append(measure())
    targets = _targets(timings, shares, found) + [target for own in sections for target in own.targets]
    worst = max(differences.values())
    findings = Findings(targets, timings, shares, worst, found, sections, noise.share())
    text = page(findings)
    (ROOT / "docs/benchmarks.md").write_text(text, encoding="utf-8")
    print(text)
    return 0


def _targets(timings: list[list[Timing]], shares: dict[int, list[float]], found: Workers) -> list[Target]:
    targets = [
        Target(f"{peer.name} against a warm evaluation, {peer.hours:,} h", peer.median / ours.median,
               SPEED_UP[peer.hours], "times", at_least=True)
        for ours, *peers in timings
        for peer in peers
        if peer.name in pypsa_network.WAYS
    ]  # fmt: skip
    targets += [
        Target(f"{peer.name} against warm, {peer.hours:,} h", peer.median / ours.median,
               SPEED_UP_ANEW[peer.hours], "times", at_least=True)
        for ours, *peers in timings
        for peer in peers
        if peer.name == parameters.COLD
    ]  # fmt: skip
    if {1, 2} <= found.per_second.keys():
        ratio = found.per_second[2] / found.per_second[1]
        targets.append(Target("two workers against one", ratio, TWO_WORKERS, "times", at_least=True))
    targets += [
        Target(f"our own share of a warm evaluation, {hours:,} h", 100 * median(values),
               OWN_SHARE[hours], "%", at_least=False)
        for hours, values in shares.items()
    ]  # fmt: skip
    if found.peak_mb is not None:
        targets.append(
            Target("peak memory of a worker, 8,760 h", found.peak_mb, PEAK_MB, "MB", at_least=False)
        )
    return targets


if __name__ == "__main__":
    sys.exit(main())
