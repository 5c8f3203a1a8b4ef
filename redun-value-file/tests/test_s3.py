import os
import subprocess
import sys
import threading
from collections import Counter

import pytest

from redun.file import Dir, File, FileSet, get_filesystem, glob_file
from redun.hashing import hash_struct
from redun.values.registry import get_type_registry
from redun_value_file.s3_client import forget_client, get_client


def locate(file):
    bucket, _, key = file.path.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}


@pytest.fixture
def requests(s3_folder):
    """What this process asks the server from now on: a count by the name of the operation."""
    counted = Counter()
    get_client().meta.events.register("before-call.s3", lambda model, **_: counted.update([model.name]))
    return counted


def test_file_is_written_read_and_removed(s3_folder):
    """An object is written, read as text and as bytes, measured and removed as any file is."""
    file = File(f"{s3_folder}/new/folder/a.txt")

    file.write("häß\n", encoding="utf-8")
    seen = (file.read(encoding="utf-8"), file.read("rb"), file.size(), file.exists(), file.isfile(), file.isdir())
    file.remove()
    file.remove()

    assert seen == ("häß\n", "häß\n".encode(), 6, True, True, False)
    assert file.exists() is False


def test_hash_is_that_of_path_and_etag(s3_folder, s3_server):
    """An object's hash is that of its URL and its ETag, with the quotes that the store puts around it."""
    file = File(f"{s3_folder}/a")
    missing = file.hash

    file.write("text")

    etag = s3_server.client().head_object(**locate(file))["ETag"]
    assert missing == hash_struct(["File", "s3", file.path, ""])
    assert file.hash == hash_struct(["File", "s3", file.path, etag])
    assert etag.startswith('"')


def test_a_hash_takes_one_request(s3_folder, requests):
    """The hash of an object that exists or does not takes one request."""
    File(f"{s3_folder}/a").write("text")
    requests.clear()

    hashes = [File(f"{s3_folder}/{name}").hash for name in ("a", "b")]

    assert (len(set(hashes)), requests) == (2, {"HeadObject": 2})


@pytest.mark.parametrize("mode", ["w", "a", "x", "r+", "w+", "a+"])
def test_every_mode_writes(s3_folder, mode):
    """Every mode that writes changes an object as it would a local file."""
    file = File(f"{s3_folder}/a")
    if mode != "x":
        file.write("0123456789")
    before = file.hash

    with file.open(mode) as stream:
        stream.write("abc")

    expected = {"a": "0123456789abc", "a+": "0123456789abc", "r+": "abc3456789"}.get(mode, "abc")
    assert (file.read(), file.hash != before) == (expected, True)


def test_existing_object_is_not_created(s3_folder):
    """Mode ``x`` on an object that exists raises an error and leaves it."""
    file = File(f"{s3_folder}/a")
    file.write("kept")

    with pytest.raises(OSError, match=r"File exists.*s3://"):
        file.write("new", mode="x")

    assert file.read() == "kept"


def test_half_an_object_is_never_seen(s3_folder):
    """While an object is written it is as it was, and it stays so when writing fails."""
    file = File(f"{s3_folder}/a")
    file.write("old")
    seen = []

    def fail():
        with file.open("w") as stream:
            stream.write("new")
            stream.flush()
            seen.append(File(file.path).read())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert [*seen, file.read()] == ["old", "old"]


def test_large_object_is_stored_in_parts_and_read_anywhere(s3_folder, requests):
    """An object of many megabytes goes up in parts and can be read from any position, also backwards."""
    file = File(f"{s3_folder}/large")
    data = os.urandom(1 << 20) * 20
    file.write(data, mode="wb")

    with file.open("rb") as stream:
        end = (stream.seek(-5, os.SEEK_END), stream.read())
        middle = (stream.seek(7_000_000), stream.read(10))
        start = (stream.seek(0), stream.read(10))

    assert requests["CreateMultipartUpload"] == 1
    assert end == (len(data) - 5, data[-5:])
    assert (middle, start) == ((7_000_000, data[7_000_000:7_000_010]), (0, data[:10]))
    assert file.read("rb") == data


def test_object_that_changes_while_it_is_read_is_an_error(s3_folder):
    """What is read of an object is of one state of it; another state is an error that says so."""
    file = File(f"{s3_folder}/a")
    file.write(b"a" * 3_000_000, mode="wb")

    with file.open("rb") as stream:
        stream.read(10)
        File(file.path).write(b"b" * 3_000_000, mode="wb")
        stream.seek(2_500_000)

        with pytest.raises(OSError, match="changed while it was read"):
            stream.read(10)


def test_keys_beside_a_directory_are_not_in_it(s3_folder):
    """A directory holds the keys below it, none that only begin as its name does."""
    for name in ("dir/a", "dir/sub/b", "dir2/c", "dir.txt"):
        File(f"{s3_folder}/{name}").write(name)
    directory = Dir(f"{s3_folder}/dir")

    found = [directory.rel_path(file.path) for file in directory]

    hashes = sorted(File(f"{directory.path}/{name}").hash for name in ("a", "sub/b"))
    assert found == ["a", "sub/b"]
    assert directory.hash == hash_struct(["Dir", directory.path, *hashes])
    assert [Dir(f"{s3_folder}/{name}").exists() for name in ("dir", "di", "dir2")] == [True, False, True]


def test_directory_takes_one_listing(s3_folder, requests):
    """To hash, store and check a directory takes one listing each, in pages, and no request per object."""
    filesystem = get_filesystem("s3")
    for number in range(12):
        File(f"{s3_folder}/d/{number}").write("x")
    directory = Dir(f"{s3_folder}/d")
    requests.clear()

    encoded = get_type_registry().encode(directory)
    stored = requests.copy()
    is_valid = directory.is_valid()

    assert (stored, requests) == ({"ListObjectsV2": 1}, {"ListObjectsV2": 2})
    assert (len(encoded.subvalues), is_valid) == (12, True)
    assert len(list(filesystem.iter_files(directory.path))) == 12


def test_listings_are_read_to_their_end(s3_folder, s3_server, requests):
    """A listing of more objects than a page holds is read to its end."""
    client = s3_server.client()
    for number in range(30):
        client.put_object(**locate(File(f"{s3_folder}/d/{number:02}")), Body=b"")
    get_client().meta.events.register(
        "provide-client-params.s3.ListObjectsV2", lambda params, **_: {**params, "MaxKeys": 7}
    )

    found = list(Dir(f"{s3_folder}/d"))

    assert (len(found), requests) == (30, {"ListObjectsV2": 5})


PATTERNS = {
    "*.txt": ["a.txt"],
    "d/*": ["d/b.txt", "d/c.csv"],
    "**/*.txt": ["a.txt", "d/b.txt", "d/e/f.txt"],
    "d/**": ["d/b.txt", "d/c.csv", "d/e/f.txt"],
    "d/?.[a-c]sv": ["d/c.csv"],
    "d/[!c].*": ["d/b.txt"],
    "none/*": [],
    "d/b.txt": ["d/b.txt"],
}


def test_patterns(s3_folder):
    """A pattern matches keys as it matches local paths, name by name."""
    for name in ("a.txt", "d/b.txt", "d/c.csv", "d/e/f.txt", "d2/x.y"):
        File(f"{s3_folder}/{name}").write("x")

    found = {
        pattern: [file.path.removeprefix(f"{s3_folder}/") for file in FileSet(f"{s3_folder}/{pattern}")]
        for pattern in PATTERNS
    }

    assert found == PATTERNS


def test_patterns_match_directories_too(s3_folder):
    """Asked for all paths that match, a store names the directories among them."""
    File(f"{s3_folder}/d/e/f").write("x")

    assert glob_file(f"{s3_folder}/d/*") == [f"{s3_folder}/d/e"]


def test_directories_are_copied_and_removed(s3_folder, tmp_path):
    """A directory is copied out of, within and into the store, and removed with everything in it."""
    local = Dir(tmp_path / "d")
    local.file("a b").write("1")
    local.file("sub/ü").write("2")

    there = local.copy_to(Dir(f"{s3_folder}/there"))
    within = there.copy_to(Dir(f"{s3_folder}/within"))
    back = within.copy_to(Dir(tmp_path / "back"))
    with pytest.raises(OSError, match="not empty"):
        there.rmdir()
    there.rmdir(recursive=True)

    assert {back.rel_path(file.path): file.read() for file in back} == {"a b": "1", "sub/ü": "2"}
    assert (there.exists(), within.exists()) == (False, True)


def test_touched_object_is_there(s3_folder):
    """Touching creates an object, and leaves the content of one that is there."""
    file, other = File(f"{s3_folder}/a"), File(f"{s3_folder}/b")
    file.write("kept")

    file.touch()
    other.touch()

    assert (file.read(), other.size()) == ("kept", 0)


def test_client_is_shared_by_threads(s3_folder):
    """Many threads write and read objects at once."""
    problems = []

    def work(number):
        try:
            file = File(f"{s3_folder}/{number}")
            file.write(str(number))
            assert file.read() == str(number)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert problems == []
    assert len(list(Dir(s3_folder))) == 12


def test_client_is_not_shared_with_a_forked_process(s3_folder):
    """A process that was forked while a connection was open talks to the store through one of its own."""
    code = f"""
import os
from redun import File
from redun_value_file.s3_client import get_client
file = File("{s3_folder}/a")
file.write("parent")
client = get_client()
child = os.fork()
if child == 0:
    File("{s3_folder}/b").write("child " + str(get_client() is client))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
print(file.read(), File("{s3_folder}/b").read())
"""

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "parent child False\n"


def test_missing_object_and_missing_bucket(s3_folder):
    """An object and a bucket that do not exist are told apart, and the URL is named."""
    with pytest.raises(FileNotFoundError, match=r"there is no such object.*s3://.*/nope"):
        File(f"{s3_folder}/nope").read()
    with pytest.raises(FileNotFoundError, match="there is no bucket 'no-such-bucket-of-mine'"):
        File("s3://no-such-bucket-of-mine/a").read()
    with pytest.raises(FileNotFoundError, match="there is no bucket 'no-such-bucket-of-mine'"):
        File("s3://no-such-bucket-of-mine/a").write("x")


def test_denied_access(s3_folder, s3_server, monkeypatch):
    """Who may not read an object is told so, also when its hash is asked for; the file then is not valid."""
    file = File(f"{s3_folder}/a")
    file.write("x")
    for name, value in s3_server.environment(("stranger", "stranger-secret")).items():
        monkeypatch.setenv(name, value)
    forget_client()

    for action in (file.read, File(file.path).update_hash):
        with pytest.raises(PermissionError, match=f"S3 denies access.*policy of bucket 'shared'.*{file.path}"):
            action()

    assert file.is_valid() is False


def test_missing_credentials(s3_folder, monkeypatch, tmp_path):
    """Who has no credentials is told which variables hold them."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    forget_client()

    with pytest.raises(PermissionError, match="no AWS credentials were found; set AWS_ACCESS_KEY_ID"):
        File(f"{s3_folder}/a").read()


def test_endpoint_that_is_down(s3_environment, monkeypatch):
    """An endpoint that can't be reached is named."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("redun_value_file.s3_client.MAX_ATTEMPTS", 1)
    forget_client()

    with pytest.raises(OSError, match=r"the endpoint http://127.0.0.1:9 can't be reached.*s3://bucket/a"):
        File("s3://bucket/a").read()


def answer(status, code, headers=None, extra=""):
    """Return a handler that answers requests in the store's place, as long as it is asked to."""
    from botocore.awsrequest import AWSResponse

    class Raw:
        def stream(self, *_, **__):
            yield f"<Error><Code>{code}</Code><Message>please</Message>{extra}</Error>".encode()

    def handle(request, **_):
        if handle.left <= 0:
            return None
        handle.left -= 1
        return AWSResponse(request.url, status, headers or {}, Raw())

    handle.left = 0
    get_client().meta.events.register("before-send.s3", handle)
    return handle


def test_throttled_requests_are_made_again(s3_folder):
    """A request that the store is too busy for is made again."""
    file = File(f"{s3_folder}/a")
    file.write("text")
    throttling = answer(503, "SlowDown")
    throttling.left = 2

    text = file.read()

    assert (text, throttling.left) == ("text", 0)


def test_lasting_throttling_is_an_error(s3_folder, monkeypatch):
    """A store that stays too busy is an error that says so."""
    monkeypatch.setattr("redun_value_file.s3_client.MAX_ATTEMPTS", 2)
    forget_client()
    answer(503, "SlowDown").left = 99

    with pytest.raises(OSError, match="S3 is too busy, also after 2 attempts"):
        File(f"{s3_folder}/a").read()


def test_bucket_of_another_region(s3_folder):
    """A bucket that is in another region is an error that names the region."""
    answer(400, "AuthorizationHeaderMalformed", extra="<Region>eu-west-3</Region>").left = 99

    with pytest.raises(OSError, match=r"the bucket 'shared' is in eu-west-3.*set AWS_DEFAULT_REGION"):
        File(f"{s3_folder}/a").read()


def test_url_without_a_bucket():
    """A URL without a bucket is refused with a sentence that says how one is written."""
    with pytest.raises(OSError, match="a file in S3 is written s3://bucket/key"):
        File("s3:///a").exists()
