// RATE transfers arrive per second, even if earlier ones are unanswered. k6 drops an arrival if no client is free.

import { transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { arriving } from '../lib/shapes.js';
import { pairOf, prepareWallets, uniform } from '../lib/wallets.js';

const count = number('WALLETS', 1000);
const draw = uniform(count);

export const open = {
  load: { open: arriving(500, 200) },
  prepare: () => prepareWallets(count),
  iterate: (run) => transfer(run, pairOf(draw, count)),
};
