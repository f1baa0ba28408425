// What an answer lets a client conclude. docs/problems.md explains the names.
//
// success   it happened, both sides are durable       refused   it was decided against: no net effect
// pending   it will be decided                        rejected  turned away, nothing was decided
// unknown   it may or may not have happened           error     nothing that the contract allows here

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

// Of a transfer: { kind, what, transactionId, position }; `what` tells apart what is of the same kind.
export function transferOutcome(answer) {
  if (answer.status === 0) return unanswered(answer);
  const document = documentOf(answer);
  const { status, transactionId, position } = document;
  if (answer.status >= 400) return { ...problem(answer, document), transactionId, position };
  const promised = { 201: 'success', 202: 'pending' }[answer.status];
  if (promised && status === promised && transactionId) return { kind: status, what: '', transactionId, position };
  return { kind: 'error', what: promised ? `${answer.status}-not-${promised}` : `http-${answer.status}` };
}

// Of a read of a balance: { kind, what, wallet }.
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

// Names are lower-case words; anything else a server might send would break the lines of the calls.
function problem(answer, { type }) {
  const [, name] = /^\/problems\/([a-z-]+)$/.exec(type) || [];
  if (!name) return { kind: 'error', what: `http-${answer.status}` };
  return { kind: PROBLEMS[name] || 'error', what: name };
}

// A refused connection is unknown, too, because k6's HTTP library may have sent the request before (README.md, "Limits of k6").
function unanswered({ error_code: code }) {
  if (code === 1050) return { kind: 'unknown', what: 'timeout' };
  return { kind: 'unknown', what: code >= 1100 && code < 1220 ? 'no-connection' : 'connection-lost' };
}
