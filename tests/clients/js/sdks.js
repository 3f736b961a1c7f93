// The SDKs as the grid of grid.test.js uses them: each opened, asked, and asked for a stream. No test lives here.
//
// What an SDK is known to do when the gateway refuses or a stream breaks stands beside it: the tests hold it against what
// happens, and docs/compatibility.md shows it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { createGoogle } from '@ai-sdk/google';
import { GoogleGenAI, Modality } from '@google/genai';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';

const MODEL = 'gemini-3.8-flash';
const LIVE_MODEL = 'gemini-3.8-live';
const HELLO = 'Say hello';

/** What a client tells as an event of its stream, and does not throw. */
class ErrorEvent extends Error {
  name = 'error event';
}

/** A connection that was closed by the other side. */
class Closed extends Error {
  constructor({ code, reason }) {
    super(reason);
    this.name = `Close ${code}`;
  }
}

/** What a client threw, by the name its users know. */
export const nameOf = (error) => (error.name === 'Error' ? error.constructor.name : error.name);

function installed(name) {
  const path = join(import.meta.dirname, 'node_modules', name, 'package.json');
  return `${name} ${JSON.parse(readFileSync(path)).version} (JavaScript)`;
}

// === @google/genai ===

const gemini = (door) => new GoogleGenAI({ apiKey: door.googleKey, httpOptions: { baseUrl: door.google } });

async function* generateStream({ models }, story) {
  for await (const chunk of await models.generateContentStream({ model: MODEL, contents: story })) yield chunk.text;
}

async function* interactStream({ interactions }, story) {
  for await (const event of await interactions.create({ model: MODEL, input: story, stream: true })) {
    if (event.event_type === 'error') throw new ErrorEvent(event.error.code);
    if (event.event_type === 'step.delta') yield event.delta.text;
  }
}

async function interact({ interactions }) {
  return (await interactions.create({ model: MODEL, input: HELLO })).status === 'completed';
}

async function upload({ files }) {
  return (await files.upload({ file: new Blob(['notes'], { type: 'text/plain' }) })).name;
}

async function cache({ caches, models }) {
  const { name } = await caches.create({ model: MODEL, config: { contents: 'a long text '.repeat(40), ttl: '600s' } });
  return (await models.generateContent({ model: MODEL, contents: HELLO, config: { cachedContent: name } })).text;
}

async function batch({ batches }) {
  const src = [{ contents: [{ role: 'user', parts: [{ text: 'hello' }] }] }];
  const { name } = await batches.create({ model: MODEL, src });
  return (await batches.get({ name })).dest.inlinedResponses[0].response;
}

async function* liveStream(client, story) {
  const heard = [];
  let wake = () => {};
  const note = (event) => (heard.push(event), wake());
  const session = await client.live.connect({
    model: LIVE_MODEL,
    config: { responseModalities: [Modality.TEXT] },
    callbacks: { onmessage: (message) => note({ message }), onclose: (closed) => note({ closed }) },
  });
  session.sendClientContent({ turns: [{ role: 'user', parts: [{ text: story }] }], turnComplete: true });
  try {
    for (;;) {
      while (heard.length === 0) await new Promise((resolve) => (wake = resolve));
      const { message, closed } = heard.shift();
      if (closed) throw new Closed(closed);
      if (message.text) yield message.text;
      if (message.serverContent?.turnComplete) return;
    }
  } finally {
    session.close();
  }
}

const live = async (client) => (await Array.fromAsync(liveStream(client, HELLO))).join('');

function googleClients() {
  const name = installed('@google/genai');
  const refused = { exhausted: 'ApiError', requests: 1 };
  return [
    {
      name,
      open: gemini,
      ask: async ({ models }) => (await models.generateContent({ model: MODEL, contents: HELLO })).text,
      stream: generateStream,
      ...refused,
      broken: 'ApiError',
    },
    {
      name: `${name}: Interactions`,
      open: gemini,
      ask: interact,
      stream: interactStream,
      exhausted: 'RateLimitError',
      requests: 5,
      broken: 'error event',
      preamble: 2,
    },
    { name: `${name}: files`, open: gemini, ask: upload, ...refused },
    { name: `${name}: caches`, open: gemini, ask: cache, ...refused },
    { name: `${name}: batches`, open: gemini, ask: batch, ...refused },
    {
      name: `${name}: Live`,
      open: gemini,
      ask: live,
      stream: liveStream,
      exhausted: 'Error',
      requests: 1,
      broken: 'Close 1011',
      brokenStory: 'leave after 2',
    },
  ];
}

// === openai ===

const said = (text) => ({ model: MODEL, messages: [{ role: 'user', content: text }] });

async function* completeStream({ chat }, story) {
  for await (const chunk of await chat.completions.create({ ...said(story), stream: true })) yield chunk.choices[0].delta.content;
}

const openai = {
  name: installed('openai'),
  open: (door) => new OpenAI({ apiKey: door.googleKey, baseURL: `${door.google}/v1beta/openai/` }),
  ask: async ({ chat }) => (await chat.completions.create(said(HELLO))).choices[0].message.content,
  stream: completeStream,
  exhausted: 'RateLimitError',
  requests: 1,
  broken: 'APIError',
};

// === ai with @ai-sdk/google ===

async function* vercelStream(model, story) {
  // It logs what it streams as an error unless it is told not to.
  for await (const part of streamText({ model, prompt: story, onError: () => {} }).fullStream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'text-delta') yield part.text;
  }
}

const vercel = {
  name: `${installed('ai').replace(' (JavaScript)', '')} with ${installed('@ai-sdk/google')}`,
  open: (door) => createGoogle({ apiKey: door.googleKey, baseURL: `${door.google}/v1beta` })(MODEL),
  ask: async (model) => (await generateText({ model, prompt: HELLO })).text,
  stream: vercelStream,
  exhausted: 'AI_RetryError',
  requests: 3,
  broken: 'AI_StreamProviderError',
};

export const CLIENTS = [...googleClients(), openai, vercel];
