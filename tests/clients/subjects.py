"""What docs/compatibility.md calls the files of tests, and where the cells of its grid come from."""

# What a file of tests is about, and whose version that is. A file that is not here goes by its name.
SUBJECTS = {
    "python/test_google_genai": ("google-genai (Python)", "google-genai"),
    "python/test_google_genai_interactions": ("google-genai (Python): Interactions", "google-genai"),
    "older/test_google_genai": ("google-genai 2 (Python)", "google-genai"),
    "older/test_google_genai_interactions": ("google-genai 2 (Python): Interactions", "google-genai"),
    "python/test_google_files": ("google-genai (Python): files", "google-genai"),
    "older/test_google_files": ("google-genai 2 (Python): files", "google-genai"),
    "python/test_google_resources": ("google-genai (Python): caches, batches, stores", "google-genai"),
    "older/test_google_resources": ("google-genai 2 (Python): caches, batches, stores", "google-genai"),
    "python/test_live": ("google-genai (Python): Live", "google-genai"),
    "older/test_live": ("google-genai 2 (Python): Live", "google-genai"),
    "python/test_openai": ("openai (Python)", "openai"),
    "older/test_langchain": ("langchain-google-genai (Python)", "langchain-google-genai"),
    "python/test_anam": ("anam (Python)", "anam"),
    "python/test_plain_http": ("Plain HTTP, as PHP or curl send it", None),
    "python/test_assistant": ("The assistant, over plain HTTP", None),
    "python/test_stored_answers": ("Stored answers (Python)", None),
    "python/test_openapi": ("The gateway's own OpenAPI document", "schemathesis"),
    "python/test_metrics": ("Metrics, read by Prometheus' own parsers", "prometheus-client"),
    "python/test_traces": ("Traces, received by Rotel", "rotel"),
    "js/google-genai.test": ("@google/genai (JavaScript)", "@google/genai"),
    "js/google-genai-interactions.test": ("@google/genai (JavaScript): Interactions", "@google/genai"),
    "js/google-files.test": ("@google/genai (JavaScript): files, and those of ai-sdk", "@google/genai"),
    "js/google-resources.test": ("@google/genai (JavaScript): caches, batches, stores", "@google/genai"),
    "js/live.test": ("@google/genai (JavaScript): Live", "@google/genai"),
    "js/openai.test": ("openai (JavaScript)", "openai"),
    "js/ai-sdk.test": ("ai with @ai-sdk/google (JavaScript)", "@ai-sdk/google"),
    "js/anam.test": ("@anam-ai/js-sdk (JavaScript)", "@anam-ai/js-sdk"),
    "js/signalling.test": ("@anam-ai/js-sdk (JavaScript): signalling", "@anam-ai/js-sdk"),
}

# Files whose tests are cells of the grid.
GRIDS = ("python/test_grid", "older/test_grid", "js/grid.test")

# The columns of the grid.
TRIALS = {
    "success": "success",
    "stream": "stream",
    "pool exhausted": "pool exhausted",
    "key dies between calls": "a key dies between calls",
    "key dies in a burst": "a key dies in a burst of calls",
    "stream breaks": "a stream breaks half-way",
}


def _files(folder, chunks="uploads in several chunks"):
    file = f"{folder}/test_google_files"
    return {
        "stream": (file, chunks),
        "stream breaks": (file, "a broken chunk is sent again by the sdk", "nothing: it sends it again"),
    }


# Cells that tests of other files fill, because the client has its own way there: whose they are, the package whose version
# is shown, and for each trial the file, the test, and what the client is told.
OWN_WAYS = [
    ("google-genai {} (Python): files", "python/google-genai", _files("python")),
    ("google-genai {} (Python): files", "older/google-genai", _files("older")),
    ("google-genai {} (Python): files, async", "python/google-genai", _files("python", "uploads asynchronously")),
    ("google-genai {} (Python): files, async", "older/google-genai", _files("older", "uploads asynchronously")),
    (
        "@google/genai {} (JavaScript): files",
        "js/@google/genai",
        {
            "stream": ("js/google-files.test", "uploads a blob in several chunks"),
            "stream breaks": ("js/google-files.test", "a broken chunk raises what the SDK knows", "ApiError"),
        },
    ),
    (
        "anam {} (Python)",
        "python/anam",
        {
            "success": ("python/test_anam", "starts a session by key"),
            "stream": ("python/test_anam", "an offer is answered"),
            "pool exhausted": (
                "python/test_anam",
                "when every organisation refuses the sdk is told in its words",
                "SessionError",
            ),
            "key dies between calls": ("python/test_anam", "a failing organisation goes unnoticed"),
        },
    ),
    (
        "LiveKit-shaped start of an avatar",
        None,
        {
            "success": ("python/test_anam", "a livekit shaped start"),
            "pool exhausted": (
                "python/test_anam",
                "a livekit shaped start when all are busy costs each organisation one request",
                "HTTP 429, 4 requests",
            ),
            "key dies between calls": ("python/test_anam", "a livekit shaped start finds another organisation by itself"),
        },
    ),
    (
        "@anam-ai/js-sdk {} (JavaScript)",
        "js/@anam-ai/js-sdk",
        {
            "success": ("js/anam.test", "mints a token and starts a session"),
            "stream": ("js/signalling.test", "an offer is answered"),
            "pool exhausted": (
                "js/anam.test",
                "all organisations busy is the error of the SDK",
                "CLIENT_ERROR_CODE_MAX_CONCURRENT_SESSIONS_REACHED",
            ),
            "key dies between calls": (
                "js/anam.test",
                "a token of a full organisation starts a session of another, and the client never notices",
            ),
            "stream breaks": ("js/signalling.test", "a connection that breaks is made again", "nothing: it connects again"),
        },
    ),
]
