// Checks that the stack works: a few transfers, each with reads of the payer before and after.

import { check } from 'k6';

import { AMOUNT, readBalance, transfer } from '../lib/calls.js';
import { fixed } from '../lib/shapes.js';
import { HOT_PAIR, prepareHotPair } from '../lib/wallets.js';

const CENT = 100;

export const smoke = {
  load: { smoke: fixed(10) },
  thresholds: { wallet_transfer_ms: ['p(95)<1000'] },
  prepare: prepareHotPair,
  iterate(run) {
    const before = readBalance(HOT_PAIR.from).wallet;
    const { kind, document } = transfer(run, HOT_PAIR);
    const after = readBalance(HOT_PAIR.from, document.position).wallet;
    if (!before || !after || kind !== 'success') return;
    check(null, { 'the payer has paid': () => cents(before.balance) - cents(after.balance) >= cents(AMOUNT) });
  },
};

function cents(amount) {
  return Math.round(amount * CENT);
}
