"""A toy pipeline of bioinformatics: trim reads, align them to a reference, call variants, for several samples."""

from collections import Counter

from redun import File, task

redun_namespace = "sequences"


@task()
def trim(reads: File, target: str, minimum: int) -> File:
    """Keep reads of good quality: FASTQ to FASTA."""
    lines = reads.read().splitlines()
    kept = []
    for name, sequence, _, quality in zip(*[iter(lines)] * 4, strict=True):
        if min(ord(mark) - 33 for mark in quality) >= minimum:
            kept.append(f">{name[1:]}\n{sequence}\n")
    trimmed = File(target)
    trimmed.write("".join(kept))
    return trimmed


@task()
def align(trimmed: File, reference: File) -> dict[int, list[str]]:
    """Return the bases that were read at each position of the reference."""
    genome = "".join(reference.read().splitlines()[1:])
    seen: dict[int, list[str]] = {}
    for read in trimmed.read().splitlines()[1::2]:
        start = min(range(len(genome) - len(read) + 1), key=lambda at: count_mismatches(genome[at:], read))
        for offset, base in enumerate(read):
            seen.setdefault(start + offset, []).append(base)
    return seen


def count_mismatches(genome: str, read: str) -> int:
    return sum(a != b for a, b in zip(genome, read, strict=False))


@task()
def call_variants(seen: dict[int, list[str]], reference: File, depth: int) -> list[str]:
    """Return where most reads say something else than the reference."""
    genome = "".join(reference.read().splitlines()[1:])
    variants = []
    for position, bases in sorted(seen.items()):
        base, count = Counter(bases).most_common(1)[0]
        if base != genome[position] and count >= depth:
            variants.append(f"{position + 1} {genome[position]}>{base} ({count} reads)")
    return variants


@task(tags=[("step", "report")])
def report(variants: dict[str, list[str]], target: str) -> File:
    table = File(target)
    table.write("".join(f"{sample}\t{variant}\n" for sample, found in variants.items() for variant in found))
    return table


@task()
def main(samples: list[str] = ["a", "b"], minimum: int = 20, depth: int = 2) -> File:
    reference = File("reads/reference.fa")
    variants = {}
    for sample in samples:
        trimmed = trim(File(f"reads/{sample}.fastq"), f"out/{sample}.fa", minimum)
        variants[sample] = call_variants(align(trimmed, reference), reference, depth)
    return report(variants, "out/variants.tsv")
