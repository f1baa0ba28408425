// Requests as the wallet's API wants them, and what every call needs to know of an answer.

import { config } from './config.js';

const headers = { 'Content-Type': 'application/json' };
if (config.apiKey) headers.Authorization = `Bearer ${config.apiKey}`;

export const PARAMS = { headers, timeout: config.timeoutSeconds * 1000 };

export function withKey(key) {
  return { ...PARAMS, headers: { ...headers, 'Idempotency-Key': key } };
}

// From the request to the whole answer, in ms; k6 counts the wait for a connection apart.
export function elapsedMs(answer) {
  return answer.timings.blocked + answer.timings.duration;
}

// The JSON object of an answer; an empty one where there is none.
export function documentOf(answer) {
  try {
    return Object(JSON.parse(answer.body));
  } catch {
    return {};
  }
}
