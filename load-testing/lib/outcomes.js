// The outcomes that a client can conclude from an answer. docs/problems.md explains the problem names.
//
// success   it happened, all sides are durable        refused   it was decided against: no net effect
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

// Problems that only these operations may have. `reuse` is any operation whose key belongs to another request.
const PROBLEMS_OF = {
  open: { 'wallet-exists': 'refused' },
  close: { 'wallet-not-empty': 'refused' },
  lookup: { 'transfer-not-found': 'refused' },
  reuse: { 'idempotency-key-reused': 'refused' },
};

// The contract's rule for a status: a name, and the test that a document must pass.
const moved = (status) => (document) => document.status === status && Boolean(document.transactionId);
const MONEY = { 201: ['success', moved('success')], 202: ['pending', moved('pending')] };
const WALLET = ['a-wallet', ({ accountId, version }) => Boolean(accountId) && version >= 1];
const BALANCE = { 200: ['a-balance', ({ balance }) => Number.isFinite(balance)] };
const PROMISES = {
  transfer: MONEY,
  deposit: MONEY,
  withdraw: MONEY,
  open: { 201: WALLET },
  freeze: { 200: WALLET },
  unfreeze: { 200: WALLET },
  close: { 200: WALLET },
  balance: BALANCE,
  balance_at: BALANCE,
  statement: { 200: ['a-statement', ({ items }) => Array.isArray(items)] },
  lookup: { 200: ['a-transfer', ({ transactionId, status }) => Boolean(transactionId && status)] },
};

// The outcome of a call: { kind, what, isReplayed, document }. `what` distinguishes outcomes of one kind.
export function outcomeOf(call, answer) {
  if (answer.status === 0) return { ...unanswered(answer), isReplayed: false, document: {} };
  const document = documentOf(answer);
  const isReplayed = answer.headers['Idempotent-Replayed'] === 'true';
  const { kind, what } = answer.status >= 400 ? problem(call, answer, document) : promise(call, answer, document);
  return { kind, what, isReplayed, document };
}

export function label({ kind, what }) {
  return what ? `${kind}:${what}` : kind;
}

function promise({ operation }, { status }, document) {
  const [name, isKept] = PROMISES[operation][status] || [];
  if (!name) return { kind: 'error', what: `http-${status}` };
  if (!isKept(document)) return { kind: 'error', what: `${status}-not-${name}` };
  return { kind: status === 202 ? 'pending' : 'success', what: '' };
}

// Problem names are lower-case words. Other text from a server could break the lines of the record.
function problem({ operation, isReuse }, { status }, { type }) {
  const [, name] = /^\/problems\/([a-z-]+)$/.exec(type) || [];
  if (!name) return { kind: 'error', what: `http-${status}` };
  const kind = PROBLEMS[name] || PROBLEMS_OF[operation]?.[name] || (isReuse && PROBLEMS_OF.reuse[name]) || 'error';
  return { kind, what: name };
}

// A refused connection is unknown too, because k6's HTTP library may have sent the request before (README.md, "Limits
// of k6").
function unanswered({ error_code: code }) {
  if (code === 1050) return { kind: 'unknown', what: 'timeout' };
  return { kind: 'unknown', what: code >= 1100 && code < 1220 ? 'no-connection' : 'connection-lost' };
}
