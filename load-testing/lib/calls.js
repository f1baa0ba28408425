// The two calls that the load consists of, each counted by its outcome.

import { check } from 'k6';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';

import { config } from './config.js';
import { elapsedMs, params } from './http.js';
import { label, readOutcome, transferOutcome } from './outcomes.js';

export const AMOUNT = 0.01;
export const CURRENCY = 'USD';

const transfers = new Counter('wallet_transfers');
const transferMs = new Trend('wallet_transfer_ms');
const unknown = new Rate('wallet_unknown');
const reads = new Counter('wallet_reads');
const readMs = new Trend('wallet_read_ms');

const ALLOWED = { 'answered as the contract allows': ({ kind }) => kind !== 'error' };

// Sends one transfer once; `part` names the part of the run in its key and its metrics.
export function transfer(run, { from, to }, part = config.scenario) {
  const key = `${run}-${part}-${__VU}-${__ITER}`;
  const body = JSON.stringify({ fromAccount: from, toAccount: to, amount: AMOUNT, currency: CURRENCY });
  const startedAt = Date.now();
  const answer = http.post(
    `${config.writeUrl}/wallets/balanceTransfer`, body, params('transfer', { 'Idempotency-Key': key }),
  );
  const outcome = transferOutcome(answer);
  const ms = elapsedMs(answer);
  if (config.logsCalls) {
    console.log(`call ${key} ${startedAt} ${ms.toFixed(3)} ${label(outcome)} ${outcome.transactionId || '-'}`);
  }
  const tags = { part, outcome: outcome.kind, problem: outcome.what };
  transfers.add(1, tags);
  transferMs.add(ms, tags);
  unknown.add(outcome.kind === 'unknown');
  check(outcome, ALLOWED);
  return outcome;
}

// Reads a balance once; with a position, what it shows is at least that new.
export function readBalance(account, position) {
  const query = position === undefined ? '' : `?min_position=${position}`;
  const answer = http.get(`${config.readUrl}/wallets/${account}/balance${query}`, params('balance'));
  const outcome = readOutcome(answer);
  const tags = { outcome: outcome.kind, problem: outcome.what };
  reads.add(1, tags);
  readMs.add(elapsedMs(answer), tags);
  check(outcome, ALLOWED);
  return outcome;
}
