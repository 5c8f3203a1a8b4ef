import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redun import Scheduler, task
from redun.backends.base import Batch, EvaluationRecord, ExecutionRecord, JobRecord, TagRecord
from redun.errors import BackendError, ConfigError
from redun.executors.local import LocalExecutor, LocalOptions
from redun.file import Dir, File
from redun.values.base import TaskSubtype
from redun.values.codec import EncodedValue
from redun.values.registry import get_type_registry
from redun_backend_sql.backend import SqlBackend
from redun_backend_sql.extension import REASON
from redun_backend_sql.journal.batches import pack_batch, unpack_batch
from redun_backend_sql.journal.frames import MAGIC, Damage, append_frame, read_frames
from redun_backend_sql.journal.journal import Journal
from redun_backend_sql.journal.recovery import inspect, list_journals, recover
from redun_backend_sql.journal.segment import Segment, open_segments
from redun_backend_sql.location import find_location
from redun_backend_sql.options import SqlOptions

redun_namespace = "test_journal"


def encode(value):
    return get_type_registry().encode(value)


def evaluate(number):
    """Return a batch with one evaluation, and its task."""
    definition = EncodedValue("t" * 40, "redun.Task", "text/plain", b"f", (), TaskSubtype("f", "test", ""))
    evaluation = EvaluationRecord(f"{number:040}", "t" * 40, "a" * 40, encode(number))
    return Batch({"t" * 40: definition}, evaluations=[evaluation])


def list_keys(batches):
    return [evaluation.eval_hash for batch in batches for evaluation in batch.evaluations]


def leave_behind(stem, batches):
    """Make a journal with some batches and die."""
    journal = Journal(str(stem))
    for batch in batches:
        journal.append(batch)
    journal.close()
    return list_journals(str(stem))[-1]


@pytest.fixture
def frames(tmp_path):
    """A file of three frames, and their contents."""
    path, contents = tmp_path / "frames", [b"first", b"", b"third" * 100]
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
    os.write(descriptor, MAGIC)
    for content in contents:
        append_frame(descriptor, content)
    os.close(descriptor)
    return path, contents


def read_all(path):
    with path.open("rb") as stream:
        return list(read_frames(stream))


def test_frames_come_back(frames):
    """Frames are read as they were written, in order, empty ones included."""
    path, contents = frames

    assert read_all(path) == contents


def test_file_cut_anywhere_gives_its_first_frames(frames):
    """A file that was cut off at any byte gives the frames before that, and says that the rest is torn."""
    path, contents = frames
    data = path.read_bytes()
    ends = [len(MAGIC) + 13, len(MAGIC) + 21, len(data)]

    for length in range(len(data)):
        path.write_bytes(data[:length])
        whole = sum(end <= length for end in ends)
        *read, last = read_all(path) or [None]
        if length == len(MAGIC) or length in ends:
            assert [*read, last][:whole] == contents[:whole]
            continue
        assert read == contents[:whole]
        assert isinstance(last, Damage)
        assert last.is_torn
        assert last.offset + last.length == length


def test_changed_byte_is_noticed_anywhere(frames):
    """A file in which any byte was changed gives the frames before that, and no frame that was not written."""
    path, contents = frames
    data = path.read_bytes()

    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 0x41]) + data[position + 1 :])
        *read, last = read_all(path)
        assert isinstance(last, Damage)
        assert read == contents[: len(read)]
        assert last.offset <= position


def test_frame_that_does_not_fit_leaves_the_file_as_it_was(tmp_path):
    """When the disk is full in the middle of a frame, the frames before it stay, and later ones are found."""
    path = tmp_path / "full"
    program = (
        "import os, resource, signal, sys\n"
        "from redun_backend_sql.journal.frames import MAGIC, append_frame\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_APPEND)\n"
        "os.write(descriptor, MAGIC)\n"
        "append_frame(descriptor, b'a' * 100)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))\n"
        "try:\n    append_frame(descriptor, b'b' * 1000)\n"
        "except OSError as error:\n    print(error.errno)\n"
        "append_frame(descriptor, b'c' * 50)\n"
    )

    done = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["27"]
    assert read_all(path) == [b"a" * 100, b"c" * 50]


_texts = st.text(max_size=5)
_values = st.recursive(st.integers() | _texts | st.binary(max_size=5), lambda inner: st.lists(inner, max_size=3))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.tuples(_values, _values, _texts), max_size=4), st.floats(0, 2e9), st.booleans())
def test_batches_come_back(make_task, make_call, values, time, has_ended):
    """Whatever is recorded is the same after it was packed and unpacked."""
    definition = make_task("f")
    calls = [make_call(definition, [first], second, key=text) for first, second, text in values]
    upstream = [call._replace(upstream={0: ["u" * 40], "key": ["v" * 40]}, context=encode({"a": 1})) for call in calls]
    job = JobRecord("j", time, time + 1 if has_ended else None, "t" * 40, has_ended, None, None, "x", "new task")
    batch = Batch(
        {definition.value_hash: definition},
        {encode(text).value_hash: encode(text) for _, _, text in values},
        [EvaluationRecord(call.call_hash, call.task_hash, call.arguments.args_hash, call.result) for call in calls],
        [*calls, *upstream],
        {"j": job},
        {"k": job._replace(id="k")},
        {"x": ExecutionRecord("x", '["redun"]', "j", time)},
        [TagRecord("Job", "j", "key", {"a": [1, None, text]}) for _, _, text in values],
    )

    assert unpack_batch(pack_batch(batch)) == batch


def test_values_keep_what_is_inside_them(tmp_path):
    """A value that stands alone and inside another one keeps, alone, the values inside itself."""
    (tmp_path / "file").write_text("x")
    folder = Dir(tmp_path)
    holder, alone = encode([folder, File(tmp_path / "file")]), encode(folder)

    batch = Batch(values={holder.value_hash: holder, alone.value_hash: alone})

    assert alone.subvalues
    assert unpack_batch(pack_batch(batch)) == batch


@pytest.mark.parametrize(
    "data",
    [b"", b"nonsense", pickle.dumps((1, 2)), pickle.dumps(None), pickle.dumps(os.system), pickle.dumps(({1: 2},) * 10)],
)
def test_no_code_runs_when_a_batch_is_read(data):
    """Bytes that are no batch are refused; those that name a function do not get it."""
    with pytest.raises(ValueError, match="no batch of records"):
        unpack_batch(data)


def test_what_a_dead_process_left_is_recorded(tmp_path):
    """The journals of a process that is gone are recorded once, all of them, and removed."""
    stem, recorded = str(tmp_path / "redun.db"), []
    leave_behind(stem, [evaluate(1), evaluate(2)])
    leave_behind(stem, [evaluate(3)])

    total = recover(stem, recorded.append)

    assert (total, sorted(list_keys(recorded))) == (3, [f"{number:040}" for number in (1, 2, 3)])
    assert os.listdir(tmp_path) == []


def test_what_a_live_process_writes_is_left_alone(tmp_path):
    """The journals of this and of other live processes are not touched."""
    stem = str(tmp_path / "redun.db")
    program = (
        "import sys\nfrom redun_backend_sql.journal.segment import Segment\n"
        "segment = Segment(sys.argv[1])\nsegment.append(b'x')\nprint('ready', flush=True)\nsys.stdin.read()\n"
    )
    mine = Segment(stem)
    other = subprocess.Popen(
        [sys.executable, "-c", program, stem], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout.readline() == "ready\n"

        total = recover(stem, lambda batch: pytest.fail("recorded"))

        assert (total, len(list_journals(stem))) == (0, 2)
        assert [content.is_owned for content in inspect(stem)] == [True, True]
        other.kill()
    mine.remove()
    assert [content.is_owned for content in inspect(stem)] == [False]


def test_failed_recovery_can_be_repeated(tmp_path):
    """When the records can't be written, the journal stays for the next try."""
    stem, recorded = str(tmp_path / "redun.db"), []
    leave_behind(stem, [evaluate(1)])

    def fail(batch):
        raise BackendError("the disk is full")

    with pytest.raises(BackendError, match="full"):
        recover(stem, fail)
    total = recover(stem, recorded.append)

    assert (total, len(recorded)) == (1, 1)


def test_damaged_journal_is_kept(tmp_path, caplog):
    """What comes before a damaged frame is recorded, and the file is set aside with a warning."""
    stem, recorded = str(tmp_path / "redun.db"), []
    path = leave_behind(stem, [evaluate(1), evaluate(2), evaluate(3)])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)

    with caplog.at_level(logging.WARNING, "redun"):
        recover(stem, recorded.append)

    assert list_keys(recorded) == [f"{1:040}"]
    assert os.listdir(tmp_path) == [f"{path.name}.damaged"]
    assert "is damaged after" in caplog.text


def test_torn_journal_is_nothing_to_speak_of(tmp_path, caplog):
    """A frame that a kill cut off is left out, and nobody is troubled with it."""
    stem, recorded = str(tmp_path / "redun.db"), []
    path = leave_behind(stem, [evaluate(1), evaluate(2)])
    path.write_bytes(path.read_bytes()[:-7])

    with caplog.at_level(logging.WARNING, "redun"):
        recover(stem, recorded.append)

    assert (list_keys(recorded), caplog.text, os.listdir(tmp_path)) == ([f"{1:040}"], "", [])


def test_journal_of_another_kind_is_kept(tmp_path):
    """A file that a future version wrote is set aside, not lost."""
    stem = tmp_path / "redun.db"
    (tmp_path / "redun.db.1.ab.journal").write_bytes(b"redun journal 9\nsomething else")

    recover(str(stem), lambda batch: pytest.fail("recorded"))

    assert os.listdir(tmp_path) == ["redun.db.1.ab.journal.damaged"]


def test_two_openers_record_once(tmp_path):
    """Of two processes that find a journal at once, one records it and the other waits for that."""
    stem = str(tmp_path / "redun.db")
    leave_behind(stem, [evaluate(1)])
    program = (
        "import sys\nfrom redun_backend_sql.journal.recovery import recover\n"
        "print('starting', flush=True)\n"
        "print(recover(sys.argv[1], lambda batch: None), flush=True)\n"
    )
    others = []

    def record(batch):
        other = subprocess.Popen([sys.executable, "-c", program, stem], stdout=subprocess.PIPE, text=True)
        others.append(other)
        assert other.stdout.readline() == "starting\n"
        reader = threading.Thread(target=lambda: answers.append(other.stdout.readline()))
        reader.start()
        reader.join(timeout=0.3)
        waited.append(reader.is_alive())
        readers.append(reader)

    answers, waited, readers = [], [], []
    total = recover(stem, record)
    for reader in readers:
        reader.join()
    for other in others:
        other.communicate()

    assert (total, waited, answers) == (1, [True], ["0\n"])


def test_forked_process_does_not_write_its_parents_journal(tmp_path):
    """A process that was forked makes a journal of its own, and its end does not free that of its parent."""
    stem = str(tmp_path / "redun.db")
    journal = Journal(stem)
    journal.append(evaluate(1))
    child = os.fork()
    if child == 0:
        journal.append(evaluate(2))
        os._exit(0)
    os.waitpid(child, 0)

    recorded = []
    program = (
        "import sys\nfrom redun_backend_sql.journal.recovery import recover\n"
        "recover(sys.argv[1], lambda batch: print(batch.evaluations[0].eval_hash))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, stem], capture_output=True, text=True, check=True)

    assert done.stdout.split() == [f"{2:040}"]
    with journal.recording():
        recorded.append(True)
    assert os.listdir(tmp_path) == []
    assert not open_segments


def test_journal_that_can_not_be_removed_is_recorded_again(tmp_path, caplog):
    """When the file of records that are in the tables can't be removed, that is said, and the next opener does it."""
    stem, recorded = str(tmp_path / "redun.db"), []
    journal = Journal(stem)
    journal.append(evaluate(1))
    [path] = list_journals(stem)

    with caplog.at_level(logging.WARNING, "redun"), journal.recording():
        path.rename(tmp_path / "aside")
        path.mkdir()
    path.rmdir()
    (tmp_path / "aside").rename(path)
    recover(stem, recorded.append)

    assert f"the journal {path} can't be removed" in caplog.text
    assert (list_keys(recorded), os.listdir(tmp_path)) == ([f"{1:040}"], [])


def test_journal_that_can_not_be_read_holds_nobody_up(tmp_path, caplog):
    """A journal that can't be opened is left for later, with a warning, and the others are recorded."""
    stem, recorded = str(tmp_path / "redun.db"), []
    (tmp_path / "redun.db.1.ab.journal").mkdir()
    leave_behind(stem, [evaluate(1)])

    with caplog.at_level(logging.WARNING, "redun"):
        recover(stem, recorded.append)

    assert "redun.db.1.ab.journal of another run can't be recorded now" in caplog.text
    assert (list_keys(recorded), os.listdir(tmp_path)) == ([f"{1:040}"], ["redun.db.1.ab.journal"])


def test_nothing_is_written_behind_a_frame_that_failed(tmp_path):
    """After a failure that may have left half a frame, a new journal is begun, so that later frames are found."""
    stem, recorded = str(tmp_path / "redun.db"), []
    journal = Journal(stem)
    journal.append(evaluate(1))
    [path] = list_journals(stem)
    [descriptor] = [int(name) for name in os.listdir("/proc/self/fd") if is_open_as(name, path)]
    kept = os.dup(descriptor)
    full = os.open("/dev/full", os.O_RDWR)
    os.dup2(full, descriptor)

    with pytest.raises(BackendError, match="can't be written"):
        journal.append(evaluate(2))
    os.dup2(kept, descriptor)
    with open(path, "ab") as stream:
        stream.write(b"half a frame")
    journal.append(evaluate(3))
    journal.close()
    os.close(kept)
    os.close(full)
    recover(stem, recorded.append)

    assert sorted(list_keys(recorded)) == [f"{1:040}", f"{3:040}"]


def is_open_as(descriptor, path):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}") == str(path)
    except FileNotFoundError:
        return False


def test_folder_that_can_not_be_written_is_one_sentence(tmp_path):
    """A journal that can't be made is an error that names it."""
    with pytest.raises(BackendError, match=r"the journal .*missing/redun\.db.* can't be written: No such file"):
        Segment(str(tmp_path / "missing" / "redun.db"))


@pytest.fixture
def stem(uri, tmp_path):
    """What the names of the store's journals start with."""
    return find_location(uri, str(tmp_path)).journal


@pytest.fixture
def batch(make_task):
    """A batch with one evaluation and its task."""
    made = evaluate(1)
    made.tasks["t" * 40] = make_task("f")._replace(value_hash="t" * 40)
    return made


def test_records_are_journaled_until_they_are_in_the_tables(backend, stem, batch):
    """A journal stands on this machine from the first record to the commit, and is gone after it."""

    backend.journal(batch)
    before = len(list_journals(stem))
    found = backend.lookup([f"{1:040}"])
    backend.record(batch)

    assert (before, len(found), len(list_journals(stem))) == (1, 0, 0)
    assert list(backend.lookup([f"{1:040}"])) == [f"{1:040}"]


FORBID_WRITING = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}


def test_failed_write_keeps_the_journal(backend, stem, batch):
    """When the tables can't be written, the journal stays, and opening the store again brings its records in."""
    backend.journal(batch)
    backend.database.execute(FORBID_WRITING[backend.database.dialect])

    with pytest.raises(BackendError):
        backend.record(batch)
    backend.close()
    backend.load()

    assert list(backend.lookup([f"{1:040}"])) == [f"{1:040}"]
    assert list_journals(stem) == []


def test_journal_of_another_state_of_the_store_is_set_aside(new_uri, tmp_path, caplog):
    """A journal whose records refer to what a newly made database lacks does not keep that from being used."""
    uri = new_uri()
    stem = find_location(uri, str(tmp_path)).journal
    left = leave_behind(stem, [evaluate(1)])

    with closing(SqlBackend(SqlOptions(uri, config_dir=str(tmp_path)))) as backend:
        backend.load()

        found = list(backend.lookup([f"{1:040}"]))
        kept = left.with_name(left.name + ".damaged").exists()

    if backend.path == uri.removeprefix("sqlite:///"):
        assert (found, kept) == ([f"{1:040}"], False)  # SQLite takes the records as they are.
    else:
        assert (found, kept) == ([], True)
        assert "belongs to another state of the store" in caplog.text


def test_store_in_memory_has_no_journal():
    """A store that dies with the process needs no journal."""
    assert SqlBackend(SqlOptions("sqlite://")).journal_delay is None


def test_unknown_durability_is_refused(tmp_path):
    """A durability that there is not is an error that names those that there are."""
    with pytest.raises(ConfigError, match="durability = 'forever' is none of group, job"):
        Scheduler({"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db", "durability": "forever"}})


_KILLED = """
import os, signal, sys
from pathlib import Path
from redun import Scheduler, task

redun_namespace = "killed"
folder = Path(sys.argv[1])

@task()
def step(number):
    with open(folder / "log", "a") as stream:
        print(number, file=stream)
    if number == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
    return number + 1

@task()
def main(count):
    value = 0
    for _ in range(count):
        value = step(value)
    return value

options = {"backend": {"db_uri": f"sqlite:///{folder}/redun.db", "durability": sys.argv[2]}}
with Scheduler(options) as scheduler:
    print(scheduler.run(main(30)))
"""


def run_killed(folder, durability, kill_at, database="redun.db"):
    (folder / "killed.py").write_text(_KILLED.replace("redun.db", database))
    command = [sys.executable, str(folder / "killed.py"), str(folder), durability, str(kill_at)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_nothing_finished_is_done_again_with_durability_job(tmp_path):
    """With durability = job, what had finished when the process was killed is not executed again."""
    killed = run_killed(tmp_path, "job", 20)
    again = run_killed(tmp_path, "job", -1)

    steps = [int(line) for line in (tmp_path / "log").read_text().split()]
    assert (killed.returncode, again.stdout) == (-signal.SIGKILL, "30\n")
    assert steps == [*range(21), *range(20, 30)]


def test_nothing_finished_is_done_again_without_a_journal(tmp_path):
    """With durability = job, each job goes to the tables at once where no journal can be made, as for its long name."""
    database = f"{'r' * 240}.db"
    killed = run_killed(tmp_path, "job", 20, database)
    again = run_killed(tmp_path, "job", -1, database)

    steps = [int(line) for line in (tmp_path / "log").read_text().split()]
    assert (killed.returncode, again.stdout) == (-signal.SIGKILL, "30\n")
    assert "File name too long" in killed.stderr
    assert steps == [*range(21), *range(20, 30)]


def test_kill_costs_a_moment_with_durability_group(tmp_path):
    """By default a kill costs what finished in the last moment, which is then executed again."""
    killed = run_killed(tmp_path, "group", 20)
    again = run_killed(tmp_path, "group", -1)

    steps = [int(line) for line in (tmp_path / "log").read_text().split()]
    assert (killed.returncode, again.stdout) == (-signal.SIGKILL, "30\n")
    assert sorted(set(steps)) == list(range(30))
    assert steps[21] <= 20
    assert [path.name for path in tmp_path.iterdir() if "journal" in path.name] == []


@task()
def double(number):
    return 2 * number


@task()
def double_all(count):
    return [double(number) for number in range(count)]


def test_workflow_leaves_no_journal(tmp_path):
    """After a run everything is in the tables."""
    with closing(SqlBackend(SqlOptions(f"sqlite:///{tmp_path}/redun.db"))) as backend:
        with Scheduler(backend=backend) as scheduler:
            result = scheduler.run(double_all(300))
        names = sorted(path.name for path in tmp_path.iterdir())

    assert sum(result) == 300 * 299
    assert not [name for name in names if "journal" in name]


def test_jobs_of_a_killed_run_are_known(tmp_path):
    """The jobs of a killed run are in the log, those that ended and those that were running.

    That the last one ended may not be known: only its result has to be safe before the next one begins.
    """
    run_killed(tmp_path, "job", 3)

    with closing(SqlBackend(SqlOptions(f"sqlite:///{tmp_path}/redun.db"))) as backend:
        backend.load()
        [(ended,)] = backend.database.select("SELECT count(*) FROM job WHERE end_time IS NOT NULL")
        [(running,)] = backend.database.select("SELECT count(*) FROM job WHERE end_time IS NULL")

    assert 2 <= ended <= 3
    assert running >= 1


class RemoteExecutor(LocalExecutor):
    """Runs calls in threads, and notes how many jobs the journals hold when it gets them."""

    is_remote = True

    def submit_many(self, calls):
        stem = str(self.folder / "redun.db")
        with closing(SqlBackend(SqlOptions(f"sqlite:///{stem}"))) as backend:
            backend.load()
            journaled = [batch for path in list_journals(stem) for batch in read_batches(path)]
            known = {job_id for (job_id,) in backend.database.select("SELECT id FROM job")}
        known.update(job_id for batch in journaled for job_id in batch.jobs)
        self.unknown.extend(call.job_id for call in calls if call.job_id not in known)
        return super().submit_many(calls)


def read_batches(path):
    with path.open("rb") as stream:
        return [unpack_batch(content) for content in read_frames(stream)]


def test_remote_jobs_are_journaled_before_they_start(tmp_path):
    """A job that goes to an executor whose calls outlive this process is on the disk before it is submitted."""
    executor = RemoteExecutor("default", LocalOptions())
    executor.folder, executor.unknown = tmp_path, []
    with Scheduler({"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db"}}, executor=executor) as scheduler:
        scheduler.run(double_all(20))

    assert executor.unknown == []


@task(version="1", check_valid="full")
def sometimes_valid(number):
    return File(f"{number}.txt")


def test_reasons_are_recorded(tmp_path, monkeypatch):
    """Why a job ran that was answered before is written down; that a call was new is not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1.txt").write_text("a")
    with Scheduler({"backend": {"db_uri": f"sqlite:///{tmp_path}/redun.db"}}) as scheduler:
        scheduler.run(sometimes_valid(1))
        (tmp_path / "1.txt").write_text("longer")

        scheduler.run(sometimes_valid(1))

        rows = scheduler.backend.database.select(f"SELECT reason FROM {REASON.table}")
    assert rows == [("the recorded result is no longer valid",)]
