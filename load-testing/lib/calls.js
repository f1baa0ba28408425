// The load's two calls, a transfer and a read of a balance. Both are counted by outcome.

import { check } from 'k6';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

import { config } from './config.js';
import { PARAMS, elapsedMs, withKey } from './http.js';
import { label, readOutcome, transferOutcome } from './outcomes.js';

export const AMOUNT = 0.01;
export const CURRENCY = 'USD';

const transfers = new Counter('wallet_transfers');
const transferMs = new Trend('wallet_transfer_ms');
const reads = new Counter('wallet_reads');
const readMs = new Trend('wallet_read_ms');

// Sends one transfer, without retries. `part` names a part of the scenario in the key and in the metrics.
export function transfer(run, { from, to }, part) {
  const key = `${run}-${part || config.scenario}-${__VU}-${__ITER}`;
  // Account names need no escaping. JSON.stringify would take 6 µs of the CPU that k6 shares with the servers.
  const body = `{"fromAccount":"${from}","toAccount":"${to}","amount":${AMOUNT},"currency":"${CURRENCY}"}`;
  const startedAt = Date.now();
  const answer = http.post(`${config.writeUrl}/wallets/balanceTransfer`, body, withKey(key));
  const outcome = transferOutcome(answer);
  const ms = elapsedMs(answer);
  if (config.logsCalls) {
    console.log(`call ${key} ${startedAt} ${ms.toFixed(3)} ${label(outcome)} ${outcome.transactionId || '-'}`);
  }
  count(outcome, ms, transfers, transferMs, part);
  return outcome;
}

// Reads a balance, without retries. With a position, the answer shows at least that position.
export function readBalance(account, position) {
  const query = position === undefined ? '' : `?min_position=${position}`;
  const answer = http.get(`${config.readUrl}/wallets/${account}/balance${query}`, PARAMS);
  const outcome = readOutcome(answer);
  count(outcome, elapsedMs(answer), reads, readMs);
  return outcome;
}

// A sample costs k6 3 to 9 µs. So each call adds two samples with few tags, and only failed checks add another.
function count(outcome, ms, counter, trend, part) {
  const tags = { outcome: outcome.kind };
  if (outcome.what) tags.problem = outcome.what;
  if (part) tags.part = part;
  counter.add(1, tags);
  trend.add(ms, tags);
  if (outcome.kind === 'error') check(outcome, { 'the answer follows the contract': () => false });
}
