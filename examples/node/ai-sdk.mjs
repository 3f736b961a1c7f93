// The same with Vercel's ai.

import { createGoogle } from '@ai-sdk/google';
import { streamText } from 'ai';

const google = createGoogle({
  apiKey: process.env.KEYGATE_TOKEN ?? 'keygate',
  baseURL: `${process.env.KEYGATE_URL ?? 'http://127.0.0.1:8080'}/v1beta`,
  headers: { 'X-User-Id': 'ada' },
});

const { textStream } = streamText({ model: google('gemini-2.5-flash'), prompt: 'Tell me a story' });
for await (const text of textStream) process.stdout.write(text);
process.stdout.write('\n');
