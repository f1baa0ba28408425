// Sends calls, and counts and records each of them. No call is sent a second time after its answer.

import { check } from 'k6';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';

import { config } from './config.js';
import { elapsedMs, paramsOf, urlOf } from './http.js';
import { outcomeOf } from './outcomes.js';
import { now, record, recordRequest } from './record.js';

export const AMOUNT = 0.01;
export const CURRENCY = 'USD';

const METRICS = {
  transfer: [new Counter('wallet_transfers'), new Trend('wallet_transfer_ms')],
  balance: [new Counter('wallet_reads'), new Trend('wallet_read_ms')],
};
const OTHERS = [new Counter('wallet_operations'), new Trend('wallet_operation_ms')];

// Sends a transfer of one cent. `part` names a part of the scenario in the key and in the metrics.
export function transfer(run, { from, to }, part) {
  const key = `${run}-${part || config.scenario}-${__VU}-${__ITER}`;
  // Account names need no escaping. JSON.stringify would take 6 µs of the CPU that k6 shares with the servers.
  const body = `{"fromAccount":"${from}","toAccount":"${to}","amount":${AMOUNT},"currency":"${CURRENCY}"}`;
  return send({ operation: 'transfer', method: 'POST', path: '/wallets/balanceTransfer', body, key, part });
}

// Reads a balance. With a position, the answer shows at least that position. `wallet` is undefined without an answer.
export function readBalance(account, position, part) {
  const query = position === undefined ? '' : `?min_position=${position}`;
  const outcome = send({ operation: 'balance', method: 'GET', path: `/wallets/${account}/balance${query}`, part });
  return { ...outcome, wallet: outcome.kind === 'success' ? outcome.document : undefined };
}

// Sends a call: { operation, method, path, body?, key?, part?, isReuse? }. Returns its outcome (outcomes.js).
export function send(call) {
  const sentMs = now();
  recordRequest(call, __VU, sentMs);
  const answer = http.request(call.method, urlOf(call), call.body, paramsOf(call));
  return conclude(call, answer, { client: __VU, sentMs, answeredMs: now() });
}

// Sends calls at the same time. Each counts as a client of its own, because a client waits for its answers.
export function sendTogether(calls) {
  const requests = calls.map((call) => [call.method, urlOf(call), call.body, paramsOf(call)]);
  const sentMs = now();
  calls.forEach((call, n) => recordRequest(call, `${__VU}.${n}`, sentMs));
  const answers = http.batch(requests);
  const answeredMs = now();
  return calls.map((call, n) => conclude(call, answers[n], { client: `${__VU}.${n}`, sentMs, answeredMs }));
}

function conclude(call, answer, times) {
  const outcome = outcomeOf(call, answer);
  const ms = elapsedMs(answer);
  record(call, answer, outcome, { ...times, elapsedMs: ms });
  count(call, outcome, ms);
  return outcome;
}

// A sample costs k6 3 to 9 µs. So each call adds two samples with few tags, and only failed checks add another.
function count({ operation, part }, { kind, what }, ms) {
  const metrics = METRICS[operation];
  const tags = { outcome: kind };
  if (what) tags.problem = what;
  if (part) tags.part = part;
  if (!metrics) tags.operation = operation;
  const [counter, trend] = metrics || OTHERS;
  counter.add(1, tags);
  trend.add(ms, tags);
  if (kind === 'error') check(null, { 'the answer follows the contract': () => false });
}
