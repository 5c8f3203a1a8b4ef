"""Reads of samples in S3: trimmed by an array of jobs, aligned by scripts, and summed up in one table."""

from shlex import quote

from redun import Dir, File, script, task

redun_namespace = "bioinfo"

ADAPTER = "AGAT"


@task(executor="batch")
def trim_reads(reads: File, target: str) -> File:
    """Cut what the machine has added off the ends of reads."""
    lines = [line.removesuffix(ADAPTER) for line in reads.read().split()]
    trimmed = File(target)
    trimmed.write("".join(f"{line}\n" for line in lines if line))
    return trimmed


@task(memory=4)
def align(sample: str, reads: list[File], target: str) -> dict[str, File]:
    """Align the reads of a sample, as a script in a container that knows nothing of redun."""
    return script(
        f"""
        echo Aligning {quote(sample)} >&2

        # What an aligner would do.
        cat reads*.txt | sort | uniq -c | sort -rn > aligned.txt

        # Collect some metrics.
        wc -l < aligned.txt > depth.txt
        """,
        executor="batch",
        inputs=[file.stage(f"reads{number}.txt") for number, file in enumerate(reads)],
        outputs={
            "aligned": File(f"{target}/{sample}.aligned.txt").stage("aligned.txt"),
            "depth": File(f"{target}/{sample}.depth.txt").stage("depth.txt"),
        },
        tempdir=True,
    )


@task(executor="batch")
def make_table(samples: list[str], aligned: list[dict[str, File]], target: str) -> File:
    """Write one line per sample."""
    table = File(f"{target}/samples.csv")
    lines = [f"{sample},{files['depth'].read().strip()}" for sample, files in zip(samples, aligned, strict=True)]
    table.write("\n".join(["sample,depth", *lines, ""]))
    return table


@task(check_valid="shallow")
def main(reads: Dir = Dir("s3://example-bucket/reads"), target: str = "s3://example-bucket/results") -> File:
    by_sample: dict[str, list[File]] = {}
    for file in sorted(reads, key=lambda file: file.path):
        sample = file.basename().partition(".")[0]
        by_sample.setdefault(sample, []).append(trim_reads(file, f"{target}/trimmed/{file.basename()}"))
    aligned = [align(sample, trimmed, target) for sample, trimmed in by_sample.items()]
    return make_table(list(by_sample), aligned, target)
