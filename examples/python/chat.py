"""A chat that streams, with google-genai. The gateway takes care of keys; what is left to do here is little."""

import os
import sys

from google import genai
from google.genai import errors, types

client = genai.Client(
    api_key=os.environ.get("KEYGATE_TOKEN", "keygate"),
    http_options=types.HttpOptions(base_url=os.environ.get("KEYGATE_URL", "http://127.0.0.1:8080")),
)


def say(user, words):
    """Prints the answer as it comes. Each user has a limit of their own, so they are named."""
    config = types.GenerateContentConfig(http_options=types.HttpOptions(headers={"X-User-Id": user}))
    try:
        for chunk in client.models.generate_content_stream(model="gemini-2.5-flash", contents=words, config=config):
            print(chunk.text or "", end="", flush=True)
        print()
    except errors.APIError as refused:
        # The pool has tried every safe way by now: trying again here would only be later, not better.
        sys.exit(f"\n{refused.code} {refused.status}: {refused.message}")


say("ada", "Tell me a story")
