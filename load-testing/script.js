// The load tests: one entry for all scenarios, against a stack that is up. `k6 run load-testing/script.js` alone is a
// smoke test of the saga; README.md says what SCENARIO and the other variables choose.

import { config } from './lib/config.js';
import { metricOptions, summarize } from './lib/summary.js';
import { scenarioNamed } from './scenarios/index.js';

const scenario = scenarioNamed(config.scenario);

export const options = {
  scenarios: scenario.load,
  tags: { architecture: config.architecture },
  // Opening 100 000 wallets by HTTP takes minutes; the lab seeds them and says so (SEEDED=1).
  setupTimeout: '15m',
  ...metricOptions(scenario),
};

// What is returned reaches every client: k6 runs this file once for each of them, so a random name drawn at the top
// would differ between them.
export function setup() {
  scenario.prepare();
  return { run: config.run || `r${Date.now().toString(36)}`, begunAt: Date.now() };
}

export default function ({ run }) {
  scenario.iterate(run);
}

// The load beside what a scenario looks at.
export function beside({ run }) {
  scenario.beside(run);
}

export function handleSummary(data) {
  return summarize(scenario, data);
}
