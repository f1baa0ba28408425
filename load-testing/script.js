// Transfers as fast as the answers come (closed loop), against a stack that is up. Every answer must be a 201.
//
//   .lab/venv/bin/k6 run load-testing/script.js -e BASE_URL=http://127.0.0.1:3000 -e WALLETS=1000
//
// BASE_URL  the public port (saga 3000, cqrs 3001)
// WALLETS   0: one pair of wallets on two shards (hot pair); else that many, payer and payee drawn at random
// VUS       clients at once (50)     DURATION  how long (10s)     API_KEY  if the stack wants one

import http from 'k6/http';
import { check, fail } from 'k6';

const BASE_URL = __ENV.BASE_URL || 'http://127.0.0.1:3000';
const WALLETS = parseInt(__ENV.WALLETS || '0', 10);
const PARAMS = { headers: { 'Content-Type': 'application/json' } };
if (__ENV.API_KEY) PARAMS.headers.Authorization = `Bearer ${__ENV.API_KEY}`;

// These two live on different shards, whether there are 2 or 4.
const HOT_PAIR = ['hot-payer', 'hot-sink'];

export const options = {
  scenarios: {
    transfers: { executor: 'constant-vus', vus: parseInt(__ENV.VUS || '50', 10), duration: __ENV.DURATION || '10s' },
  },
  thresholds: { checks: ['rate==1'] },
  summaryTrendStats: ['med', 'p(95)', 'p(99)', 'max'],
};

function names() {
  return WALLETS ? Array.from({ length: WALLETS }, (_, n) => `load-${n}`) : HOT_PAIR;
}

export function setup() {
  const open = (accountId) => ({
    method: 'POST',
    url: `${BASE_URL}/wallets`,
    body: JSON.stringify({ accountId, currency: 'USD', balance: 1000000 }),
    params: PARAMS,
  });
  const accounts = names();
  for (let begin = 0; begin < accounts.length; begin += 50) {
    for (const answer of http.batch(accounts.slice(begin, begin + 50).map(open))) {
      if (![201, 409].includes(answer.status)) fail(`no wallet: ${answer.status} ${answer.body}`);
    }
  }
  return accounts;
}

export default function transfer(accounts) {
  const payer = Math.floor(Math.random() * accounts.length);
  const payee = (payer + 1 + Math.floor(Math.random() * (accounts.length - 1))) % accounts.length;
  const [from, to] = WALLETS ? [payer, payee] : [0, 1];
  const body = { fromAccount: accounts[from], toAccount: accounts[to], amount: 0.01, currency: 'USD' };
  const answer = http.post(`${BASE_URL}/wallets/balanceTransfer`, JSON.stringify(body), PARAMS);
  check(answer, { 'acknowledged with 201': (a) => a.status === 201 });
}
