"""google-genai, unchanged: files up and down."""

import asyncio
import hashlib
import io

import pytest
from google import genai
from google.genai import errors, types

import house

CHUNK = 8 * 1024 * 1024  # what the SDK sends at a time
CHUNKS = "files.upload"


def client(door, **options):
    http_options = types.HttpOptions(base_url=door.google, **options)
    return genai.Client(api_key=door.google_key, http_options=http_options)


def content(length):
    return bytes(range(251)) * (length // 251 + 1)


def upload(door, length=1000, **options):
    gemini = client(door, **options)
    return send(gemini, length)


def send(gemini, length):
    return gemini.files.upload(file=io.BytesIO(content(length)[:length]), config={"mime_type": "text/plain"})


def upload_asynchronously(door, length):
    async def inside():
        gemini = client(door)
        file = io.BytesIO(content(length)[:length])
        return await gemini.aio.files.upload(file=file, config={"mime_type": "text/plain"})

    return asyncio.run(inside())


def begun_and_sent(door):
    starts, chunks = door.sim.requests("google", "files.upload.start"), door.sim.requests("google", CHUNKS)
    assert {request["project"] for request in starts + chunks} == {starts[0]["project"]}, "one project has all of it"
    return starts, chunks


@pytest.mark.parametrize("version", [None, "v1beta", "v1alpha"])
def test_uploads(door, version):
    file = upload(door, **({"api_version": version} if version else {}))
    assert file.name.startswith("files/") and file.size_bytes == 1000 and file.state == types.FileState.ACTIVE
    (start,), (chunk,) = begun_and_sent(door)
    # Majors up to 2 upload to v1beta whatever they are told.
    assert start["path"] == chunk["path"] and start["path"] in (f"/upload/{version or 'v1'}/files", "/upload/v1beta/files")
    assert chunk["body_bytes"] == 1000
    assert chunk["body_sha256"] == hashlib.sha256(content(1000)[:1000]).hexdigest()


def test_uploads_in_several_chunks(door):
    length = 2 * CHUNK + 12345
    assert upload(door, length).size_bytes == length
    _, chunks = begun_and_sent(door)
    assert [chunk["body_bytes"] for chunk in chunks] == [CHUNK, CHUNK, 12345]


def test_uploads_from_a_path(door, tmp_path):
    path = tmp_path / "notes.txt"
    path.write_bytes(b"notes")
    gemini = client(door)
    assert gemini.files.upload(file=path).size_bytes == 5
    (start,), _ = begun_and_sent(door)
    assert dict(start["headers"])["x-goog-upload-file-name"] == "notes.txt"


def test_uploads_asynchronously(door):
    assert upload_asynchronously(door, CHUNK + 1).size_bytes == CHUNK + 1
    _, chunks = begun_and_sent(door)
    assert [chunk["body_bytes"] for chunk in chunks] == [CHUNK, 1]


def test_no_credential_is_sent_with_the_bytes(keygate):
    """A trap: the SDK continues an upload without any. Its id is what lets it in."""
    upload(keygate)
    (start,), (chunk,) = begun_and_sent(keygate)
    assert len(start["credentials"]) == 1 and not chunk["credentials"]


def test_the_prefix_of_the_provider_is_a_door_too(keygate):
    """A trap: of the base URL the SDK keeps scheme, host and port, and takes the path from the answer."""
    keygate.google += "/google"
    assert upload(keygate).size_bytes == 1000


@pytest.mark.parametrize("sent", [upload, upload_asynchronously])
def test_a_broken_chunk_is_sent_again_by_the_sdk(keygate, sent):
    """A trap: an answer without X-Goog-Upload-Status is tried again, three times in all."""
    broken = {"half_body": {"bytes": 0, "ending": "reset"}}
    keygate.sim.script({"provider": "google", "operation": CHUNKS, "action": broken})
    assert sent(keygate, CHUNK).size_bytes == CHUNK
    _, chunks = begun_and_sent(keygate)
    assert [chunk["status"] for chunk in chunks] == [None, 200]


def test_what_cannot_be_cured_is_told_at_once(keygate, monkeypatch):
    """A trap: the SDK would send the chunk three times to an upload that nobody knows."""
    naps = []
    monkeypatch.setattr("time.sleep", naps.append)
    url = f"{keygate.google}/upload/v1/files?upload_id=nobodys"
    gemini = client(keygate)
    with pytest.raises(errors.ClientError) as raised:
        gemini._api_client.upload_file(io.BytesIO(b"x" * 1000), url, 1000)
    assert raised.value.code == 404
    assert not naps and not keygate.sim.requests("google")


def test_a_failing_key_at_the_start_goes_unnoticed(keygate):
    keygate.sim.script({"provider": "google", "action": house.answer_row("key_invalid")})
    assert upload(keygate).size_bytes == 1000
    starts = keygate.sim.requests("google", "files.upload.start")
    assert [start["status"] for start in starts] == [400, 200]


def test_a_key_that_dies_between_the_chunks_goes_unnoticed(keygate):
    class Dying(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 0:
                keygate.sim.keys({"states": {key: "key_invalid" for key in house.GOOGLE_KEYS}})
            return super().read(size)

    gemini = client(keygate)
    length = CHUNK + 1000
    file = gemini.files.upload(file=Dying(content(length)[:length]), config={"mime_type": "text/plain"})
    assert file.size_bytes == length


def test_downloads_what_was_generated(door):
    made = {"project": "alpha", "bytes": 3_000_000}
    status, _, answer = house.call("POST", f"{door.sim.google}/__sim/files", made)
    assert status == 200
    # Only alpha has it: a key of another project is no help.
    door.sim.keys({"states": {"sim-google-beta-1": "key_invalid"}})
    gemini = client(door, api_version="v1beta")
    data = gemini.files.download(file=answer["name"])
    assert len(data) == 3_000_000


def test_the_21st_upload_in_a_minute_raises_what_the_sdk_knows(keygate):
    gemini = client(keygate)
    for _ in range(20):
        send(gemini, 10)
    with pytest.raises(errors.ClientError) as raised:
        send(gemini, 10)
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
