// Request parameters of the wallet API, and helpers to read an answer.

import { config } from './config.js';

const headers = { 'Content-Type': 'application/json' };
if (config.apiKey) headers.Authorization = `Bearer ${config.apiKey}`;

const PARAMS = { headers, timeout: config.timeoutSeconds * 1000 };

export function paramsOf({ key }) {
  return key ? { ...PARAMS, headers: { ...headers, 'Idempotency-Key': key } } : PARAMS;
}

// Each client uses the same replica for all its requests of a kind.
export function urlOf({ method, path }) {
  const replicas = method === 'GET' ? config.readUrls : config.writeUrls;
  return replicas[__VU % replicas.length] + path;
}

// Time from the request to the whole answer in ms. k6 reports the wait for a connection separately (`blocked`).
export function elapsedMs(answer) {
  return answer.timings.blocked + answer.timings.duration;
}

// The JSON object of an answer, or an empty object if there is none.
export function documentOf(answer) {
  try {
    return Object(JSON.parse(answer.body));
  } catch {
    return {};
  }
}
