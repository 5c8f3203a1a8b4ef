"""Words of poems: lines are made on a cluster, counted as a DataFrame, and read with pandas."""

from redun import task
from redun_executor_spark import ShardedDataset, get_spark_session, udf

redun_namespace = "words"


@task(executor="cluster")
def write_poem(number: int) -> list[str]:
    return [f"Rose number {line} is red," if line % 2 else f"violet {line} is blue." for line in range(number)]


@udf(return_type="array<string>")
def split_words(line: str):
    return [word.strip(".,").lower() for word in line.split() if not word.isdigit()]


@task(executor="frames", hash_includes=[split_words])
def count_words(poems: list[list[str]]) -> ShardedDataset:
    from pyspark.sql.functions import explode

    lines = get_spark_session().createDataFrame([(line,) for poem in poems for line in poem], ["line"])
    words = lines.select(explode(split_words("line")).alias("word"))
    return ShardedDataset.from_data(words.groupBy("word").count(), "counts")


@task()
def show(counts: ShardedDataset) -> list[str]:
    found = counts.load_pandas().sort_values(["count", "word"], ascending=[False, True])
    return [f"{word}: {count}" for word, count in zip(found["word"], found["count"], strict=True)]


@task()
def main(poems: int = 20) -> list[str]:
    return show(count_words([write_poem(number) for number in range(poems)]))
