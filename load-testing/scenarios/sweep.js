// Arrival rates rise in steps until the stack cannot keep up: the knee is where latency leaves the ground.

import exec from 'k6/execution';

import { transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { stairs } from '../lib/shapes.js';
import { pairOf, prepareWallets, uniform } from '../lib/wallets.js';

const count = number('WALLETS', 1000);
const draw = uniform(count);
const load = stairs('250,500,1000,1500,2000,2500,3000,4000', 500);
const parts = load.stages.filter((_, n) => n % 2).map(({ target }) => ({ name: `sweep-${target}`, rate: target }));

export const sweep = {
  load: { sweep: load },
  parts,
  // Beyond the knee some calls may well time out.
  thresholds: { wallet_unknown: ['rate<0.2'] },
  prepare: () => prepareWallets(count),
  iterate(run) {
    const step = Math.min(parts.length - 1, Math.floor(exec.scenario.progress * parts.length));
    transfer(run, pairOf(draw, count), parts[step].name);
  },
};
