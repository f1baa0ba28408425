// Load shapes. In a closed loop each client waits for its answer before it sends the next request, so a slow server
// gets fewer requests. In an open loop requests arrive by the clock; if no client is free for a request, k6 reports it
// as dropped.

import { config, number, seconds } from './config.js';

// A client that has sent a transfer waits for the answer, so that every started transfer is counted and logged.
const GRACE = { gracefulStop: `${config.timeoutSeconds + 5}s` };

export function fixed(iterations) {
  return { executor: 'shared-iterations', vus: number('VUS', 1), iterations: number('ITERATIONS', iterations), ...GRACE };
}

export function closed(clients) {
  const duration = `${seconds('DURATION', '10s')}s`;
  return { executor: 'constant-vus', vus: number('VUS', clients), duration, ...GRACE };
}

// Increases for a fifth of the time, holds for seven tenths, decreases for the last tenth.
export function ramped(clients) {
  const [vus, total] = [number('VUS', clients), seconds('DURATION', '30s')];
  const stage = (share, target) => ({ duration: `${share * total}s`, target });
  return {
    executor: 'ramping-vus',
    startVUs: 0,
    stages: [stage(0.2, vus), stage(0.7, vus), stage(0.1, 0)],
    gracefulRampDown: GRACE.gracefulStop,
    ...GRACE,
  };
}

export function arriving(perSecond, clients) {
  return {
    executor: 'constant-arrival-rate',
    rate: number('RATE', perSecond),
    duration: `${seconds('DURATION', '10s')}s`,
    preAllocatedVUs: number('VUS', clients),
    ...GRACE,
  };
}

// Several rates in order, each for the same time.
export function stairs(steps, stepSeconds, clients) {
  const duration = `${stepSeconds}s`;
  return {
    executor: 'ramping-arrival-rate',
    startRate: steps[0],
    preAllocatedVUs: number('VUS', clients),
    stages: steps.flatMap((target) => [{ target, duration: '0s' }, { target, duration }]),
    ...GRACE,
  };
}
