// @google/genai's Interactions, unchanged: another error shape, retries of its own, and state at the provider.

import assert from 'node:assert/strict';

import { GoogleGenAI } from '@google/genai';

import { answerRow, failure, house } from './house.js';

const MODEL = 'gemini-3.8-flash';
const AGENT = 'deep-research-preview-04-2026';
const { atBothDoors, throughKeygate } = house();

const interactions = (door) => new GoogleGenAI({ apiKey: door.googleKey, httpOptions: { baseUrl: door.google } }).interactions;
const create = (door, options) => interactions(door).create({ model: MODEL, input: 'Say hello', ...options });
const streamed = async (door, input) => Array.fromAsync(await create(door, { input, stream: true }));
const statuses = async (door) => (await door.sim.requests('google')).map((request) => request.status);

atBothDoors('creates', async (door) => {
  const answer = await create(door);
  assert.equal(answer.status, 'completed');
  assert.ok(answer.usage.total_tokens > 0);
});

atBothDoors('streams every event', async (door) => {
  const events = await streamed(door, 'stream 5');
  assert.equal(events[0].event_type, 'interaction.created');
  assert.equal(events.filter((event) => event.event_type === 'step.delta').length, 5);
  assert.ok(events.at(-1).interaction.usage.total_tokens > 0);
});

atBothDoors('goes on from the previous one wherever that was served', async (door) => {
  const first = (await streamed(door, 'Say hello'))[0].interaction.id;
  for (let round = 0; round < 3; round += 1) {
    const next = await create(door, { previous_interaction_id: first });
    assert.equal(next.previous_interaction_id, first);
    assert.equal((await interactions(door).get(next.id)).id, next.id);
  }
});

atBothDoors('polls, cancels and deletes what runs in the background', async (door) => {
  const begun = await interactions(door).create({ agent: AGENT, input: 'Look it up', background: true });
  assert.equal(begun.status, 'in_progress');
  assert.equal((await interactions(door).get(begun.id)).status, 'in_progress');
  assert.equal((await interactions(door).cancel(begun.id)).status, 'cancelled');
  await interactions(door).delete(begun.id);
  const error = await failure(interactions(door).get(begun.id));
  assert.deepEqual([error.name, error.status], ['NotFoundError', 404]);
});

atBothDoors("the caller's mistake is told once", async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('unknown_field'), times: null });
  const error = await failure(create(door));
  assert.deepEqual([error.name, error.status], ['BadRequestError', 400]);
  assert.deepEqual(await statuses(door), [400]);
});

atBothDoors('an error inside a stream reaches the caller as an event', async (door) => {
  await door.sim.script({ provider: 'google', action: { error_in_stream: { events: 3 } } });
  const events = await streamed(door, 'stream 9');
  assert.deepEqual([events.at(-1).event_type, events.at(-1).error.code], ['error', 'service_unavailable']);
});

throughKeygate('a stream that breaks ends with an event of the same shape', async (door) => {
  await door.sim.script({ provider: 'google', action: { half_stream: { events: 3, ending: 'close' } } });
  const events = await streamed(door, 'stream 9');
  assert.deepEqual([events.at(-1).event_type, events.at(-1).error.code], ['error', 'service_unavailable']);
});

throughKeygate('a failing key goes unnoticed', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('key_invalid') });
  assert.equal((await create(door)).status, 'completed');
  assert.deepEqual(await statuses(door), [400, 200]);
});

throughKeygate('an exhausted minute is waited for as long as the gateway says', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('minute_requests', { retry: '900ms' }), times: 2 });
  assert.equal((await create(door)).status, 'completed');
  assert.deepEqual(await statuses(door), [429, 429, 200], 'one request per quota group, and one when it is over');
});

throughKeygate('a wrong token is the authentication error of the SDK', async (door) => {
  const error = await failure(create({ ...door, googleKey: `kg_${'x'.repeat(43)}` }));
  assert.deepEqual([error.name, error.status], ['AuthenticationError', 401]);
  assert.deepEqual(await statuses(door), []);
});
