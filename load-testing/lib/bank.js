// The clients of a bank: they use every operation of the contract, on few wallets, so that they compete and are refused.
// All draws come from Math.random(), so SEED determines them for each client.

import { send, sendTogether } from './calls.js';
import { number } from './config.js';
import { opening, statusChange } from './wallets.js';

const PART = 'bank';
const MICROS = 1000000;
const BALANCE_MAX = '9223372036854.775807';
const MISSING_ID = '00000000-0000-8000-8000-000000000000';
const IDS_MAX = 16;
const PAGES_MAX = 4;
const PAST_MS = 5000;

const count = number('BANK_WALLETS', 20);

// The client's record of its own calls: their number, its short-lived wallets, ids, the highest position,
// and its last write with a key.
const known = { calls: 0, lives: 0, ids: [], position: 0, write: undefined };

export const BANK_WALLETS = Array.from({ length: count }, (_, n) => `bank-${n}`);

// How often each action is drawn, in percent.
const ACTIONS = [
  [37, (run) => perform(transferOf(run))],
  [10, (run) => perform(cash(run, 'deposit', anyWallet(run)))],
  [10, (run) => perform(cash(run, 'withdraw', anyWallet(run)))],
  [4, sendTwice],
  [6, replay],
  [3, reuseKey],
  [2, freezeForAWhile],
  [5, liveShortly],
  [10, readBalance],
  [4, readPastBalance],
  [5, readStatement],
  [4, lookUp],
];

// One action: usually one call, sometimes a few.
export function act(run) {
  let left = Math.random() * 100;
  const [, action] = ACTIONS.find(([percent]) => (left -= percent) < 0) || ACTIONS[0];
  action(run);
}

const below = (limit) => Math.floor(Math.random() * limit);
const oneOf = (values) => values[below(values.length)];
const happens = (share) => Math.random() < share;

// Any size from one micro to more than a wallet holds.
const amount = () => decimal(Math.floor(10 ** (Math.random() * 12.3)));
const decimal = (micros) => `${Math.floor(micros / MICROS)}.${String(micros % MICROS).padStart(6, '0')}`;

// The contract takes amounts as numbers and as strings.
const written = (text) => (happens(0.5) ? text : `"${text}"`);
const currency = () => (happens(0.04) ? 'EUR' : 'USD');

// Short-lived wallets have the number of their client, so that others can pay to them before, while and after they exist.
const shortLived = (run, client, life) => `${run}-${client}-${life}`;

function anyWallet(run) {
  if (happens(0.93)) return oneOf(BANK_WALLETS);
  if (happens(0.1)) return `${run}-missing`;
  return shortLived(run, Math.max(1, __VU + below(5) - 2), Math.max(1, known.lives - below(2)));
}

function newKey(run) {
  known.calls += 1;
  return `${run}-${PART}-${__VU}-${known.calls}`;
}

function write(run, operation, path, body) {
  return { operation, method: 'POST', path, body, key: happens(0.1) ? undefined : newKey(run), part: PART };
}

function transferOf(run, from = anyWallet(run), to = anyWallet(run)) {
  // A wallet cannot pay to itself, and the payer can be the missing one.
  const payee = [to, `${run}-missing`, BANK_WALLETS[0]].find((account) => account !== from);
  const body = `{"fromAccount":"${from}","toAccount":"${payee}","amount":${written(amount())},"currency":"${currency()}"}`;
  return write(run, 'transfer', '/wallets/balanceTransfer', body);
}

function cash(run, operation, account, value = amount(), of = currency()) {
  const path = `/wallets/${account}/${operation === 'deposit' ? 'deposits' : 'withdrawals'}`;
  return write(run, operation, path, `{"amount":${written(value)},"currency":"${of}"}`);
}

const get = (operation, path) => ({ operation, method: 'GET', path, part: PART });

function perform(call) {
  return remember(call, send(call));
}

function remember(call, outcome) {
  const { transactionId, position } = outcome.document;
  if (transactionId) known.ids = [transactionId, ...known.ids].slice(0, IDS_MAX);
  known.position = Math.max(known.position, position || 0);
  if (call.key && !call.isReuse) known.write = call;
  return outcome;
}

// The same request twice at the same time must have one effect.
function sendTwice(run) {
  const call = { ...transferOf(run), key: newKey(run) };
  sendTogether([call, call]).forEach((outcome) => remember(call, outcome));
}

const AMOUNT = /"(amount|balance)":"?([\d.]+)"?/;

// The same request again, with its amount perhaps written in another way.
function replay() {
  if (!known.write) return;
  const body = known.write.body.replace(AMOUNT, (_, name, text) => `"${name}":${written(text)}`);
  perform({ ...known.write, body });
}

// Another request with a used key.
function reuseKey() {
  if (!known.write) return;
  const body = known.write.body.replace(AMOUNT, (_, name) => `"${name}":${written(amount())}`);
  const { what } = perform({ ...known.write, body, isReuse: true });
  // If the first request was lost in a fault, this one has the key now, and a replay of the first would be refused.
  if (what !== 'idempotency-key-reused') known.write = undefined;
}

function freezeForAWhile(run) {
  const account = oneOf(BANK_WALLETS);
  perform({ ...statusChange('freeze', account), part: PART });
  perform(happens(0.5) ? transferOf(run, account) : transferOf(run, oneOf(BANK_WALLETS), account));
  perform({ ...statusChange('unfreeze', account), part: PART });
}

// Opens a wallet, uses it, empties it and closes it. Other clients pay to it meanwhile, so some stay open.
function liveShortly(run) {
  known.lives += 1;
  const account = shortLived(run, __VU, known.lives);
  const of = happens(0.2) ? 'EUR' : 'USD';
  const balance = oneOf(['', '', amount(), BALANCE_MAX]);
  const open = { ...opening(account, balance, of), part: PART, key: happens(0.5) ? newKey(run) : undefined };
  perform(open);
  if (happens(0.3)) perform(open);
  if (balance && happens(0.8)) perform(cash(run, 'withdraw', account, balance, of));
  perform({ operation: 'close', method: 'DELETE', path: `/wallets/${account}`, part: PART });
  if (happens(0.3)) perform(transferOf(run, oneOf(BANK_WALLETS), account));
}

function readBalance(run) {
  const position = known.position && happens(0.5) ? `?min_position=${known.position}` : '';
  perform(get('balance', `/wallets/${anyWallet(run)}/balance${position}`));
}

function readPastBalance(run) {
  const at = new Date(Date.now() - 1 - below(PAST_MS)).toISOString();
  perform(get('balance_at', `/wallets/${anyWallet(run)}/balance?at=${at}`));
}

function readStatement(run) {
  const path = `/wallets/${anyWallet(run)}/transactions?limit=${1 + below(10)}`;
  const position = known.position && happens(0.5) ? `&min_position=${known.position}` : '';
  let cursor = '';
  for (let page = 0; page < PAGES_MAX && cursor !== undefined; page += 1) {
    const { nextCursor } = perform(get('statement', `${path}${cursor}${position}`)).document;
    cursor = nextCursor ? `&cursor=${nextCursor}` : undefined;
  }
}

function lookUp() {
  perform(get('lookup', `/transfers/${known.ids.length && happens(0.95) ? oneOf(known.ids) : MISSING_ID}`));
}
