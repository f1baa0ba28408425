// The wallets of the load: their names, the choice of pairs, and their creation.

import { fail } from 'k6';

import { CURRENCY, send, sendTogether } from './calls.js';
import { config } from './config.js';
import { label } from './outcomes.js';

// These two wallets are on different shards, with 2 and with 4 shards.
export const HOT_PAIR = { from: 'hot-payer', to: 'hot-sink' };

const OPENING_BALANCE = 1000000;
const BATCH = 50;

export function nameOf(n) {
  return `${config.walletPrefix}${n}`;
}

// A payer and a different payee. `draw()` returns their numbers from 0 to count-1.
export function pairOf(draw, count) {
  const [payer, payee] = [draw(), draw()];
  return { from: nameOf(payer), to: nameOf(payee === payer ? (payee + 1) % count : payee) };
}

export function uniform(count) {
  return () => Math.floor(Math.random() * count);
}

// Zipf's law: wallet number k-1 is drawn in proportion to k^-skew. The density x^-skew on [1, count+1) is inverted,
// rounded down, and thinned by rejection to the exact weights, so that no client keeps a table of 100 000 weights.
export function zipf(count, skew) {
  const area = skew === 1 ? Math.log : (x) => (x ** (1 - skew) - 1) / (1 - skew);
  const inverse = skew === 1 ? Math.exp : (y) => (1 + y * (1 - skew)) ** (1 / (1 - skew));
  const ratio = (k) => k ** -skew / (area(k + 1) - area(k));
  return function draw() {
    // Less than half of the draws are rejected, so this bound is never reached in practice.
    for (let attempt = 0; attempt < 100; attempt += 1) {
      const k = Math.min(count, Math.floor(inverse(Math.random() * area(count + 1))));
      if (Math.random() * ratio(1) < ratio(k)) return k - 1;
    }
    return 0;
  };
}

// Opens the pair or the numbered wallets, unless they are seeded already (SEEDED=1).
export function prepareHotPair() {
  if (!config.areWalletsSeeded) open([HOT_PAIR.from, HOT_PAIR.to]);
}

export function prepareWallets(count) {
  if (count < 2) throw new Error(`WALLETS=${count}: a transfer needs two`);
  if (!config.areWalletsSeeded) open(Array.from({ length: count }, (_, n) => nameOf(n)));
}

export function prepareBank(accounts) {
  if (!config.areWalletsSeeded) open(accounts);
}

// Opens wallets. A wallet that exists from an earlier run is kept.
export function open(accounts, balance = OPENING_BALANCE) {
  for (let begin = 0; begin < accounts.length; begin += BATCH) {
    const batch = accounts.slice(begin, begin + BATCH);
    sendTogether(batch.map((account) => opening(account, balance))).forEach(expectOpen);
  }
}

export function opening(account, balance, currency = CURRENCY) {
  const body = JSON.stringify({ accountId: account, currency, ...(balance ? { balance } : {}) });
  return { operation: 'open', method: 'POST', path: '/wallets', body };
}

export function freeze(account) {
  const outcome = send(statusChange('freeze', account));
  if (outcome.kind !== 'success') fail(`${account} was not frozen: ${describe(outcome)}`);
}

export function statusChange(operation, account) {
  const status = { freeze: 'frozen', unfreeze: 'active' }[operation];
  return { operation, method: 'PUT', path: `/wallets/${account}`, body: `{"status":"${status}"}` };
}

function expectOpen(outcome) {
  const exists = outcome.what === 'wallet-exists';
  if (outcome.kind !== 'success' && !exists) fail(`no wallet was opened at ${config.writeUrls}: ${describe(outcome)}`);
}

function describe(outcome) {
  const hint = outcome.what === 'no-connection' ? '; is the stack up?' : '';
  return `${label(outcome)} ${outcome.document.detail || ''}${hint}`;
}
