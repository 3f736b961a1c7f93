// @google/genai, unchanged, with what a project keeps: caches, files, batches, stores.

import assert from 'node:assert/strict';

import { ApiError, GoogleGenAI } from '@google/genai';

import { call, failure, house } from './house.js';

const MODEL = 'gemini-3.8-flash';
const { atBothDoors, throughKeygate } = house();

const client = (door) => new GoogleGenAI({ apiKey: door.googleKey, httpOptions: { baseUrl: door.google } });
const cached = (door) =>
  client(door).caches.create({ model: MODEL, config: { contents: 'a long text '.repeat(40), ttl: '600s' } });
const names = async (pager) => (await Array.fromAsync(await pager)).map((item) => item.name);

/** A file of a bucket; the SDK's own call for it wants Google's credentials of the bucket. */
async function registered(door) {
  const body = { uris: ['gs://bucket/notes.txt'] };
  const answer = await call('POST', `${door.google}/v1/files:register`, body, { 'x-goog-api-key': door.googleKey });
  assert.equal(answer.status, 200);
  return answer.body.files[0];
}

atBothDoors('a cache is made, used, changed, listed and deleted', async (door) => {
  const { caches, models } = client(door);
  const made = [];
  for (let count = 0; count < 3; count += 1) made.push(await cached(door));
  for (const { name, expireTime } of made) {
    const answer = await models.generateContent({ model: MODEL, contents: 'Say hello', config: { cachedContent: name } });
    assert.ok(answer.usageMetadata.cachedContentTokenCount > 0);
    const longer = await caches.update({ name, config: { ttl: '900s' } });
    assert.ok(longer.expireTime > expireTime);
  }
  const listed = await names(caches.list({ config: { pageSize: 2 } }));
  for (const { name } of made) {
    assert.ok(listed.includes(name));
    await caches.delete({ name });
    const error = await failure(caches.get({ name }));
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 403);
  }
});

atBothDoors('files are read, used, listed and deleted', async (door) => {
  const { files, models } = client(door);
  const made = [];
  for (let count = 0; count < 4; count += 1) made.push(await registered(door));
  for (const { name, uri } of made) {
    assert.equal((await files.get({ name })).uri, uri);
    const contents = [{ fileData: { fileUri: uri, mimeType: 'text/plain' } }, { text: 'Read it' }];
    assert.ok((await models.generateContent({ model: MODEL, contents })).text);
  }
  const listed = await names(files.list({ config: { pageSize: 3 } }));
  assert.equal(listed.length, new Set(listed).size);
  for (const { name } of made) {
    assert.ok(listed.includes(name));
    await files.delete({ name });
  }
});

atBothDoors('batches are made, followed, listed, cancelled and deleted', async (door) => {
  const { batches } = client(door);
  const made = [];
  for (let count = 0; count < 3; count += 1) {
    const src = [{ contents: [{ role: 'user', parts: [{ text: `hello ${count}` }] }] }];
    made.push(await batches.create({ model: MODEL, src }));
  }
  const listed = await names(batches.list({ config: { pageSize: 2 } }));
  for (const { name } of made) {
    assert.equal((await batches.get({ name })).state, 'JOB_STATE_SUCCEEDED');
    assert.ok(listed.includes(name));
    await batches.cancel({ name });
    await batches.delete({ name });
  }
});

atBothDoors('stores are made, searched, listed and deleted', async (door) => {
  const { fileSearchStores, models } = client(door);
  for (let count = 0; count < 3; count += 1) {
    const { name } = await fileSearchStores.create({ config: { displayName: 'notes' } });
    const tools = [{ fileSearch: { fileSearchStoreNames: [name] } }];
    assert.ok((await models.generateContent({ model: MODEL, contents: 'Search', config: { tools } })).text);
    assert.ok((await names(fileSearchStores.list({ config: { pageSize: 1 } }))).includes(name));
    await fileSearchStores.delete({ name, config: { force: true } });
  }
});

throughKeygate('a cache and a file of two projects are a conflict that names both', async (door) => {
  const caches = [await cached(door), await cached(door), await cached(door)];
  const { models } = client(door);
  const { name: file, uri } = await registered(door);
  const contents = [{ fileData: { fileUri: uri, mimeType: 'text/plain' } }];
  let conflicts = 0;
  for (const { name } of caches) {
    const asked = models.generateContent({ model: MODEL, contents, config: { cachedContent: name } });
    const error = await asked.then(() => undefined, (reason) => reason);
    if (error === undefined) continue;
    assert.ok(error instanceof ApiError);
    assert.equal(error.status, 409);
    assert.match(error.message, /FAILED_PRECONDITION/);
    assert.ok(error.message.includes(file) && error.message.includes(name));
    conflicts += 1;
  }
  assert.ok(conflicts > 0 && conflicts < 3, 'three keys take turns, one of them of the other project');
});
