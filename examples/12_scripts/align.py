"""Aligning reads: programs that want local files, run on files from anywhere."""

from shlex import quote

from redun import Dir, File, script, task

redun_namespace = "align"


@task(script=True)
def count_reads(reads: list[File]) -> str:
    """Count the reads of a sample; the result of a script task is what the script writes, as bytes."""
    paths = " ".join(quote(file.path) for file in reads)
    return f"zcat {paths} | wc -l"


@task()
def align_reads(reads: list[File], align_path: str, metrics_path: str, sample_id: str) -> dict[str, File]:
    """Align the reads of a sample, and collect metrics."""
    return script(
        f"""
        echo Aligning {quote(sample_id)}

        # What an aligner would do.
        zcat reads1.gz reads2.gz | sort -u | gzip -n > sample.aln.gz

        # Collect some metrics.
        zcat sample.aln.gz | wc -l > sample.depth.txt
        """,
        inputs=[file.stage(f"reads{number}.gz") for number, file in enumerate(reads, 1)],
        outputs={
            "align": File(align_path).stage("sample.aln.gz"),
            "metrics": File(metrics_path).stage("sample.depth.txt"),
        },
        tempdir=True,
    )


@task()
def describe(names: list[str], counts: list[bytes], metrics: list[File]) -> list[str]:
    """Say how many reads of each sample were aligned."""
    return [
        f"{name}: {file.read().strip()} of {count.decode().strip()} reads"
        for name, count, file in zip(names, counts, metrics, strict=True)
    ]


@task()
def main(reads_dir: Dir = Dir("reads"), out_dir: str = "aligned") -> list[str]:
    """Align every sample of a folder."""
    samples: dict[str, list[File]] = {}
    for file in sorted(reads_dir, key=lambda file: file.path):
        samples.setdefault(file.basename().partition(".")[0], []).append(file)
    aligned = [
        align_reads(reads, f"{out_dir}/{name}.aln.gz", f"{out_dir}/{name}.depth.txt", name)
        for name, reads in samples.items()
    ]
    counts = [count_reads(reads) for reads in samples.values()]
    return describe(list(samples), counts, [files["metrics"] for files in aligned])
