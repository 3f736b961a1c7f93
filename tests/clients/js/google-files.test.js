// Files up and down: @google/genai and Vercel's @ai-sdk/google, unchanged, against the Gemini surface.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createGoogle } from '@ai-sdk/google';
import { ApiError, GoogleGenAI } from '@google/genai';

import { answerRow, call, failure, house } from './house.js';

const CHUNK = 8 * 1024 * 1024;
const { atBothDoors, throughKeygate } = house();

const client = (door) => new GoogleGenAI({ apiKey: door.googleKey, httpOptions: { baseUrl: door.google } });
const blob = (length) => new Blob([new Uint8Array(length).fill(7)], { type: 'text/plain' });
const upload = (door, length = 1000) => client(door).files.upload({ file: blob(length) });
const chunks = (door) => door.sim.requests('google', 'files.upload');
const vercel = (door, length = 1000) =>
  createGoogle({ apiKey: door.googleKey, baseURL: `${door.google}/v1beta` })
    .files()
    .uploadFile({ data: { type: 'data', data: new Uint8Array(length).fill(7) }, mediaType: 'text/plain' });

atBothDoors('uploads a blob in several chunks', async (door) => {
  const file = await upload(door, CHUNK + 1000);
  assert.match(file.name, /^files\//);
  assert.equal(file.sizeBytes, String(CHUNK + 1000));
  assert.deepEqual((await chunks(door)).map((chunk) => chunk.body_bytes), [CHUNK, 1000]);
});

atBothDoors('uploads from a path', async (door) => {
  const folder = mkdtempSync(join(tmpdir(), 'keygate-files-'));
  try {
    const path = join(folder, 'notes.txt');
    writeFileSync(path, 'notes');
    assert.equal((await client(door).files.upload({ file: path })).sizeBytes, '5');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

throughKeygate('a token that is sent with the bytes goes nowhere', async (door) => {
  await upload(door);
  const [chunk] = await chunks(door);
  assert.deepEqual(chunk.credentials, []);
});

throughKeygate('a broken chunk raises what the SDK knows', async (door) => {
  const action = { half_body: { bytes: 0, ending: 'reset' } };
  await door.sim.script({ provider: 'google', operation: 'files.upload', action });
  const error = await failure(upload(door, CHUNK));
  assert.ok(error instanceof ApiError, `${error}`);
  assert.equal(error.status, 502);
  assert.equal((await chunks(door)).length, 1);
});

throughKeygate('a failing key at the start goes unnoticed', async (door) => {
  await door.sim.script({ provider: 'google', action: answerRow('key_invalid') });
  assert.equal((await upload(door)).sizeBytes, '1000');
});

throughKeygate('the prefix of the provider is a door too', async (door) => {
  assert.equal((await upload({ ...door, google: `${door.google}/google` })).sizeBytes, '1000');
});

// A trap: Vercel's SDK takes the address of step 2 as it is, and sends no credential there.
atBothDoors('ai-sdk uploads', async (door) => {
  const { providerMetadata } = await vercel(door, 2 * CHUNK);
  assert.equal(providerMetadata.google.sizeBytes, String(2 * CHUNK));
  const [chunk] = await chunks(door);
  assert.equal(chunk.body_bytes, 2 * CHUNK);
  assert.deepEqual(chunk.credentials, []);
});

// A trap: it goes to the host of its base URL, without the path in front of the version.
throughKeygate('ai-sdk uploads below the prefix of the provider', async (door) => {
  const { providerMetadata } = await vercel({ ...door, google: `${door.google}/google` });
  assert.equal(providerMetadata.google.sizeBytes, '1000');
});

throughKeygate('what was generated is fetched by its address', async (door) => {
  // Only alpha has it: a key of another project is no help.
  await door.sim.keys({ states: { 'sim-google-beta-1': 'key_invalid' } });
  const made = await call('POST', `${door.sim.google}/__sim/files`, { project: 'alpha', bytes: 100_000 });
  const url = `${door.google}/v1beta/${made.body.name}:download?alt=media&key=${door.googleKey}`;
  const answer = await fetch(url);
  assert.equal(answer.status, 200);
  assert.equal((await answer.arrayBuffer()).byteLength, 100_000);
});
