"""The slice of S3 that redun and boto3's transfers use: objects, listings, copies and uploads in parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from email.utils import formatdate
from urllib.parse import quote, unquote
from xml.etree import ElementTree as ET

from redun_executor_batch.testing.s3_store import ObjectStore, StoredObject
from redun_executor_batch.testing.wire import Request, Response, ServiceError, answer_xml, element

_NAMESPACE = {"xmlns": "http://s3.amazonaws.com/doc/2006-03-01/"}
_MAX_KEYS = 1_000
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_KEPT = ("content-type", "content-encoding", "content-disposition", "cache-control")


class S3Service:
    """Answers the requests of S3.

    Parameters
    ----------
    store
        The buckets.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._operations: Mapping[str, Callable[[Request, str, str], Response]] = {
            "ListBuckets": self._list_buckets,
            "CreateBucket": self._create_bucket,
            "DeleteBucket": self._delete_bucket,
            "HeadBucket": self._head_bucket,
            "GetBucketLocation": self._locate_bucket,
            "ListObjectsV2": self._list_objects,
            "DeleteObjects": self._delete_objects,
            "GetObject": self._get,
            "HeadObject": self._head,
            "PutObject": self._put,
            "CopyObject": self._copy,
            "DeleteObject": self._delete,
            "CreateMultipartUpload": self._start_upload,
            "UploadPart": self._put_part,
            "UploadPartCopy": self._copy_part,
            "CompleteMultipartUpload": self._complete_upload,
            "AbortMultipartUpload": self._abort_upload,
        }

    def name(self, request: Request) -> str:
        """Return what a request asks for, as the documentation calls it."""
        bucket, key = _split(request)
        if not bucket:
            return "ListBuckets" if request.method == "GET" else "Unknown"
        copied = "Copy" if "x-amz-copy-source" in request.headers else ""
        if not key:
            if request.method == "GET":
                return "GetBucketLocation" if "location" in request.query else "ListObjectsV2"
            if request.method == "POST" and "delete" in request.query:
                return "DeleteObjects"
            return {"PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}.get(
                request.method, "Unknown"
            )
        if "uploadId" in request.query:
            names = {"PUT": f"UploadPart{copied}", "POST": "CompleteMultipartUpload", "DELETE": "AbortMultipartUpload"}
            return names.get(request.method, "Unknown")
        if request.method == "POST" and "uploads" in request.query:
            return "CreateMultipartUpload"
        if request.method == "PUT" and copied:
            return "CopyObject"
        names = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
        return names.get(request.method, "Unknown")

    def answer(self, name: str, request: Request) -> Response:
        """Do what a request asks for."""
        operation = self._operations.get(name)
        if operation is None:
            raise ServiceError("NotImplemented", f"this endpoint does not answer {request.method} here", 501)
        return operation(request, *_split(request))

    def _list_buckets(self, request: Request, bucket: str, key: str) -> Response:
        created = "2020-01-01T00:00:00.000Z"
        items = [
            element("Bucket", element("Name", name), element("CreationDate", created)) for name in self._store.buckets()
        ]
        return answer_xml(element("ListAllMyBucketsResult", element("Buckets", *items), **_NAMESPACE))

    def _create_bucket(self, request: Request, bucket: str, key: str) -> Response:
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
            raise ServiceError("InvalidBucketName", "The specified bucket is not valid.")
        self._store.create_bucket(bucket)
        return Response(headers={"Location": f"/{bucket}"})

    def _delete_bucket(self, request: Request, bucket: str, key: str) -> Response:
        self._store.delete_bucket(bucket)
        return Response(204)

    def _head_bucket(self, request: Request, bucket: str, key: str) -> Response:
        self._store.list(bucket, "", "")
        return Response(headers={"x-amz-bucket-region": "us-east-1"})

    def _locate_bucket(self, request: Request, bucket: str, key: str) -> Response:
        self._store.list(bucket, "", "")
        return answer_xml(element("LocationConstraint", **_NAMESPACE))

    def _list_objects(self, request: Request, bucket: str, key: str) -> Response:
        query = request.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = unquote(query.get("continuation-token", "")) or query.get("start-after", "")
        limit = min(int(query.get("max-keys", _MAX_KEYS)), _MAX_KEYS)
        write = quote if query.get("encoding-type") == "url" else str
        items: list[str] = []
        folders: list[str] = []
        last, more = after, False
        for found in self._store.list(bucket, prefix, after):
            folder = _find_folder(found.key, prefix, delimiter)
            if folder is not None and (folder in folders or after.startswith(folder)):
                last = found.key
                continue
            if len(items) + len(folders) >= limit:
                more = True
                break
            last = found.key
            if folder is not None:
                folders.append(folder)
            else:
                items.append(element("Contents", element("Key", write(found.key)), *_describe(found)))
        content = [
            element("Name", bucket),
            element("Prefix", write(prefix)),
            element("KeyCount", len(items) + len(folders)),
            element("MaxKeys", limit),
            element("IsTruncated", "true" if more else "false"),
            *([element("EncodingType", "url")] if write is quote else []),
            *([element("Delimiter", write(delimiter))] if delimiter else []),
            *([element("NextContinuationToken", quote(last))] if more else []),
            *items,
            *(element("CommonPrefixes", element("Prefix", write(folder))) for folder in folders),
        ]
        return answer_xml(element("ListBucketResult", *content, **_NAMESPACE))

    def _delete_objects(self, request: Request, bucket: str, key: str) -> Response:
        tree = _parse(request.body)
        keys = [item.text or "" for item in tree.iter() if _tag(item) == "Key"]
        quiet = any(_tag(item) == "Quiet" and item.text == "true" for item in tree.iter())
        for found in keys:
            self._store.delete(bucket, found)
        deleted = [] if quiet else [element("Deleted", element("Key", found)) for found in keys]
        return answer_xml(element("DeleteResult", *deleted, **_NAMESPACE))

    def _get(self, request: Request, bucket: str, key: str) -> Response:
        found = self._store.get(bucket, key)
        headers = _headers(found)
        _check_conditions(request, found)
        wanted = _RANGE.fullmatch(request.headers.get("range", ""))
        if not wanted or not any(wanted.groups()):
            return Response(200, found.read(), headers)
        start = int(wanted[1]) if wanted[1] else max(found.size - int(wanted[2]), 0)
        stop = min(int(wanted[2]) + 1, found.size) if wanted[1] and wanted[2] else found.size
        if start >= found.size:
            raise ServiceError("InvalidRange", "The requested range is not satisfiable", 416)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{found.size}"
        return Response(206, found.read(start, stop), headers)

    def _head(self, request: Request, bucket: str, key: str) -> Response:
        found = self._store.get(bucket, key)
        _check_conditions(request, found)
        return Response(200, b"", {**_headers(found), "Content-Length": str(found.size)})

    def _put(self, request: Request, bucket: str, key: str) -> Response:
        only_if_new = request.headers.get("if-none-match") == "*"
        made = self._store.put(bucket, key, request.body, _kept(request), only_if_new)
        return Response(headers={"ETag": made.etag})

    def _copy(self, request: Request, bucket: str, key: str) -> Response:
        source = self._find_source(request)
        replace = request.headers.get("x-amz-metadata-directive") == "REPLACE"
        made = self._store.put(bucket, key, source.read(), _kept(request) if replace else source.headers)
        content = [element("ETag", made.etag), element("LastModified", _time(made.modified))]
        return answer_xml(element("CopyObjectResult", *content, **_NAMESPACE))

    def _delete(self, request: Request, bucket: str, key: str) -> Response:
        self._store.delete(bucket, key)
        return Response(204)

    def _start_upload(self, request: Request, bucket: str, key: str) -> Response:
        upload_id = self._store.start_upload(bucket, key, _kept(request))
        content = [element("Bucket", bucket), element("Key", key), element("UploadId", upload_id)]
        return answer_xml(element("InitiateMultipartUploadResult", *content, **_NAMESPACE))

    def _put_part(self, request: Request, bucket: str, key: str) -> Response:
        etag = self._store.put_part(request.query["uploadId"], int(request.query["partNumber"]), request.body)
        return Response(headers={"ETag": etag})

    def _copy_part(self, request: Request, bucket: str, key: str) -> Response:
        source = self._find_source(request)
        wanted = _RANGE.fullmatch(request.headers.get("x-amz-copy-source-range", ""))
        content = source.read(int(wanted[1]), int(wanted[2]) + 1) if wanted else source.read()
        etag = self._store.put_part(request.query["uploadId"], int(request.query["partNumber"]), content)
        return answer_xml(element("CopyPartResult", element("ETag", etag), **_NAMESPACE))

    def _complete_upload(self, request: Request, bucket: str, key: str) -> Response:
        numbers = [int(item.text or 0) for item in _parse(request.body).iter() if _tag(item) == "PartNumber"]
        made = self._store.complete_upload(request.query["uploadId"], numbers)
        content = [element("Bucket", bucket), element("Key", key), element("ETag", made.etag)]
        return answer_xml(element("CompleteMultipartUploadResult", *content, **_NAMESPACE))

    def _abort_upload(self, request: Request, bucket: str, key: str) -> Response:
        self._store.abort_upload(request.query["uploadId"])
        return Response(204)

    def _find_source(self, request: Request) -> StoredObject:
        bucket, _, key = unquote(request.headers["x-amz-copy-source"]).lstrip("/").partition("/")
        return self._store.get(bucket, key)


def _split(request: Request) -> tuple[str, str]:
    bucket, _, key = request.path.lstrip("/").partition("/")
    return bucket, key


def _find_folder(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the part of a key up to the delimiter behind a prefix; None if there is none."""
    rest = key[len(prefix) :]
    if not delimiter or delimiter not in rest:
        return None
    return prefix + rest[: rest.index(delimiter) + len(delimiter)]


def _describe(found: StoredObject) -> Sequence[str]:
    return [
        element("LastModified", _time(found.modified)),
        element("ETag", found.etag),
        element("Size", found.size),
        element("StorageClass", "STANDARD"),
    ]


def _headers(found: StoredObject) -> dict[str, str]:
    modified = formatdate(found.modified, usegmt=True)
    return {"ETag": found.etag, "Last-Modified": modified, "Accept-Ranges": "bytes", **found.headers}


def _kept(request: Request) -> Mapping[str, str]:
    """Return the headers of a request that belong to the object."""
    return {name: value for name, value in request.headers.items() if name in _KEPT or name.startswith("x-amz-meta-")}


def _check_conditions(request: Request, found: StoredObject) -> None:
    if request.headers.get("if-match", found.etag) not in (found.etag, "*"):
        raise ServiceError("PreconditionFailed", "At least one of the preconditions did not hold", 412)


def _parse(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)  # noqa: S314
    except ET.ParseError:
        raise ServiceError("MalformedXML", "The XML you provided was not well-formed") from None


def _tag(item: ET.Element) -> str:
    return item.tag.rpartition("}")[2]


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
