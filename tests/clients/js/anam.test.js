// The core classes of @anam-ai/js-sdk, unchanged. Its media classes need a browser; no request through keygate does.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import { answerRow, call, failure, house } from './house.js';

const require = createRequire(import.meta.url);
const { CoreApiRestClient } = require('@anam-ai/js-sdk/dist/main/modules/CoreApiRestClient.js');
const { ErrorCode } = require('@anam-ai/js-sdk/dist/main/lib/ClientError.js');
const { EngineApiRestClient } = require('@anam-ai/js-sdk/dist/main/modules/EngineApiRestClient.js');
const metrics = require('@anam-ai/js-sdk/dist/main/lib/ClientMetrics.js');

// Each error of the SDK would otherwise be reported to the real service.
metrics.setClientMetricsDisabled(true);
// `unsafe_` methods warn on each call.
console.warn = () => {};

const persona = {
  name: 'Liv',
  avatarId: '071b0286-4cce-4808-bee2-e642f1062de3',
  voiceId: 'de23e340-1416-4dd8-977d-065a7ca11697',
};
const { atBothDoors, throughKeygate } = house();

const byKey = (door) => new CoreApiRestClient(undefined, door.anamKey, { baseUrl: door.anam });
const byToken = (door, token) => new CoreApiRestClient(token, undefined, { baseUrl: door.anam });
const mint = (door) => byKey(door).unsafe_getSessionToken(persona);
const organization = (request) => request.project;
const starts = (door) => door.sim.requests('anam', 'engineSession');

/** What a backend does before it hands a token to its browser. */
async function mintByHttp(door) {
  const bearer = { authorization: `Bearer ${door.anamKey}` };
  const answer = await call('POST', `${door.anam}/v1/auth/session-token`, { personaConfig: persona }, bearer);
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body.sessionToken;
}

/** How many requests the SDK makes in `run`. */
async function requestsOf(run) {
  const { fetch } = globalThis;
  let count = 0;
  globalThis.fetch = (...request) => ((count += 1), fetch(...request));
  try {
    await run();
  } finally {
    globalThis.fetch = fetch;
  }
  return count;
}

const claims = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString());

/** The population with one session each, so that a session that is running fills its organisation. */
const oneSessionEach = {
  anam: {
    organizations: [
      { name: 'studio', keys: [{ key: 'sim-anam-studio-1' }], concurrent_sessions: 1 },
      { name: 'backup', keys: [{ key: 'sim-anam-backup-1' }], concurrent_sessions: 1 },
    ],
  },
};

/** Starts a session at the provider itself, past keygate, as another product of the company would. */
async function occupy(door, key) {
  const direct = { ...door, anam: door.sim.anam, anamKey: key };
  const session = await byKey(direct).startSession(persona);
  assert.ok(session.sessionId);
}

atBothDoors('mints a token and starts a session', async (door) => {
  const token = await mint(door);
  assert.equal(claims(token).type, 'ephemeral');
  assert.ok(claims(token).accountId);
  const session = await byToken(door, token).startSession(undefined);
  assert.ok(session.sessionId && session.engineHost && session.signallingEndpoint);
  assert.ok(session.clientConfig.heartbeatIntervalSeconds > 0);
  assert.equal((await starts(door)).length, 1);
});

atBothDoors('starts a session in one go with a key', async (door) => {
  assert.ok((await byKey(door).startSession(persona)).sessionId);
});

atBothDoors('a session token that is none is an authentication error', async (door) => {
  const error = await failure(byToken(door, 'eyJh.eyJh.sig').startSession(undefined));
  assert.equal(error.code, ErrorCode.CLIENT_ERROR_CODE_AUTHENTICATION_ERROR);
});

atBothDoors("the caller's mistake is told once", async (door) => {
  const token = await mint(door);
  await door.sim.script({ provider: 'anam', action: answerRow('invalid_body'), times: null });
  const error = await failure(byToken(door, token).startSession(undefined));
  assert.equal(error.code, ErrorCode.CLIENT_ERROR_CODE_VALIDATION_ERROR);
  assert.equal((await starts(door)).length, 1);
});

throughKeygate('an invalid key goes unnoticed when a token is minted', async (door) => {
  await door.sim.script({ provider: 'anam', action: answerRow('invalid_api_key') });
  assert.ok(await mint(door));
  const minted = await door.sim.requests('anam', 'sessionToken');
  assert.deepEqual(minted.map((request) => request.status), [401, 200]);
});

throughKeygate('a token of a full organisation starts a session of another, and the client never notices', async (door) => {
  const token = await mintByHttp(door);
  const [minted] = await door.sim.requests('anam', 'sessionToken');
  await door.sim.script({
    provider: 'anam',
    operation: 'engineSession',
    project: organization(minted),
    action: answerRow('concurrent_sessions'),
    times: null,
  });
  const session = await byToken(door, token).startSession(undefined);
  assert.ok(session.sessionId);
  const [refused, started, ...more] = await starts(door);
  assert.deepEqual([refused.status, started.status, more], [429, 200, []]);
  assert.equal(organization(refused), organization(minted), 'the token that was given is tried first');
  assert.notEqual(organization(started), organization(minted));
});

throughKeygate('real sessions fill an organisation, and the next one starts on another', async (door) => {
  await door.sim.keys(oneSessionEach);
  const token = await mintByHttp(door);
  const [minted] = await door.sim.requests('anam', 'sessionToken');
  await occupy(door, organization(minted) === 'studio' ? 'sim-anam-studio-1' : 'sim-anam-backup-1');
  const session = await byToken(door, token).startSession(undefined);
  assert.ok(session.sessionId);
  assert.notEqual(organization((await starts(door)).at(-1)), organization(minted));
});

throughKeygate('all organisations busy is the error of the SDK', async (door) => {
  await door.sim.keys(oneSessionEach);
  const token = await mintByHttp(door);
  await occupy(door, 'sim-anam-studio-1');
  await occupy(door, 'sim-anam-backup-1');
  const before = (await starts(door)).length;
  const requests = await requestsOf(async () => {
    const error = await failure(byToken(door, token).startSession(undefined));
    assert.equal(error.code, ErrorCode.CLIENT_ERROR_CODE_MAX_CONCURRENT_SESSIONS_REACHED);
    assert.equal(error.statusCode, 429);
  });
  assert.equal(requests, 1, 'the SDK takes it for an answer');
  assert.equal((await starts(door)).length - before, 2, 'each organisation was asked once');
});

throughKeygate('a session start that keygate refuses does not make the SDK ask again', async (door) => {
  await door.sim.script({ provider: 'anam', operation: 'engineSession', action: answerRow('usage_limit'), times: null });
  const requests = await requestsOf(async () => {
    const error = await failure(byKey(door).startSession(persona));
    assert.equal(error.code, ErrorCode.CLIENT_ERROR_CODE_USAGE_LIMIT_REACHED);
  });
  assert.deepEqual([requests, (await starts(door)).length], [2, 2], 'a mint, a start, and no more');
});

throughKeygate('a mint that every organisation refuses is told once', async (door) => {
  await door.sim.script({ provider: 'anam', operation: 'sessionToken', action: answerRow('usage_limit'), times: null });
  const requests = await requestsOf(async () => {
    const error = await failure(mint(door));
    // Whatever is wrong but the credential, the SDK calls it a mistake of the caller's here.
    assert.equal(error.code, ErrorCode.CLIENT_ERROR_CODE_VALIDATION_ERROR);
    assert.equal(error.statusCode, 429);
  });
  assert.deepEqual([requests, (await door.sim.requests('anam', 'sessionToken')).length], [1, 2]);
});

throughKeygate('no free engine is the error of the SDK, after its own retries', async (door) => {
  await door.sim.script({ provider: 'anam', operation: 'engineSession', action: answerRow('no_engines'), times: null });
  const requests = await requestsOf(async () => {
    const error = await failure(byKey(door).startSession(persona));
    assert.equal(error.code, ErrorCode.CLIENT_ERROR_CODE_SERVICE_BUSY);
  });
  assert.equal(requests, 4, 'a mint, and three starts');
  assert.ok((await starts(door)).length <= 6, 'each start is worth one other attempt at most');
});

throughKeygate('an organisation that fails between mint and start goes unnoticed', async (door) => {
  const token = await mintByHttp(door);
  const [minted] = await door.sim.requests('anam', 'sessionToken');
  const project = organization(minted);
  await door.sim.script({ provider: 'anam', operation: 'engineSession', project, action: answerRow('spend_cap'), times: null });
  const requests = await requestsOf(async () => assert.ok((await byToken(door, token).startSession(undefined)).sessionId));
  assert.equal(requests, 1);
  assert.notEqual(organization((await starts(door)).at(-1)), project);
});

throughKeygate('a start whose answer is lost is made good by the retry of the SDK', async (door) => {
  const token = await mintByHttp(door);
  await door.sim.script({ provider: 'anam', operation: 'engineSession', action: 'reset_after_headers' });
  const requests = await requestsOf(async () => assert.ok((await byToken(door, token).startSession(undefined)).sessionId));
  assert.equal(requests, 2);
  assert.equal((await starts(door)).length, 2, 'the gateway itself starts nothing twice');
});

throughKeygate('a provider that says nothing is answered for before the SDK gives up', async (door) => {
  await door.sim.script({ provider: 'anam', operation: 'engineSession', action: 'hang', times: null });
  const options = { baseUrl: door.anam, retry: { maxAttempts: 1 } };
  const began = performance.now();
  const error = await failure(new CoreApiRestClient(undefined, door.anamKey, options).startSession(persona));
  assert.deepEqual([error.code, error.statusCode], [ErrorCode.CLIENT_ERROR_CODE_SERVER_ERROR, 504]);
  assert.ok(performance.now() - began < 10_000);
});

throughKeygate('the 21st session in a minute is refused before any key is touched', async (door) => {
  for (let count = 0; count < 20; count += 1) await mint(door);
  const error = await failure(mint(door));
  assert.equal(error.statusCode, 429);
  assert.equal(typeof error.details.responseBody.error, 'string');
  assert.equal((await door.sim.requests('anam', 'sessionToken')).length, 20);
});

// What `createClient(token, { api: { apiGateway } })` hands to the core classes.
const viaGateway = (door) => ({ apiGateway: { enabled: true, baseUrl: door.anam, wsPath: '/anam/ws' } });

/** The engine as `AnamClient` addresses it. */
const engineOf = (session) => `${session.engineProtocol}://${session.engineHost}`;
const spoken = (door) => door.sim.requests('anam', 'talk');

throughKeygate('with baseUrl alone the session is led through the gateway, speech included', async (door) => {
  const session = await byToken(door, await mintByHttp(door)).startSession(undefined);
  const gateway = new URL(door.anam);
  assert.ok(session.engineHost.startsWith(`${gateway.host}/anam/engine/`), session.engineHost);
  const signalling = new URL(engineOf(session));
  signalling.pathname = session.signallingEndpoint;
  assert.equal(signalling.host, gateway.host);
  assert.equal(signalling.pathname, session.signallingEndpoint, 'the SDK escapes nothing in it');
  await new EngineApiRestClient(engineOf(session), session.sessionId).sendTalkCommand('Hello');
  const [talk] = await spoken(door);
  assert.deepEqual([talk.status, talk.credentials], [200, []]);
});

throughKeygate('the apiGateway option: token, session, speech', async (door) => {
  const minting = new CoreApiRestClient(undefined, door.anamKey, viaGateway(door));
  const token = await minting.unsafe_getSessionToken(persona);
  const session = await new CoreApiRestClient(token, undefined, viaGateway(door)).startSession(undefined);
  assert.ok(session.engineHost.startsWith(new URL(door.sim.engine).host), session.engineHost);
  const { apiGateway } = viaGateway(door);
  await new EngineApiRestClient(engineOf(session), session.sessionId, apiGateway).sendTalkCommand('Hello');
  const [talk] = await spoken(door);
  assert.ok(talk.path.endsWith('/talk'), talk.path);
  const seen = await door.sim.requests('anam');
  assert.ok(seen.every((request) => !JSON.stringify(request).includes('x-anam-target-url')), 'the header ends here');
});

throughKeygate('an apiGateway target of another host is refused', async (door) => {
  const options = { ...viaGateway(door), baseUrl: 'https://api.anam.ai.evil.example' };
  const error = await failure(new CoreApiRestClient(undefined, door.anamKey, options).unsafe_getSessionToken(persona));
  assert.equal(error.code, ErrorCode.CLIENT_ERROR_CODE_AUTHENTICATION_ERROR);
  assert.equal(error.statusCode, 403);
  assert.equal((await door.sim.requests('anam')).length, 0);
});

throughKeygate('metrics end at the gateway and cost no key', async (door) => {
  const complaints = [];
  const { error } = console;
  console.error = (...said) => complaints.push(said);
  metrics.setClientMetricsDisabled(false);
  try {
    metrics.setClientMetricsBaseUrl(door.anam);
    await metrics.sendClientMetric('client_error', 'CLIENT_ERROR_CODE_SERVICE_BUSY', { statusCode: 503 });
    metrics.setClientMetricsApiGateway(viaGateway(door).apiGateway);
    metrics.setClientMetricsBaseUrl('https://api.anam.ai');
    await metrics.sendClientMetrics(Array.from({ length: 60 }, () => ({ name: 'client_ice_restart', value: '1' })));
  } finally {
    metrics.setClientMetricsDisabled(true);
    metrics.setClientMetricsApiGateway(undefined);
    console.error = error;
  }
  assert.deepEqual(complaints, []);
  assert.equal((await door.sim.requests('anam')).length, 0);
});

throughKeygate('a slash too many in baseUrl does no harm', async (door) => {
  const client = new CoreApiRestClient(undefined, door.anamKey, { baseUrl: `${door.anam}/` });
  assert.ok((await client.startSession(persona)).sessionId);
});

throughKeygate('two dead upstream answers and a live one fit into the time the SDK waits', async (door) => {
  const token = await mintByHttp(door);
  const [minted] = await door.sim.requests('anam', 'sessionToken');
  const project = organization(minted);
  await door.sim.script({ provider: 'anam', operation: 'engineSession', project, action: answerRow('no_plan'), times: null });
  const began = performance.now();
  assert.ok((await byToken(door, token).startSession(undefined)).sessionId);
  assert.ok(performance.now() - began < 8000);
  assert.deepEqual((await starts(door)).map((request) => request.status), [402, 200]);
});

throughKeygate('a page of HTML from the provider is an error the SDK can read', async (door) => {
  await door.sim.script({ provider: 'anam', operation: 'engineSession', action: 'html502', times: null });
  const client = new CoreApiRestClient(await mintByHttp(door), undefined, {
    baseUrl: door.anam,
    retry: { maxAttempts: 1 },
  });
  const error = await failure(client.startSession(undefined));
  assert.deepEqual([error.code, error.statusCode], [ErrorCode.CLIENT_ERROR_CODE_SERVER_ERROR, 502]);
});
