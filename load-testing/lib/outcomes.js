// The outcomes that a client can conclude from an answer. docs/problems.md explains the problem names.
//
// success   it happened, both sides are durable       refused   it was decided against: no net effect
// pending   it will be decided                        rejected  not accepted, nothing was decided
// unknown   it may or may not have happened           error     an answer that the contract does not allow

import { documentOf } from './http.js';

export const OUTCOMES = ['success', 'pending', 'refused', 'unknown', 'rejected', 'error'];

const PROBLEMS = {
  'wallet-not-found': 'refused',
  'wallet-frozen': 'refused',
  'wallet-closed': 'refused',
  'currency-mismatch': 'refused',
  'insufficient-funds': 'refused',
  'balance-limit': 'refused',
  overloaded: 'rejected',
  draining: 'rejected',
  'shard-unavailable': 'rejected',
  'position-not-reached': 'rejected',
  'outcome-unknown': 'unknown',
};

export const REFUSALS = Object.keys(PROBLEMS).filter((name) => PROBLEMS[name] === 'refused');

// The outcome of a transfer: { kind, what, transactionId, position }. `what` distinguishes outcomes of one kind.
export function transferOutcome(answer) {
  if (answer.status === 0) return unanswered(answer);
  const document = documentOf(answer);
  const { status, transactionId, position } = document;
  if (answer.status >= 400) return { ...problem(answer, document), transactionId, position };
  const promised = { 201: 'success', 202: 'pending' }[answer.status];
  if (promised && status === promised && transactionId) return { kind: status, what: '', transactionId, position };
  return { kind: 'error', what: promised ? `${answer.status}-not-${promised}` : `http-${answer.status}` };
}

// The outcome of a read of a balance: { kind, what, wallet }.
export function readOutcome(answer) {
  if (answer.status === 0) return unanswered(answer);
  const document = documentOf(answer);
  if (answer.status >= 400) return problem(answer, document);
  if (answer.status === 200 && Number.isFinite(document.balance)) return { kind: 'success', what: '', wallet: document };
  return { kind: 'error', what: answer.status === 200 ? '200-not-a-balance' : `http-${answer.status}` };
}

export function label({ kind, what }) {
  return what ? `${kind}:${what}` : kind;
}

// Problem names are lower-case words. Other text from a server could break the lines of the call log.
function problem(answer, { type }) {
  const [, name] = /^\/problems\/([a-z-]+)$/.exec(type) || [];
  if (!name) return { kind: 'error', what: `http-${answer.status}` };
  return { kind: PROBLEMS[name] || 'error', what: name };
}

// A refused connection is unknown too, because k6's HTTP library may have sent the request before (README.md, "Limits
// of k6").
function unanswered({ error_code: code }) {
  if (code === 1050) return { kind: 'unknown', what: 'timeout' };
  return { kind: 'unknown', what: code >= 1100 && code < 1220 ? 'no-connection' : 'connection-lost' };
}
