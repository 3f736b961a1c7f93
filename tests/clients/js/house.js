// Starts the real binaries for one file of tests and speaks to their control routes. No test lives here.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

const BINARIES = process.env.KEYGATE_BIN_DIR ?? join(import.meta.dirname, '../../../target/debug');
const PATIENCE_MS = 30_000; // for a process to come up or to end
const CLIENT_TOKENS = 200;

// What a developer's machine says about real accounts and proxies is none of the SDKs' business here.
for (const name of Object.keys(process.env)) {
  if (/^(GOOGLE|GEMINI|OPENAI|ANAM)_|_proxy$/i.test(name)) delete process.env[name];
}

export const GOOGLE_KEYS = { 'sim-google-alpha-1': 'alpha', 'sim-google-alpha-2': 'alpha', 'sim-google-beta-1': 'beta' };
export const ANAM_KEYS = { 'sim-anam-studio-1': 'studio', 'sim-anam-backup-1': 'backup' };
const ADMIN = `admin-${randomBytes(8).toString('hex')}`;

/** A gateway token: kg_ and 43 letters and digits. */
function clientToken() {
  const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
  return 'kg_' + Array.from(randomBytes(43), (byte) => alphabet[byte % alphabet.length]).join('');
}

/** A scripted answer: a named row of the provider's error tables. */
export const answerRow = (row, details = {}) => ({ answer: { row, ...details } });

export async function call(method, url, body, headers = {}) {
  const init = { method, headers: { 'content-type': 'application/json', ...headers } };
  if (body !== undefined) init.body = JSON.stringify(body);
  const answer = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: parsed(text) };
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** A child process; `ready` is the first JSON object it printed. Ended by its own handle. */
class Process {
  static async start(name, command, folder, env = {}) {
    const binary = join(BINARIES, command[0]);
    assert.ok(existsSync(binary), `${binary} is missing: run \`cargo build --workspace --all-targets\``);
    const log = join(folder, `${name}.log`);
    const stdio = ['ignore', 'pipe', openSync(log, 'w')];
    const child = spawn(binary, command.slice(1), { cwd: folder, env, stdio });
    const process = new Process(child, log);
    try {
      process.ready = await process.#firstObject();
    } catch (error) {
      await process.end();
      throw new Error(`${name} did not come up (${error.message}):\n${process.said()}`);
    }
    return process;
  }

  constructor(child, log) {
    this.child = child;
    this.log = log;
    this.ended = new Promise((resolve) => {
      child.once('exit', resolve);
      child.once('error', resolve);
    });
  }

  #firstObject() {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('silent')), PATIENCE_MS);
      const settle = (act) => (value) => (clearTimeout(timer), act(value));
      // Reading on after the first object keeps the pipe from filling up.
      createInterface({ input: this.child.stdout }).on('line', (line) => {
        const value = parsed(line);
        if (value !== null && typeof value === 'object') settle(resolve)(value);
      });
      this.ended.then(() => settle(reject)(new Error('ended')));
    });
  }

  said() {
    return readFileSync(this.log, 'utf8').slice(-6000);
  }

  async end() {
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), PATIENCE_MS);
    await this.ended;
    clearTimeout(timer);
  }
}

/** The control routes of the simulated providers. */
class Simulator {
  constructor({ google, anam, engine }) {
    Object.assign(this, { google, anam, engine });
  }

  reset = () => this.#call('POST', '/__sim/reset', {});
  script = (...faults) => this.#call('POST', '/__sim/script', faults);
  keys = (population) => this.#call('POST', '/__sim/keys', population);

  async requests(provider, operation) {
    const records = await this.#call('GET', '/__sim/requests');
    return records.filter((r) => r.provider === provider && (operation === undefined || r.operation === operation));
  }

  async #call(method, path, body) {
    const answer = await call(method, this.google + path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}

function keygateYaml(sim) {
  const keys = (known) =>
    Object.entries(known).map(([key, group]) => ({ secret: `env:${variable(key)}`, label: key.replace('sim-', ''), group }));
  // JSON is YAML.
  return JSON.stringify({
    clients: { auth: 'required' },
    providers: {
      google: { base_url: sim.google, keys_from_env: false, keys: keys(GOOGLE_KEYS) },
      anam: {
        base_url: sim.anam,
        engine_hosts: [new URL(sim.engine).host],
        keys_from_env: false,
        keys: keys(ANAM_KEYS),
      },
    },
  });
}

function keygateEnvironment(tokens) {
  const keys = [...Object.keys(GOOGLE_KEYS), ...Object.keys(ANAM_KEYS)].map((key) => [variable(key), key]);
  return { ...Object.fromEntries(keys), KEYGATE_ADMIN_TOKEN: ADMIN, KEYGATE_CLIENT_TOKENS: tokens.join(',') };
}

async function admin(method, url) {
  const { status, body } = await call(method, url, undefined, { authorization: `Bearer ${ADMIN}` });
  assert.equal(status, 200, `${method} ${url}: ${status} ${JSON.stringify(body)}`);
  return body;
}

const variable = (key) => key.toUpperCase().replaceAll('-', '_');

/** Starts a simulator and a gateway in front of it for this file, and offers tests at their doors. */
export function house() {
  const folder = mkdtempSync(join(tmpdir(), 'keygate-clients-'));
  const tokens = Array.from({ length: CLIENT_TOKENS }, clientToken);
  let simulator, gateway, sim, unused;

  before(async () => {
    simulator = await Process.start('simulator', ['keygate-simulator'], folder);
    sim = new Simulator(simulator.ready);
  });
  after(async () => {
    await gateway?.end();
    await simulator?.end();
    rmSync(folder, { recursive: true, force: true });
  });

  async function startGateway() {
    const config = join(folder, 'keygate.yaml');
    writeFileSync(config, keygateYaml(sim));
    const command = ['keygate', 'serve', '--config', config, '--bind', '127.0.0.1:0', '--ready-json'];
    gateway = await Process.start('keygate', command, folder, keygateEnvironment(tokens));
    unused = tokens.entries();
  }

  async function keygateDoor() {
    if (!gateway) await startGateway();
    const url = gateway.ready.listening;
    for (const provider of ['google', 'anam']) await admin('POST', `${url}/api/${provider}/reset-keys`);
    await sim.reset();
    // A token no other test used, so that no test spends another's requests per minute.
    const [place, token] = unused.next().value;
    // Clients are named by their place in the variable they come from.
    const name = `env-${place + 1}`;
    /** How many requests reached the gateway that would use a key, by the gateway's own count for this client. */
    const asked = async () => {
      const { user } = await admin('GET', `${url}/api/google/explain?client=${name}&user=${name}`);
      return user.limit - user.remaining;
    };
    return { throughKeygate: true, google: url, googleKey: token, anam: `${url}/anam`, anamKey: token, sim, asked };
  }

  function directDoor() {
    const { google, anam } = sim;
    return { throughKeygate: false, google, googleKey: 'sim-google-alpha-1', anam, anamKey: 'sim-anam-studio-1', sim };
  }

  function at(which, name, run) {
    test(`${name} [${which}]`, async () => {
      await sim.reset();
      const door = which === 'direct' ? directDoor() : await keygateDoor();
      try {
        await run(door);
        if (door.throughKeygate) await assertOnlyPoolKeysWereSent(sim);
      } catch (error) {
        if (door.throughKeygate) console.error(`--- log of keygate at "${name}"\n${gateway.said()}`);
        throw error;
      }
    });
  }

  return {
    /** A test that runs twice: straight to the simulated providers, and through keygate. */
    atBothDoors: (name, run) => (at('direct', name, run), at('keygate', name, run)),
    /** A test of what only keygate does. */
    throughKeygate: (name, run) => at('keygate', name, run),
  };
}

/** Whatever the client did: each request carried one credential, a key of the pool or a session token of the
 * provider's own. The simulator names credentials it does not know `unknown`. */
async function assertOnlyPoolKeysWereSent(sim) {
  const known = new Set([...Object.keys(GOOGLE_KEYS), ...Object.keys(ANAM_KEYS)]);
  for (const record of [...(await sim.requests('google')), ...(await sim.requests('anam'))]) {
    const labels = record.credentials.map((seen) => seen.label);
    // An upload is continued by its id alone.
    if (record.operation === 'files.upload' && labels.length === 0) continue;
    // An engine takes none: knowing the session is the right to speak with it.
    if (['signalling', 'talk'].includes(record.operation) && labels.length === 0) continue;
    assert.equal(labels.length, 1, `${record.path} carried ${JSON.stringify(record.credentials)}`);
    assert.ok(known.has(labels[0]) || labels[0].startsWith('session token of '), labels[0]);
    assert.ok(!JSON.stringify(record).includes('kg_'), 'a gateway token reached the provider');
  }
}

/** What an SDK may sleep between its retries, some for half a minute in all. */
const NAP_MS = { shortest: 200, longest: 45_000 };
/** Timers of connections: nothing sleeps by them. */
const OTHERS_TIMERS = /node:internal\/deps|node_modules\/ws\//;

/** Runs while nobody sleeps between retries. */
export async function hurried(run) {
  const { setTimeout } = globalThis;
  globalThis.setTimeout = (act, ms, ...rest) => {
    const isNap = ms >= NAP_MS.shortest && ms <= NAP_MS.longest && !OTHERS_TIMERS.test(new Error().stack);
    return setTimeout(act, isNap ? 0 : ms, ...rest);
  };
  try {
    return await run();
  } finally {
    globalThis.setTimeout = setTimeout;
  }
}

/** The error of a call that must fail. */
export async function failure(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail('the call should have failed');
}
