"""The same with openai: the gateway speaks its surface too."""

import os

from openai import OpenAI

client = OpenAI(
    api_key=os.environ.get("KEYGATE_TOKEN", "keygate"),
    base_url=os.environ.get("KEYGATE_URL", "http://127.0.0.1:8080") + "/openai/v1",
)
stream = client.chat.completions.create(
    model="gemini-2.5-flash",
    messages=[{"role": "user", "content": "Tell me a story"}],
    stream=True,
    extra_headers={"X-User-Id": "ada"},
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)
print()
