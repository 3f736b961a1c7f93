// openai, unchanged, against the OpenAI-compatible surface.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { GoogleGenAI } from '@google/genai';
import OpenAI from 'openai';

import { answerRow, failure, house } from './house.js';

const MODEL = 'gemini-3.8-flash';
const messages = [{ role: 'user', content: 'Say hello' }];
const { atBothDoors, throughKeygate } = house();

const client = (door, options = {}) =>
  new OpenAI({ apiKey: door.googleKey, baseURL: `${door.google}/v1beta/openai/`, ...options });
const complete = (door, options) => client(door, options).chat.completions.create({ model: MODEL, messages });
const statuses = async (door) => (await door.sim.requests('google')).map((request) => request.status);

atBothDoors('completes', async (door) => {
  const answer = await complete(door);
  assert.ok(answer.choices[0].message.content);
  assert.ok(answer.usage.total_tokens > 0);
});

atBothDoors('streams every chunk and nothing nobody asked for', async (door) => {
  const stream = await client(door).chat.completions.create({ model: MODEL, messages, stream: true });
  const chunks = await Array.fromAsync(stream);
  assert.ok(chunks.length > 1);
  assert.ok(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''));
  assert.ok(chunks.every((chunk) => !chunk.usage), 'usage was not asked for');
});

atBothDoors('streams usage when asked', async (door) => {
  const options = { include_usage: true };
  const stream = await client(door).chat.completions.create({ model: MODEL, messages, stream: true, stream_options: options });
  const usages = (await Array.fromAsync(stream)).flatMap((chunk) => chunk.usage ?? []);
  assert.ok(usages.at(-1)?.total_tokens > 0);
});

atBothDoors('embeds', async (door) => {
  const answer = await client(door).embeddings.create({ model: 'gemini-embedding-001', input: ['one', 'two'] });
  assert.deepEqual(answer.data.map((item) => item.index), [0, 1]);
});

atBothDoors('lists models', async (door) => {
  const names = (await Array.fromAsync(await client(door).models.list())).map((model) => model.id);
  assert.ok(names.some((name) => name.endsWith(MODEL)));
});

for (const name of [MODEL, `models/${MODEL}`]) {
  atBothDoors(`a model is known as ${name}`, async (door) => {
    assert.equal((await client(door).models.retrieve(name)).id, `models/${MODEL}`);
  });
}

const weather = { type: 'function', function: { name: 'weather', parameters: { type: 'object', properties: {} } } };
const askWeather = { role: 'user', content: 'call weather {"city": "Hanoi"}' };

atBothDoors('calls a function and takes its result', async (door) => {
  const { completions } = client(door).chat;
  const first = await completions.create({ model: MODEL, messages: [askWeather], tools: [weather] });
  const [called] = first.choices[0].message.tool_calls;
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual([called.function.name, called.function.arguments], ['weather', '{"city":"Hanoi"}']);
  const result = { role: 'tool', tool_call_id: called.id, content: 'sunny' };
  const said = [askWeather, first.choices[0].message, result];
  const answer = await completions.create({ model: MODEL, messages: said, tools: [weather] });
  assert.match(answer.choices[0].message.content, /sunny/);
});

atBothDoors('streams a function call', async (door) => {
  const options = { model: MODEL, messages: [askWeather], tools: [weather], stream: true };
  const chunks = await Array.fromAsync(await client(door).chat.completions.create(options));
  const calls = chunks.flatMap((chunk) => chunk.choices.flatMap((choice) => choice.delta.tool_calls ?? []));
  assert.equal(calls[0].function.name, 'weather');
  assert.ok(chunks.every((chunk) => !chunk.usage && chunk.choices.length > 0), 'usage was not asked for');
});

atBothDoors('draws images', async (door) => {
  const options = { model: 'gemini-3.1-flash-image', prompt: 'a cat', n: 2, response_format: 'b64_json' };
  const answer = await client(door).images.generate(options);
  assert.equal(answer.data.filter((image) => image.b64_json).length, 2);
});

// Files are not carried by this surface: Google's own SDK uploads them.
const native = (door) =>
  new GoogleGenAI({ apiKey: door.googleKey, httpOptions: { baseUrl: door.google, apiVersion: 'v1beta' } });

async function createBatch(door) {
  const line = (name) => {
    const body = { model: MODEL, messages: [{ role: 'user', content: name }] };
    return JSON.stringify({ custom_id: name, method: 'POST', url: '/v1/chat/completions', body });
  };
  const file = new Blob([`${line('one')}\n${line('two')}\n`], { type: 'application/jsonl' });
  const { name } = await native(door).files.upload({ file });
  const wanted = { input_file_id: name, endpoint: '/v1/chat/completions', completion_window: '24h' };
  return client(door).batches.create(wanted);
}

async function downloaded(door, file) {
  const folder = mkdtempSync(join(tmpdir(), 'keygate-batch-'));
  try {
    const downloadPath = join(folder, 'results.jsonl');
    await native(door).files.download({ file, downloadPath });
    return readFileSync(downloadPath, 'utf8');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

atBothDoors('a batch runs until its results are read', async (door) => {
  for (let round = 0; round < 3; round += 1) {
    let batch = await createBatch(door);
    for (let look = 0; look < 5 && batch.status !== 'completed'; look += 1) {
      batch = await client(door).batches.retrieve(batch.id);
    }
    assert.equal(batch.status, 'completed');
    const results = (await downloaded(door, batch.output_file_id)).trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(results.map((result) => result.custom_id), ['one', 'two']);
    assert.equal(results[1].response.body.choices[0].message.content, 'You said: two');
  }
});

atBothDoors('lists batches page by page', async (door) => {
  const made = new Set();
  for (let count = 0; count < 5; count += 1) made.add((await createBatch(door)).id);
  const listed = await Array.fromAsync(client(door).batches.list({ limit: 2 }));
  assert.deepEqual(new Set(listed.map((batch) => batch.id)), made);
  assert.equal(listed.length, 5);
});

atBothDoors('makes and lists videos', async (door) => {
  const { videos } = client(door);
  const made = new Set();
  for (let count = 0; count < 3; count += 1) {
    made.add((await videos.create({ prompt: 'a cat', model: MODEL })).id);
  }
  const models = (await door.sim.requests('google')).map((request) => request.model);
  assert.deepEqual([...new Set(models)], [MODEL]);
  const listed = await Array.fromAsync(videos.list({ limit: 1 }));
  assert.deepEqual(new Set(listed.map((video) => video.id)), made);
});

throughKeygate("the provider's own words can be read", async (door) => {
  // Straight from Google they stand in an array, and the SDK says "400 status code (no body)".
  await door.sim.script({ provider: 'google', action: answerRow('unknown_field') });
  const error = await failure(complete(door));
  assert.match(error.message, /unknown_field/);
  assert.equal(error.code, 400);
});

throughKeygate('a stream that breaks raises', async (door) => {
  await door.sim.script({ provider: 'google', action: { half_stream: { events: 2, ending: 'close' } } });
  const seen = [];
  const read = async () => {
    for await (const chunk of await client(door).chat.completions.create({ model: MODEL, messages, stream: true })) seen.push(chunk);
  };
  const error = await failure(read());
  assert.ok(error instanceof OpenAI.APIError, `${error}`);
  assert.equal(seen.length, 2);
});

atBothDoors("the caller's mistake is told once", async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('unknown_field'), times: null });
  assert.ok((await failure(complete(door))) instanceof OpenAI.BadRequestError);
  assert.deepEqual(await statuses(door), [400]);
});

throughKeygate('a failing key goes unnoticed', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('key_invalid') });
  assert.ok((await complete(door)).choices[0].message.content);
  assert.deepEqual(await statuses(door), [400, 200]);
});

throughKeygate('an exhausted pool raises what the SDK knows and is not asked again', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('day_requests'), times: null });
  const error = await failure(complete(door));
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.match(error.message, /All Gemini API keys failed\. Last error: Quota exhausted/);
  assert.equal(error.headers.get('x-should-retry'), 'false');
  assert.deepEqual(await statuses(door), [429, 429], "one request per quota group, none by the SDK's own retries");
});

throughKeygate('the 21st request in a minute raises the exception of the SDK', async (door) => {
  for (let count = 0; count < 20; count += 1) await complete(door);
  const error = await failure(complete(door));
  assert.ok(error instanceof OpenAI.RateLimitError);
  assert.equal(error.headers.get('x-should-retry'), 'false', 'it would sleep inside the call for a minute');
  assert.equal(error.headers.get('x-keygate-error'), 'user_limited');
  assert.equal((await door.sim.requests('google')).length, 20);
});
