// The load during a fault. RATE transfers arrive per second between wallets that can always pay, so that any other answer
// shows the fault. At a fifth of that rate, clients of a bank send all other calls to their own wallets.

import { BANK_WALLETS, act } from '../lib/bank.js';
import { transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { arriving } from '../lib/shapes.js';
import { pairOf, prepareBank, prepareWallets, uniform } from '../lib/wallets.js';

const RATE = 300;
const BANK_SHARE = 0.2;
const BANK_CLIENTS = 100;

const count = number('WALLETS', 1000);
const draw = uniform(count);
const main = arriving(RATE, 400);

export const fault = {
  load: {
    fault: main,
    beside: { ...main, rate: Math.ceil(BANK_SHARE * main.rate), preAllocatedVUs: BANK_CLIENTS, exec: 'beside' },
  },
  prepare() {
    prepareWallets(count);
    prepareBank(BANK_WALLETS);
  },
  iterate: (run) => transfer(run, pairOf(draw, count)),
  beside: act,
};
