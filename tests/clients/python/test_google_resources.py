"""google-genai, unchanged, with what a project keeps: caches, files, batches, stores, tuned models."""

import pytest
from google.genai import errors, types

from house import call
from test_google_genai import MODEL, OWN_VERSION, client


def cached(gemini, **config):
    return gemini.caches.create(
        model=MODEL, config=types.CreateCachedContentConfig(contents="a long text " * 40, ttl="600s", **config)
    )


def registered(door):
    """A file of a bucket; the SDK's own call for it wants Google's credentials of the bucket."""
    status, _, answer = call(
        "POST",
        f"{door.google}/{OWN_VERSION}/files:register",
        {"uris": ["gs://bucket/notes.txt"]},
        {"x-goog-api-key": door.google_key},
    )
    assert status == 200, answer
    return answer["files"][0]


def requests_of(text):
    return [types.InlinedRequest(contents=[types.Content(role="user", parts=[types.Part(text=text)])])]


def test_a_cache_is_made_used_changed_listed_and_deleted(door):
    gemini = client(door)
    made = [cached(gemini, display_name=f"cache {number}") for number in range(3)]
    for cache in made:
        options = types.GenerateContentConfig(cached_content=cache.name)
        answer = gemini.models.generate_content(model=MODEL, contents="Say hello", config=options)
        assert answer.usage_metadata.cached_content_token_count > 0
        assert gemini.caches.get(name=cache.name).display_name == cache.display_name
        longer = gemini.caches.update(name=cache.name, config=types.UpdateCachedContentConfig(ttl="900s"))
        assert longer.expire_time > cache.expire_time
    pager = gemini.caches.list(config={"page_size": 2})
    assert {cache.name for cache in made} <= {cache.name for cache in pager}
    for cache in made:
        gemini.caches.delete(name=cache.name)
        with pytest.raises(errors.ClientError) as error:
            gemini.caches.get(name=cache.name)
        assert (error.value.code, error.value.status) == (403, "PERMISSION_DENIED")


def test_files_are_read_used_listed_and_deleted(door):
    gemini = client(door)
    files = [registered(door) for _ in range(4)]
    for file in files:
        assert gemini.files.get(name=file["name"]).uri == file["uri"]
        part = types.Part.from_uri(file_uri=file["uri"], mime_type="text/plain")
        assert gemini.models.generate_content(model=MODEL, contents=[part, "Read it"]).text
    names = [file.name for file in gemini.files.list(config={"page_size": 3})]
    assert len(names) == len(set(names)) and {file["name"] for file in files} <= set(names)
    for file in files:
        gemini.files.delete(name=file["name"])
    assert not {file["name"] for file in files} & {file.name for file in gemini.files.list()}


def test_batches_are_made_followed_listed_cancelled_and_deleted(door):
    gemini = client(door)
    made = [gemini.batches.create(model=MODEL, src=requests_of(f"hello {number}")) for number in range(3)]
    for number, batch in enumerate(made):
        assert batch.state == types.JobState.JOB_STATE_PENDING
        done = gemini.batches.get(name=batch.name)
        assert done.state == types.JobState.JOB_STATE_SUCCEEDED
        assert done.dest.inlined_responses[0].response.text == f"You said: hello {number}"
    assert {batch.name for batch in made} <= {batch.name for batch in gemini.batches.list(config={"page_size": 2})}
    for batch in made:
        gemini.batches.cancel(name=batch.name)
        gemini.batches.delete(name=batch.name)


def test_a_batch_of_a_file_leaves_a_file(door):
    gemini = client(door)
    for _ in range(3):
        source = registered(door)["name"]
        batch = gemini.batches.create(model=MODEL, src=source)
        result = gemini.batches.get(name=batch.name).dest.file_name
        assert gemini.files.get(name=result).name == result


def test_stores_and_their_documents(door):
    gemini = client(door)
    for _ in range(2):
        store = gemini.file_search_stores.create(config={"display_name": "notes"})
        operation = gemini.file_search_stores.import_file(
            file_search_store_name=store.name, file_name=registered_beside(gemini, door, store)
        )
        assert operation.done
        documents = list(gemini.file_search_stores.documents.list(parent=store.name))
        assert [document.name.startswith(store.name) for document in documents] == [True]
        tool = types.Tool(file_search=types.FileSearch(file_search_store_names=[store.name]))
        config = types.GenerateContentConfig(tools=[tool])
        assert gemini.models.generate_content(model=MODEL, contents="Search", config=config).text
        assert store.name in {known.name for known in gemini.file_search_stores.list(config={"page_size": 1})}
        gemini.file_search_stores.delete(name=store.name, config={"force": True})


def registered_beside(gemini, door, store):
    """A file in the project of a store: of two projects one of some files is the right one."""
    for _ in range(6):
        name = registered(door)["name"]
        tool = types.Tool(file_search=types.FileSearch(file_search_store_names=[store.name]))
        part = types.Part.from_uri(file_uri=f"https://generativelanguage.googleapis.com/v1/{name}", mime_type="text/plain")
        try:
            gemini.models.generate_content(
                model=MODEL, contents=[part], config=types.GenerateContentConfig(tools=[tool])
            )
            return name
        except errors.ClientError as error:
            assert (error.code, error.status) == (409, "FAILED_PRECONDITION")
            assert name in error.message and store.name in error.message
    raise AssertionError("no file came into the store's project")


def test_another_client_s_cache_is_refused(keygate, gateway):
    gemini = client(keygate)
    name = cached(gemini).name
    keygate.google_key = gateway.fresh_token()
    stranger = client(keygate)
    with pytest.raises(errors.ClientError) as error:
        stranger.caches.get(name=name)
    assert (error.value.code, error.value.status) == (403, "PERMISSION_DENIED")
    assert name not in {cache.name for cache in stranger.caches.list()}
    assert gemini.caches.get(name=name).name == name
