// Each client through the same six trials. docs/compatibility.md shows them as a grid, made of the names of these tests.

import assert from 'node:assert/strict';

import { answerRow, failure, house, hurried } from './house.js';
import { CLIENTS, nameOf } from './sdks.js';

const STORY = 'stream 5';
const TELLING = [1, 2, 3, 4, 5].map((number) => `event ${number} of 5\n`);
// More than one round of the keys, and fewer than a user may have running.
const AT_ONCE = 9;
const MORE_CALLS = 4;
const PIECES_BEFORE_THE_BREAK = 2;
const { atBothDoors, throughKeygate } = house();

const google = (door) => door.sim.requests('google');
const keyOf = (request) => request.credentials[0]?.label;
const requestsWith = async (door, key) => (await google(door)).filter((request) => keyOf(request) === key);
const requests = (count) => `${count} request${count > 1 ? 's' : ''}`;

async function* noted(stream, seen) {
  for await (const piece of stream) {
    if (piece) seen.push(piece);
    yield piece;
  }
}

/** Reads a stream to its end; what was seen is known when it throws. */
async function read(client, sdk, seen, story = STORY) {
  await Array.fromAsync(noted(client.stream(sdk, story), seen));
  return seen;
}

// The name of a test is a cell: the trial, whose it is, and what the client is told.
const cell = (...parts) => parts.join(' | ');

for (const client of CLIENTS) {
  atBothDoors(cell('success', client.name), async (door) => {
    assert.ok(await client.ask(client.open(door)));
  });

  throughKeygate(cell('pool exhausted', client.name, `${client.exhausted}, ${requests(client.requests)}`), async (door) => {
    await door.sim.script({ provider: 'google', action: answerRow('day_requests'), times: null });
    const sdk = client.open(door);
    const error = await hurried(() => failure(client.ask(sdk)));
    assert.equal(nameOf(error), client.exhausted);
    assert.match(error.message, /All Gemini API keys failed\. Last error: Quota exhausted/);
    assert.equal(await door.asked(), client.requests);
    if (client.stream) {
      const again = await hurried(() => failure(read(client, sdk, [])));
      assert.equal(nameOf(again), client.exhausted);
      assert.equal(await door.asked(), 2 * client.requests);
    }
    assert.equal((await google(door)).length, 2, 'one request per quota group, however often the SDK asks');
  });

  throughKeygate(cell('key dies between calls', client.name), async (door) => {
    const sdk = client.open(door);
    assert.ok(await client.ask(sdk));
    const asked = await door.asked();
    const dead = keyOf((await google(door))[0]);
    const before = (await requestsWith(door, dead)).length;
    await door.sim.keys({ states: { [dead]: 'key_invalid' } });
    for (let count = 0; count < MORE_CALLS; count += 1) {
      if (client.stream) assert.deepEqual(await read(client, sdk, []), TELLING);
      else assert.ok(await client.ask(sdk));
    }
    assert.equal((await requestsWith(door, dead)).length, before + 1, 'a dead key is tried once and never again');
    assert.equal(await door.asked(), asked * (1 + MORE_CALLS), 'the SDK saw nothing that it would repeat');
  });

  throughKeygate(cell('key dies in a burst', client.name), async (door) => {
    const sdk = client.open(door);
    assert.ok(await client.ask(sdk));
    const asked = await door.asked();
    const dead = 'sim-google-alpha-1';
    await door.sim.script(
      { provider: 'google', key: dead, after: 1, delay: '50ms', action: answerRow('key_invalid'), times: null },
      { provider: 'google', delay: '50ms', action: 'pass', times: null },
    );
    const answers = await Promise.all(Array.from({ length: AT_ONCE }, () => client.ask(sdk)));
    assert.ok(answers.every(Boolean));
    assert.ok((await requestsWith(door, dead)).some((request) => request.status === 400), 'it died with requests under way');
    assert.equal(await door.asked(), asked * (1 + AT_ONCE), 'the SDK saw nothing that it would repeat');
  });

  if (!client.stream) continue;

  atBothDoors(cell('stream', client.name), async (door) => {
    assert.deepEqual(await read(client, client.open(door), []), TELLING);
  });

  // What was half told is never told again: the caller keeps what it has, and is told that it is not all.
  throughKeygate(cell('stream breaks', client.name, client.broken), async (door) => {
    if (!client.brokenStory) {
      const events = (client.preamble ?? 0) + PIECES_BEFORE_THE_BREAK;
      await door.sim.script({ provider: 'google', action: { half_stream: { events, ending: 'close' } } });
    }
    const seen = [];
    const error = await failure(read(client, client.open(door), seen, client.brokenStory));
    assert.equal(nameOf(error), client.broken);
    assert.equal(seen.length, PIECES_BEFORE_THE_BREAK);
    assert.deepEqual([await door.asked(), (await google(door)).length], [1, 1]);
  });
}
