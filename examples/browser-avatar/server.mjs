// The backend of an avatar page: it serves the page and begins sessions. The token of the gateway stays here; a browser
// gets a session token, good for one session.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const gateway = process.env.KEYGATE_URL ?? 'http://127.0.0.1:8080';
const token = process.env.KEYGATE_TOKEN ?? 'keygate';
const persona = { name: 'Ada', avatarId: process.env.ANAM_AVATAR_ID, voiceId: process.env.ANAM_VOICE_ID };

/** Asks for a session; who it is for is known here (from a login, say), so nobody else can say it. */
async function session(user) {
  const answer = await fetch(`${gateway}/api/v1/avatar/session`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ persona, user_id: user }),
  });
  return { status: answer.status, body: await answer.text() };
}

async function answer(request, response) {
  if (request.method === 'POST' && request.url === '/session') {
    const { status, body } = await session('ada');
    response.writeHead(status, { 'content-type': 'application/json' }).end(body);
  } else if (request.url === '/') {
    const page = await readFile(new URL('index.html', import.meta.url), 'utf8');
    response.writeHead(200, { 'content-type': 'text/html' }).end(page.replaceAll('{{gateway}}', gateway));
  } else {
    response.writeHead(404).end();
  }
}

const server = createServer((request, response) =>
  answer(request, response).catch((error) => response.writeHead(502).end(JSON.stringify({ detail: error.message }))),
);
server.listen(process.env.PORT ?? 3000, '127.0.0.1', () => {
  console.log(`open http://localhost:${server.address().port}`);
});
