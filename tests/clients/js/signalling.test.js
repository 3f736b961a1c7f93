// The signalling of @anam-ai/js-sdk, unchanged: its WebSocket to an avatar's engine, led through keygate.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

import { answerRow, house } from './house.js';

const require = createRequire(import.meta.url);
const { CoreApiRestClient } = require('@anam-ai/js-sdk/dist/main/modules/CoreApiRestClient.js');
const { SignallingClient } = require('@anam-ai/js-sdk/dist/main/modules/SignallingClient.js');
const { InternalEventEmitter, PublicEventEmitter } = require('@anam-ai/js-sdk/dist/main/modules/index.js');
const { InternalEvent, AnamEvent } = require('@anam-ai/js-sdk/dist/main/types/index.js');
const { setClientMetricsDisabled } = require('@anam-ai/js-sdk/dist/main/lib/ClientMetrics.js');

setClientMetricsDisabled(true);
console.warn = console.error = () => {};

const PATIENCE_MS = 20_000;
const persona = {
  name: 'Liv',
  avatarId: '071b0286-4cce-4808-bee2-e642f1062de3',
  voiceId: 'de23e340-1416-4dd8-977d-065a7ca11697',
};
const { atBothDoors, throughKeygate } = house();

/** The option by which the SDK sends true addresses along. */
const gateway = (door) => ({ enabled: true, baseUrl: door.anam, wsPath: '/anam/ws' });

async function start(door, apiGateway) {
  const client = new CoreApiRestClient(undefined, door.anamKey, { baseUrl: apiGateway ? 'https://api.anam.ai' : door.anam, apiGateway });
  return client.startSession(persona);
}

/** The signalling client as StreamingClient makes it. */
function signalling(session, apiGateway) {
  const [internal, external] = [new InternalEventEmitter(), new PublicEventEmitter()];
  const url = {
    baseUrl: session.engineHost,
    protocol: session.engineProtocol,
    signallingPath: session.signallingEndpoint,
  };
  const options = { heartbeatIntervalSeconds: 1, maxWsReconnectionAttempts: 5, url };
  const client = new SignallingClient(session.sessionId, options, external, internal, apiGateway);
  const once = (emitter, event) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${event} does not come`)), PATIENCE_MS);
      emitter.addListener(event, (value) => (clearTimeout(late), resolve(value)));
    });
  return {
    client,
    opened: () => once(internal, InternalEvent.WEB_SOCKET_OPEN),
    closed: () => once(external, AnamEvent.CONNECTION_CLOSED),
    signal: (action) =>
      new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`${action} does not come`)), PATIENCE_MS);
        internal.addListener(InternalEvent.SIGNAL_MESSAGE_RECEIVED, (message) => {
          if (message.actionType === action) (clearTimeout(late), resolve(message));
        });
      }),
  };
}

async function talks(session, apiGateway) {
  const line = signalling(session, apiGateway);
  const [opened, answer, heartbeat] = [line.opened(), line.signal('answer'), line.signal('heartbeat')];
  line.client.connect();
  await opened;
  await line.client.sendOffer({ type: 'offer', sdp: 'v=0' });
  assert.equal((await answer).sessionId, session.sessionId);
  line.client.sendAgentAudioInput({ audioData: 'A'.repeat(1 << 20), encoding: 'pcm_s16le', sampleRate: 16000, channels: 1, sequenceNumber: 0 });
  await heartbeat;
  // Nothing but the sign of life goes to and fro for a while, and the connection stays.
  for (let beat = 0; beat < 3; beat += 1) await line.signal('heartbeat');
  line.client.stop();
}

const connects = async (door) => (await door.sim.requests('anam', 'signalling')).length;

atBothDoors('an offer is answered', async (door) => talks(await start(door)));

throughKeygate('an offer is answered with the gateway option', async (door) => {
  const option = gateway(door);
  const session = await start(door, option);
  assert.equal(session.engineHost.split('/')[0], new URL(door.sim.engine).host, 'the true address');
  await talks(session, option);
});

throughKeygate('what an engine refuses for good is tried once', async (door) => {
  const option = gateway(door);
  const session = await start(door, option);
  await door.sim.script({ provider: 'anam', operation: 'signalling', action: answerRow('invalid_api_key'), times: null });
  const line = signalling(session, option);
  const closed = line.closed();
  line.client.connect();
  await closed;
  assert.equal(await connects(door), 1);
});

throughKeygate('a connection that breaks is made again', async (door) => {
  const option = gateway(door);
  const session = await start(door, option);
  await door.sim.script({ provider: 'anam', operation: 'signalling', action: 'html502', times: 2 });
  const line = signalling(session, option);
  const answer = line.signal('answer');
  line.client.connect();
  await line.client.sendOffer({ type: 'offer', sdp: 'v=0' });
  await answer;
  line.client.stop();
  assert.ok((await connects(door)) >= 3);
});
