// A chat that streams, with @google/genai. The gateway takes care of keys; what is left to do here is little.

import { ApiError, GoogleGenAI } from '@google/genai';

const client = new GoogleGenAI({
  apiKey: process.env.KEYGATE_TOKEN ?? 'keygate',
  httpOptions: { baseUrl: process.env.KEYGATE_URL ?? 'http://127.0.0.1:8080' },
});

/** Prints the answer as it comes. Each user has a limit of their own, so they are named. */
async function say(user, words) {
  const stream = await client.models.generateContentStream({
    model: 'gemini-2.5-flash',
    contents: words,
    config: { httpOptions: { headers: { 'X-User-Id': user } } },
  });
  for await (const chunk of stream) process.stdout.write(chunk.text ?? '');
  process.stdout.write('\n');
}

try {
  await say('ada', 'Tell me a story');
} catch (refused) {
  if (!(refused instanceof ApiError)) throw refused;
  // The pool has tried every safe way by now: trying again here would only be later, not better.
  console.error(`${refused.status}: ${refused.message}`);
  process.exitCode = 1;
}
