// A few wallets take part in most transfers: Zipf's law with exponent SKEW over WALLETS wallets.

import { transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { closed } from '../lib/shapes.js';
import { pairOf, prepareWallets, zipf as zipfDraw } from '../lib/wallets.js';

const count = number('WALLETS', 1000);
const draw = zipfDraw(count, number('SKEW', 1));

export const zipf = {
  load: { zipf: closed(50) },
  prepare: () => prepareWallets(count),
  iterate: (run) => transfer(run, pairOf(draw, count)),
};
