// The load during faults. RATE transfers arrive per second between wallets that can always pay, so that any other answer
// shows a fault. After half of the acknowledged transfers, the client reads the payee and must see the transfer. At half
// of that rate other clients read the same wallets, and at a fifth of it clients of a bank send all other calls to their
// own wallets.

import { BANK_WALLETS, act } from '../lib/bank.js';
import { readBalance, transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { arriving } from '../lib/shapes.js';
import { nameOf, pairOf, prepareBank, prepareWallets, uniform } from '../lib/wallets.js';

const RATE = 100;
const OWN_READS_SHARE = 0.5;
const READS_SHARE = 0.5;
const BANK_SHARE = 0.2;

const count = number('WALLETS', 1000);
const draw = uniform(count);
const main = arriving(RATE, 400);

const part = (share, exec) => ({
  ...main, rate: Math.ceil(share * main.rate), preAllocatedVUs: Math.ceil(share * main.preAllocatedVUs), exec,
});

export const fault = {
  load: { fault: main, reads: part(READS_SHARE, 'reading'), beside: part(BANK_SHARE, 'beside') },
  prepare() {
    prepareWallets(count);
    prepareBank(BANK_WALLETS);
  },
  iterate(run) {
    const pair = pairOf(draw, count);
    const { kind, document } = transfer(run, pair);
    if (kind === 'success' && Math.random() < OWN_READS_SHARE) readBalance(pair.to, document.position);
  },
  read: () => readBalance(nameOf(draw()), undefined, 'reads'),
  beside: act,
};
