// Live with @google/genai, unchanged: a WebSocket to a model that hears and speaks, over plain HTTP.

import assert from 'node:assert/strict';

import { GoogleGenAI, Modality } from '@google/genai';

import { answerRow, call, house } from './house.js';

const MODEL = 'gemini-3.8-live';
const PATIENCE_MS = 20_000;
const { atBothDoors, throughKeygate } = house();

/** A session whose messages and end can be waited for. */
async function connect(door, { apiKey = door.googleKey, config = {}, httpOptions = {} } = {}) {
  const client = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: door.google, ...httpOptions } });
  const heard = [];
  let wake = () => {};
  const note = (event) => (heard.push(event), wake());
  const session = await client.live.connect({
    model: MODEL,
    config: { responseModalities: [Modality.TEXT], ...config },
    callbacks: {
      onmessage: (message) => note({ message }),
      onerror: (error) => note({ error }),
      onclose: ({ code, reason }) => note({ code, reason }),
    },
  });
  const next = async () => {
    const late = AbortSignal.timeout(PATIENCE_MS);
    while (heard.length === 0) {
      await new Promise((resolve, reject) => {
        wake = resolve;
        late.onabort = () => reject(new Error('nothing comes'));
      });
    }
    return heard.shift();
  };
  /** Reads on until `found` finds something. */
  const until = async (found) => {
    for (;;) {
      const event = await next();
      const value = found(event);
      if (value !== undefined) return value;
    }
  };
  return { session, next, until };
}

async function turn({ session, next }, text) {
  session.sendClientContent({ turns: [{ role: 'user', parts: [{ text }] }], turnComplete: true });
  let said = '';
  for (;;) {
    const event = await next();
    assert.ok(event.message, `the session ended: ${event.code} ${event.reason}`);
    said += event.message.text ?? '';
    if (event.message.serverContent?.turnComplete) return { said, usage: event.message.usageMetadata };
  }
}

const lives = async (door) => (await door.sim.requests('google', 'live')).map((request) => request.project);

for (const apiVersion of ['v1', 'v1beta', 'v1alpha']) {
  atBothDoors(`a turn is heard on ${apiVersion}`, async (door) => {
    const live = await connect(door, { httpOptions: { apiVersion } });
    const { said, usage } = await turn(live, 'hello');
    assert.equal(said, 'You said: hello');
    assert.ok(usage.totalTokenCount > 0);
    live.session.close();
    assert.equal((await live.until(({ code }) => code)) >= 1000, true);
  });
}

atBothDoors('a session is resumed by its handle', async (door) => {
  const first = await connect(door, { config: { sessionResumption: {} } });
  await turn(first, 'hello');
  const handle = await first.until(({ message }) => message?.sessionResumptionUpdate?.newHandle);
  first.session.close();
  for (let n = 0; n < 3; n += 1) {
    const again = await connect(door, { config: { sessionResumption: { handle } } });
    await turn(again, 'again');
    again.session.close();
  }
  assert.equal(new Set(await lives(door)).size, 1, 'all of them in one project');
});

throughKeygate('a bad key is noticed by nobody', async (door) => {
  await door.sim.keys({ states: { 'sim-google-alpha-1': 'key_invalid', 'sim-google-alpha-2': 'key_invalid' } });
  for (let n = 0; n < 3; n += 1) {
    const live = await connect(door);
    assert.equal((await turn(live, 'hello')).said, 'You said: hello');
    live.session.close();
  }
  assert.equal((await lives(door)).at(-1), 'beta');
});

throughKeygate('with every project full the session is closed as Google would', async (door) => {
  await door.sim.script({ provider: 'google', operation: 'live', action: answerRow('exhausted_bare'), times: null });
  const live = await connect(door).catch((error) => ({ error }));
  if (live.error) return;
  const { code, reason } = await live.until((event) => (event.code ? event : undefined));
  assert.equal(code, 1011);
  assert.match(reason, /^RESOURCE_EXHAUSTED: All Gemini API keys failed/);
});

throughKeygate('an ephemeral token needs no token of the gateway', async (door) => {
  const made = await call('POST', `${door.sim.google}/v1alpha/auth_tokens`, {}, { 'x-goog-api-key': 'sim-google-beta-1' });
  const live = await connect(door, { apiKey: made.body.name, httpOptions: { apiVersion: 'v1alpha' } });
  assert.equal((await turn(live, 'hello')).said, 'You said: hello');
  live.session.close();
  const [request] = await door.sim.requests('google', 'live');
  assert.deepEqual(request.credentials.map((seen) => seen.label), ['live token of beta']);
  // It is no key of the pool, and is not meant to be one.
  await door.sim.reset();
});
