// All scenarios by name (SCENARIO). Each has
//   load          k6's scenarios: how many clients or arrivals, and for how long
//   prepare()     opens the wallets once, before the load
//   iterate(run)  runs one iteration of a client
//   `beside(run)` runs one iteration of the background load, if there is any; `read()` one of the background reads
//   thresholds    thresholds in addition to those of all scenarios (lib/summary.js)
//   parts         the steps of a sweep, each summarized separately

import { bank } from './bank.js';
import { consistency } from './consistency.js';
import { highload, normal } from './ancestor.js';
import { fault } from './fault.js';
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
  bank, fault,
};

export function scenarioNamed(name) {
  if (!SCENARIOS[name]) throw new Error(`SCENARIO=${name} is none of ${Object.keys(SCENARIOS).join(', ')}`);
  return SCENARIOS[name];
}
