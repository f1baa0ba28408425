// Nine reads for each transfer, an assumed mix of real use.

import { readBalance, transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { closed } from '../lib/shapes.js';
import { nameOf, pairOf, prepareWallets, uniform } from '../lib/wallets.js';

const READS_SHARE = 0.9;

const count = number('WALLETS', 1000);
const draw = uniform(count);

export const mixed = {
  load: { mixed: closed(50) },
  prepare: () => prepareWallets(count),
  iterate(run) {
    if (Math.random() < READS_SHARE) readBalance(nameOf(draw()));
    else transfer(run, pairOf(draw, count));
  },
};
