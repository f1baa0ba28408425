// Random payers and payees from WALLETS wallets: 1000, or 100000 to exceed the caches.

import { transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { closed } from '../lib/shapes.js';
import { pairOf, prepareWallets, uniform as uniformDraw } from '../lib/wallets.js';

const count = number('WALLETS', 1000);
const draw = uniformDraw(count);

export const uniform = {
  load: { uniform: closed(50) },
  prepare: () => prepareWallets(count),
  iterate: (run) => transfer(run, pairOf(draw, count)),
};
