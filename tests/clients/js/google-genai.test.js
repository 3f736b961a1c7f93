// @google/genai, unchanged, against the Gemini surface.

import assert from 'node:assert/strict';

import { ApiError, GoogleGenAI } from '@google/genai';

import { answerRow, failure, house } from './house.js';

const MODEL = 'gemini-3.8-flash';
const { atBothDoors, throughKeygate } = house();

const client = (door, options = {}) =>
  new GoogleGenAI({ apiKey: door.googleKey, httpOptions: { baseUrl: door.google, ...options } });
const generate = (door, options) => client(door, options).models.generateContent({ model: MODEL, contents: 'Say hello' });
const stream = (door) => client(door).models.generateContentStream({ model: MODEL, contents: 'Tell me a story' });
const statuses = async (door) => (await door.sim.requests('google')).map((request) => request.status);

for (const apiVersion of ['v1', 'v1beta', 'v1alpha']) {
  atBothDoors(`generates on ${apiVersion}`, async (door) => {
    const answer = await generate(door, { apiVersion });
    assert.ok(answer.text);
    assert.ok(answer.usageMetadata.totalTokenCount > 0);
    const [request] = await door.sim.requests('google', 'generateContent');
    assert.equal(request.path, `/${apiVersion}/models/${MODEL}:generateContent`);
  });
}

atBothDoors('streams every chunk', async (door) => {
  const chunks = await Array.fromAsync(await stream(door));
  assert.ok(chunks.length > 1);
  assert.equal(chunks.at(-1).candidates[0].finishReason, 'STOP');
  assert.ok(chunks.at(-1).usageMetadata.totalTokenCount > 0);
});

atBothDoors('goes on by itself until a long answer is whole', async (door) => {
  const { models } = client(door);
  for (const count of [2, 3]) {
    const chunks = await Array.fromAsync(await models.generateContentStream({ model: MODEL, contents: `continue ${count}` }));
    const said = chunks.map((chunk) => chunk.text ?? '').join('');
    assert.equal(said.split(`of ${count}`).length - 1, count, said);
    const hops = (await door.sim.requests('google', 'streamGenerateContent')).slice(-count);
    assert.equal(new Set(hops.map((hop) => hop.credentials[0].label.split('-')[2])).size, 1, 'each hop at one project');
  }
});

atBothDoors('counts tokens', async (door) => {
  const answer = await client(door).models.countTokens({ model: MODEL, contents: 'Count these words' });
  assert.ok(answer.totalTokens > 0);
});

atBothDoors('embeds', async (door) => {
  const answer = await client(door).models.embedContent({ model: 'gemini-embedding-001', contents: ['one', 'two'] });
  assert.equal(answer.embeddings.length, 2);
  assert.ok(answer.embeddings.every((embedding) => embedding.values.length > 0));
});

atBothDoors('lists and gets models', async (door) => {
  const { models } = client(door);
  const names = (await Array.fromAsync(await models.list())).map((model) => model.name);
  assert.ok(names.includes(`models/${MODEL}`));
  assert.equal((await models.get({ model: MODEL })).name, `models/${MODEL}`);
});

atBothDoors("the caller's mistake is told once", async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('unknown_field'), times: null });
  const error = await failure(generate(door));
  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 400);
  assert.match(error.message, /INVALID_ARGUMENT/);
  assert.deepEqual(await statuses(door), [400]);
});

atBothDoors('an error inside a stream reaches the caller as it is', async (door) => {
  await door.sim.script({ provider: 'google', action: { error_in_stream: { events: 2 } } });
  const seen = [];
  const read = async () => {
    for await (const chunk of await stream(door)) seen.push(chunk.text);
  };
  const error = await failure(read());
  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 503);
  assert.equal(seen.length, 2);
  assert.equal((await door.sim.requests('google')).length, 1);
});

throughKeygate('a failing key goes unnoticed', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('key_invalid') });
  assert.ok((await generate(door)).text);
  assert.deepEqual(await statuses(door), [400, 200]);
});

throughKeygate('a stream refused before its first byte begins on another key', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('minute_requests') });
  assert.ok((await Array.fromAsync(await stream(door))).length > 1);
  assert.deepEqual(await statuses(door), [429, 200]);
});

throughKeygate('an exhausted pool raises what the SDK knows', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('day_requests'), times: null });
  const error = await failure(generate(door));
  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 429);
  assert.match(error.message, /RESOURCE_EXHAUSTED/);
  assert.match(error.message, /All Gemini API keys failed\. Last error: Quota exhausted/);
  assert.deepEqual(await statuses(door), [429, 429], 'one request per quota group');
});

throughKeygate('the 21st request in a minute is refused before any key is touched', async (door) => {
  for (let count = 0; count < 20; count += 1) assert.ok((await generate(door)).text);
  const error = await failure(generate(door));
  assert.ok(error instanceof ApiError);
  assert.equal(error.status, 429);
  assert.equal((await door.sim.requests('google')).length, 20);
});
