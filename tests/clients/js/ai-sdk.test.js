// Vercel's ai with @ai-sdk/google, unchanged, against the Gemini surface.

import assert from 'node:assert/strict';

import { createGoogle } from '@ai-sdk/google';
import { APICallError, embedMany, generateText, streamText } from 'ai';

import { answerRow, failure, house } from './house.js';

const MODEL = 'gemini-3.8-flash';
const { atBothDoors, throughKeygate } = house();

const google = (door) => createGoogle({ apiKey: door.googleKey, baseURL: `${door.google}/v1beta` });
const generate = (door, options) => generateText({ model: google(door)(MODEL), prompt: 'Say hello', ...options });
const statuses = async (door) => (await door.sim.requests('google')).map((request) => request.status);

atBothDoors('generates', async (door) => {
  const answer = await generate(door);
  assert.ok(answer.text);
  assert.ok(answer.usage.totalTokens > 0);
});

atBothDoors('streams every chunk', async (door) => {
  const result = streamText({ model: google(door)(MODEL), prompt: 'Tell me a story' });
  const chunks = await Array.fromAsync(result.textStream);
  assert.ok(chunks.length > 1);
  assert.equal(await result.finishReason, 'stop');
  assert.ok((await result.usage).totalTokens > 0);
});

atBothDoors('embeds', async (door) => {
  const model = google(door).embedding('gemini-embedding-001');
  const answer = await embedMany({ model, values: ['one', 'two'] });
  assert.equal(answer.embeddings.length, 2);
});

atBothDoors("the caller's mistake is told once", async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('unknown_field'), times: null });
  const error = await failure(generate(door));
  assert.ok(APICallError.isInstance(error));
  assert.equal(error.statusCode, 400);
  assert.deepEqual(await statuses(door), [400]);
});

throughKeygate('a failing key goes unnoticed', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('key_invalid') });
  assert.ok((await generate(door)).text);
  assert.deepEqual(await statuses(door), [400, 200]);
});

throughKeygate('the 21st request in a minute raises the exception of the SDK', async (door) => {
  for (let count = 0; count < 20; count += 1) await generate(door);
  const error = await failure(generate(door, { maxRetries: 0 }));
  assert.ok(APICallError.isInstance(error), `${error}`);
  assert.equal(error.statusCode, 429);
  assert.equal(error.responseHeaders['x-keygate-error'], 'user_limited');
});
