// Settings from the environment (`k6 run -e NAME=value`). Each scenario has defaults for the others.

// The architectures' default ports. noop is the lab's target that answers without doing the work.
const PORTS = { saga: 3000, cqrs: 3001, noop: 3002, acid: 3003, "acid-batched": 3004, "two-phase": 3005 };

export function text(name, usual) {
  return __ENV[name] || usual;
}

export function number(name, usual) {
  const value = Number(text(name, usual));
  if (!(value >= 0)) throw new Error(`${name}=${text(name)} is not a number of at least 0`);
  return value;
}

// A duration in seconds, written as in k6: 90s, 1.5m, 500ms.
export function seconds(name, usual) {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text(name, usual)) || [];
  if (!unit) throw new Error(`${name}=${text(name)} is not a duration such as 90s, 1.5m or 500ms`);
  return Number(amount) * { ms: 0.001, s: 1, m: 60 }[unit];
}

// Increasing rates, such as 500,1000,2000.
export function rates(name, usual) {
  const values = text(name, usual).split(',').map(Number);
  if (!values.every((value) => value > 0)) throw new Error(`${name}=${text(name)} is not a list of rates such as 500,1000,2000`);
  return values;
}

function urls(name, usual) {
  return text(name, usual).split(',');
}

function usualUrl(architecture) {
  if (!PORTS[architecture]) throw new Error(`ARCH=${architecture} is none of ${Object.keys(PORTS).join(', ')}`);
  return `http://127.0.0.1:${PORTS[architecture]}`;
}

const architecture = text('ARCH', 'saga');
const hasOwnUrl = text('BASE_URL') || text('WRITE_URL');
const baseUrl = text('BASE_URL') || usualUrl(architecture);

export const config = {
  scenario: text('SCENARIO', 'smoke'),
  // A URL without ARCH does not identify the architecture.
  architecture: hasOwnUrl ? text('ARCH', 'unnamed') : architecture,
  readUrls: urls('READ_URL', baseUrl),
  writeUrls: urls('WRITE_URL', baseUrl),
  apiKey: text('API_KEY'),
  run: text('RUN'),
  walletPrefix: text('WALLET_PREFIX', 'load-'),
  areWalletsSeeded: text('SEEDED') === '1',
  recordsCalls: text('CALLS') === '1',
  recordsRequests: text('REQUESTS') === '1',
  seed: number('SEED', 1),
  summaryPath: text('SUMMARY'),
  timeoutSeconds: seconds('TIMEOUT', '20s'),
};
