"""The endpoint's S3 answers as a real store does: each question is put to both."""

import hashlib
import threading
import urllib.request

import pytest
from botocore.exceptions import ClientError

BUCKET = "compared"
MEGABYTE = 1 << 20


@pytest.fixture(scope="module", params=["endpoint", "server"])
def s3(request):
    """A client of the endpoint, and one of a real store."""
    if request.param == "endpoint":
        client = request.getfixturevalue("make_client")("s3")
    else:
        client = request.getfixturevalue("s3_server").client()
    client.create_bucket(Bucket=BUCKET)
    yield client
    if request.param == "server":
        client.close()


@pytest.fixture
def put(s3):
    """A function that writes an object."""

    def write(key, content=b"content", **kwargs):
        return s3.put_object(Bucket=BUCKET, Key=key, Body=content, **kwargs)

    return write


def read(s3, key, **kwargs):
    return s3.get_object(Bucket=BUCKET, Key=key, **kwargs)["Body"].read()


def refusal(function, **kwargs):
    with pytest.raises(ClientError) as caught:
        function(**kwargs)
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("key", ["plain", "with space/and+plus", "it's ☃/%41&=?#", "a//b"])
def test_any_key(s3, put, key):
    """Keys may have any letters."""
    put(key, key.encode())

    assert read(s3, key) == key.encode()
    listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=key)["Contents"]
    assert [found["Key"] for found in listed] == [key]


def test_what_is_known_of_an_object(s3, put):
    """An object has the digest of its content as its ETag, its size, its type and what one adds to it."""
    put("known", b"12345", ContentType="text/x", Metadata={"own": "value"})

    found = s3.head_object(Bucket=BUCKET, Key="known")

    assert found["ETag"] == f'"{hashlib.md5(b"12345").hexdigest()}"'
    assert (found["ContentLength"], found["ContentType"], found["Metadata"]) == (5, "text/x", {"own": "value"})


@pytest.mark.parametrize("wanted", ["bytes=1-", "bytes=1-2", "bytes=-2", "bytes=0-0", "bytes=2-100"])
def test_parts_of_an_object(s3, put, wanted):
    """A part of an object can be read, also past its end."""
    put("ranged", b"12345")
    expected = {
        "bytes=1-": b"2345",
        "bytes=1-2": b"23",
        "bytes=-2": b"45",
        "bytes=0-0": b"1",
        "bytes=2-100": b"345",
    }

    assert read(s3, "ranged", Range=wanted) == expected[wanted]


def test_part_behind_the_end_is_refused(s3, put):
    """A part that begins behind the end is none."""
    put("short", b"12345")

    assert refusal(s3.get_object, Bucket=BUCKET, Key="short", Range="bytes=5-") == ("InvalidRange", 416)


def test_what_is_missing(s3, put):
    """What is not there is refused, by its kind."""
    assert refusal(s3.get_object, Bucket=BUCKET, Key="missing") == ("NoSuchKey", 404)
    assert refusal(s3.head_object, Bucket=BUCKET, Key="missing") == ("404", 404)
    assert refusal(s3.list_objects_v2, Bucket="no-such-bucket") == ("NoSuchBucket", 404)
    assert refusal(s3.upload_part, Bucket=BUCKET, Key="a", UploadId="none", PartNumber=1, Body=b"") == (
        "NoSuchUpload",
        404,
    )
    s3.delete_object(Bucket=BUCKET, Key="missing")


def test_listing_in_pages_and_folders(s3, put):
    """Keys are listed in order and in pages, and those with a delimiter behind the prefix as folders."""
    for key in ("list/b", "list/a/1", "list/a/2", "list/c", "list/d/1"):
        put(key)

    def list_all(**kwargs):
        pages = s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Prefix="list/", PaginationConfig={"PageSize": 2}, **kwargs
        )
        keys, folders = [], []
        for page in pages:
            keys += [found["Key"] for found in page.get("Contents", ())]
            folders += [found["Prefix"] for found in page.get("CommonPrefixes", ())]
        return keys, folders

    assert list_all() == (["list/a/1", "list/a/2", "list/b", "list/c", "list/d/1"], [])
    assert list_all(Delimiter="/") == (["list/b", "list/c"], ["list/a/", "list/d/"])


def test_objects_that_must_be_new(s3, put):
    """Of many that write one new object, one does so."""
    winners = []

    def write(number):
        try:
            put("lock", b"%d" % number, IfNoneMatch="*")
        except ClientError:
            return
        winners.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(winners) == 1
    assert read(s3, "lock") == b"%d" % winners[0]
    assert refusal(put, key="lock", IfNoneMatch="*") == ("PreconditionFailed", 412)


def test_objects_that_must_not_have_changed(s3, put):
    """An object is read in one state, if that is asked for."""
    etag = put("state", b"1")["ETag"]
    put("state", b"2")

    assert refusal(s3.get_object, Bucket=BUCKET, Key="state", IfMatch=etag) == ("PreconditionFailed", 412)


def test_copies(s3, put):
    """An object is copied with what is known of it, unless that is replaced."""
    put("source of it", b"copied", Metadata={"own": "value"})
    source = {"Bucket": BUCKET, "Key": "source of it"}

    s3.copy_object(Bucket=BUCKET, Key="copy", CopySource=source)
    s3.copy_object(Bucket=BUCKET, Key="other", CopySource=source, MetadataDirective="REPLACE", Metadata={})

    assert (read(s3, "copy"), read(s3, "other")) == (b"copied", b"copied")
    assert s3.head_object(Bucket=BUCKET, Key="copy")["Metadata"] == {"own": "value"}
    assert s3.head_object(Bucket=BUCKET, Key="other")["Metadata"] == {}


def test_uploads_in_parts(s3):
    """Parts make an object, whose ETag tells of them, and can be copied from other objects."""
    first = b"a" * 5 * MEGABYTE
    upload = {"Bucket": BUCKET, "Key": "parts"}
    upload["UploadId"] = s3.create_multipart_upload(**upload, ContentType="text/x")["UploadId"]
    etags = [
        s3.upload_part(**upload, PartNumber=number, Body=body)["ETag"] for number, body in ((1, first), (2, b"end"))
    ]

    s3.complete_multipart_upload(
        **upload,
        MultipartUpload={"Parts": [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]},
    )

    digest = hashlib.md5(b"".join(hashlib.md5(body).digest() for body in (first, b"end"))).hexdigest()
    found = s3.head_object(Bucket=BUCKET, Key="parts")
    assert (found["ETag"], found["ContentLength"]) == (f'"{digest}-2"', 5 * MEGABYTE + 3)
    assert read(s3, "parts", Range=f"bytes={5 * MEGABYTE - 1}-") == b"aend"
    assert found["ContentType"] == "text/x"


def test_large_files(s3, tmp_path):
    """boto3's transfers go up, across and down in parts."""
    content = b"0123456789abcdef" * MEGABYTE
    (tmp_path / "up").write_bytes(content)

    s3.upload_file(str(tmp_path / "up"), BUCKET, "large")
    s3.copy({"Bucket": BUCKET, "Key": "large"}, BUCKET, "large copy")
    s3.download_file(BUCKET, "large copy", str(tmp_path / "down"))

    assert (tmp_path / "down").read_bytes() == content


def test_deleting_many(s3, put):
    """Many objects are deleted with one request, those that are not there too."""
    for number in range(3):
        put(f"many/{number}")

    answer = s3.delete_objects(
        Bucket=BUCKET, Delete={"Objects": [{"Key": f"many/{number}"} for number in (0, 1, 7)], "Quiet": True}
    )

    assert not answer.get("Errors")
    left = s3.list_objects_v2(Bucket=BUCKET, Prefix="many/")["Contents"]
    assert [found["Key"] for found in left] == ["many/2"]


def test_signed_urls(s3, put):
    """An object can be read by whoever has its signed URL."""
    put("signed", b"for all")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": "signed"})

    with urllib.request.urlopen(url) as answer:
        assert answer.read() == b"for all"


def test_buckets_that_are_not_empty_stay(make_client):
    """Only an empty bucket can be removed; the real store is more generous."""
    s3 = make_client("s3")
    s3.create_bucket(Bucket="short-lived")
    s3.put_object(Bucket="short-lived", Key="a", Body=b"")

    assert refusal(s3.delete_bucket, Bucket="short-lived") == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="short-lived", Key="a")
    s3.delete_bucket(Bucket="short-lived")
    assert "short-lived" not in [found["Name"] for found in s3.list_buckets()["Buckets"]]
