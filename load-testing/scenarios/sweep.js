// Arrival rates increase in steps until the stack cannot keep up. The knee is the rate where latency rises steeply.

import exec from 'k6/execution';

import { transfer } from '../lib/calls.js';
import { number, rates, seconds } from '../lib/config.js';
import { stairs } from '../lib/shapes.js';
import { pairOf, prepareWallets, uniform } from '../lib/wallets.js';

const count = number('WALLETS', 1000);
const draw = uniform(count);
const steps = rates('RATES', '250,500,1000,1500,2000,2500,3000,4000');
const stepSeconds = seconds('DURATION', '5s');
const parts = steps.map((rate) => ({ name: `sweep-${rate}`, rate, seconds: stepSeconds }));

// Read once per client, because the call takes k6 12 µs.
let startedAt;

function currentStep() {
  startedAt = startedAt || exec.scenario.startTime;
  return Math.min(parts.length - 1, Math.floor((Date.now() - startedAt) / 1000 / stepSeconds));
}

export const sweep = {
  load: { sweep: stairs(steps, stepSeconds, 500) },
  parts,
  // Above the knee, calls may time out.
  thresholds: { 'wallet_transfers{outcome:unknown}': [] },
  prepare: () => prepareWallets(count),
  iterate(run) {
    transfer(run, pairOf(draw, count), parts[currentStep()].name);
  },
};
