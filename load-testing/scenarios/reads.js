// Reads of balances only.

import { readBalance } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { closed } from '../lib/shapes.js';
import { nameOf, prepareWallets, uniform } from '../lib/wallets.js';

const count = number('WALLETS', 1000);
const draw = uniform(count);

export const reads = {
  load: { reads: closed(50) },
  prepare: () => prepareWallets(count),
  iterate: () => readBalance(nameOf(draw())),
};
