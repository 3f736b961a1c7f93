#!/bin/sh
# A question, a stream and an embedding with nothing but curl.
set -eu
url=${KEYGATE_URL:-http://127.0.0.1:8080}
token=${KEYGATE_TOKEN:-keygate}

post() {
  curl --silent --show-error --fail-with-body --no-buffer "$url/v1beta/models/$1" \
    -H "x-goog-api-key: $token" -H 'x-user-id: ada' -H 'content-type: application/json' -d "$2"
}

post gemini-2.5-flash:generateContent '{"contents": [{"parts": [{"text": "Say hello"}]}]}'
echo
post 'gemini-2.5-flash:streamGenerateContent?alt=sse' '{"contents": [{"parts": [{"text": "Tell me a story"}]}]}'
post gemini-embedding-001:embedContent '{"content": {"parts": [{"text": "hello"}]}}'
echo
