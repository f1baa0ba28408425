// All scenarios by the name that SCENARIO gives. Each has
//   load        k6's scenarios: how many clients or arrivals, for how long
//   prepare()   opens the wallets, once, before the load
//   iterate(run)  what a client does, again and again; beside(run): the same for the load beside, where there is one
//   thresholds  what must hold besides what must hold for all (lib/summary.js)
//   parts       of a sweep: its steps, each summed up by itself

import { consistency } from './consistency.js';
import { highload, normal } from './ancestor.js';
import { hotPair } from './hot-pair.js';
import { mixed } from './mixed.js';
import { open } from './open.js';
import { reads } from './reads.js';
import { refusals } from './refusals.js';
import { smoke } from './smoke.js';
import { sweep } from './sweep.js';
import { uniform } from './uniform.js';
import { zipf } from './zipf.js';

const SCENARIOS = {
  smoke, normal, highload, 'hot-pair': hotPair, uniform, zipf, open, sweep, reads, mixed, refusals, consistency,
};

export function scenarioNamed(name) {
  if (!SCENARIOS[name]) throw new Error(`SCENARIO=${name} is none of ${Object.keys(SCENARIOS).join(', ')}`);
  return SCENARIOS[name];
}
