// Entry point of all load tests, for a running stack. `k6 run load-testing/script.js` alone is a smoke test of the
// saga. README.md explains SCENARIO and the other variables.

import { randomSeed } from 'k6';

import { config } from './lib/config.js';
import { recordClock } from './lib/record.js';
import { metricOptions, summarize } from './lib/summary.js';
import { scenarioNamed } from './scenarios/index.js';

const scenario = scenarioNamed(config.scenario);

export const options = {
  scenarios: scenario.load,
  tags: { architecture: config.architecture },
  // Opening 100 000 wallets by HTTP takes minutes, unless the lab has seeded them (SEEDED=1).
  setupTimeout: '15m',
  ...metricOptions(scenario),
};

// k6 passes the result to every client. A random name at the top of this file would differ between clients, because k6
// runs the file once per client.
export function setup() {
  recordClock();
  scenario.prepare();
  return { run: config.run || `r${Date.now().toString(36)}`, begunAt: Date.now() };
}

export default function ({ run }) {
  seedDraws();
  scenario.iterate(run);
}

// The background load of a scenario that has one.
export function beside({ run }) {
  seedDraws();
  scenario.beside(run);
}

// The background reads of a scenario that has them.
export function reading() {
  seedDraws();
  scenario.read();
}

// The same clients draw the same wallets in every run with this SEED.
let isSeeded = false;

function seedDraws() {
  if (!isSeeded) randomSeed(config.seed * 1e6 + __VU);
  isSeeded = true;
}

export function handleSummary(data) {
  return summarize(scenario, data);
}
