// The metrics that k6 keeps, and the summary at the end: JSON for programs, text for people.

import { config } from './config.js';
import { OUTCOMES, REFUSALS } from './outcomes.js';

// Enough percentiles to draw a distribution with its tail.
const PERCENTILES = [1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 98, 99, 99.5, 99.9, 99.99];

const ALWAYS = {
  checks: ['rate==1'],
  'wallet_transfers{outcome:error}': ['count==0'],
  'wallet_transfers{outcome:unknown}': ['count==0'],
};

export function metricOptions(scenario) {
  return {
    thresholds: { ...watched(scenario), ...ALWAYS, ...scenario.thresholds },
    summaryTrendStats: ['count', 'max', ...PERCENTILES.map((percent) => `p(${percent})`)],
    // Without `name` and `url`, because they contain account names: each wallet would become its own time series.
    systemTags: ['scenario', 'method', 'status', 'error_code', 'expected_response', 'check'],
  };
}

// k6 aggregates a tag's values separately only if a threshold uses them. These thresholds always pass.
function watched(scenario) {
  const selectors = [
    ...REFUSALS.map((name) => `wallet_transfers{problem:${name}}`),
    ...OUTCOMES.map((kind) => `wallet_reads{outcome:${kind}}`),
    ...OUTCOMES.map((kind) => `wallet_operations{outcome:${kind}}`),
    'wallet_read_ms{outcome:success}',
    ...[{}, ...(scenario.parts || [])].flatMap(({ name }) => [
      ...OUTCOMES.map((kind) => `wallet_transfers{${tags(kind, name)}}`),
      `wallet_transfer_ms{${tags('success', name)}}`,
    ]),
  ];
  return Object.fromEntries(selectors.map((it) => [it, [it.includes('_ms') ? 'max>=0' : 'count>=0']]));
}

function tags(outcome, part) {
  return part ? `part:${part},outcome:${outcome}` : `outcome:${outcome}`;
}

export function summarize(scenario, data) {
  const summary = summaryOf(scenario, data);
  const files = config.summaryPath ? { [config.summaryPath]: JSON.stringify(summary, null, 2) } : {};
  return { stdout: lines(summary).join('\n'), ...files };
}

function summaryOf(scenario, { metrics, setup_data: setup }) {
  const { vus, preAllocatedVUs, rate } = Object.values(scenario.load)[0];
  return {
    scenario: config.scenario,
    architecture: config.architecture,
    run: setup?.run,
    clients: vus || preAllocatedVUs || metrics.vus_max?.values.max,
    // The number of clients that k6 used, which may differ from the options above.
    clients_max: metrics.vus_max?.values.max ?? 0,
    rate: rate ?? null,
    // Excludes the opening of wallets, and includes the wait for the last answers.
    duration_s: setup ? (Date.now() - setup.begunAt) / 1000 : null,
    // All requests that k6 counted itself. The record must have as many lines.
    requests: count(metrics.http_reqs),
    iterations: count(metrics.iterations),
    dropped_iterations: count(metrics.dropped_iterations),
    outcomes: { ...outcomes(metrics), refused: refusals(metrics) },
    latency_ms: distribution(metrics['wallet_transfer_ms{outcome:success}']),
    reads: count(metrics.wallet_reads) ? readsOf(metrics) : null,
    operations: count(metrics.wallet_operations) ? outcomesOf('wallet_operations', metrics) : null,
    delay_ms: distribution(metrics.wallet_visible_ms),
    plain_read_ms: distribution(metrics.wallet_plain_read_ms),
    fresh_read_ms: distribution(metrics.wallet_fresh_read_ms),
    stale_reads: count(metrics.wallet_visible_ms) ? count(metrics.wallet_stale_reads) : null,
    steps: (scenario.parts || []).map((part) => stepOf(part, metrics)),
    crossed: crossed(metrics),
  };
}

// k6 does not count dropped iterations per step. They are `offered` minus all outcomes.
function stepOf({ name, rate, seconds }, metrics) {
  const latency = distribution(metrics[`wallet_transfer_ms{${tags('success', name)}}`]);
  return { name, rate, duration_s: seconds, offered: rate * seconds, outcomes: outcomes(metrics, name), latency_ms: latency };
}

function outcomes(metrics, part) {
  return Object.fromEntries(OUTCOMES.map((kind) => [kind, count(metrics[`wallet_transfers{${tags(kind, part)}}`])]));
}

function refusals(metrics) {
  const counts = REFUSALS.map((name) => [name, count(metrics[`wallet_transfers{problem:${name}}`])]);
  return Object.fromEntries(counts.filter(([, times]) => times));
}

function readsOf(metrics) {
  return { ...outcomesOf('wallet_reads', metrics), latency_ms: distribution(metrics['wallet_read_ms{outcome:success}']) };
}

function outcomesOf(name, metrics) {
  return Object.fromEntries(OUTCOMES.map((kind) => [kind, count(metrics[`${name}{outcome:${kind}}`])]));
}

// A figure without measurements is null, never 0.
function distribution(metric) {
  const values = metric?.values;
  if (!values?.count) return null;
  const at = (percent) => values[`p(${percent})`];
  const shares = PERCENTILES.map((percent) => [percent / 100, at(percent)]);
  return {
    samples: values.count, p50: at(50), p95: at(95), p99: at(99), max: values.max,
    distribution: [...shares, [1, values.max]],
  };
}

function count(metric) {
  return metric?.values.count ?? 0;
}

function crossed(metrics) {
  return Object.entries(metrics).flatMap(([name, { thresholds = {} }]) => Object.entries(thresholds)
    .filter(([, { ok }]) => !ok).map(([rule]) => `${name} ${rule}`));
}

function lines(summary) {
  const { outcomes: totals, reads, operations, steps } = summary;
  const refused = Object.entries(totals.refused).map(([name, times]) => `${name} ${times}`).join(', ') || '0';
  return [
    `${summary.scenario} · ${summary.architecture} · ${summary.clients} clients · ${summary.duration_s?.toFixed(1)} s`,
    `  transfers    ${totals.success} acknowledged · ${latencies(summary.latency_ms)}`,
    `               refused ${refused} · pending ${totals.pending} · unknown ${totals.unknown}`
      + ` · rejected ${totals.rejected} · error ${totals.error}`,
    ...(operations ? [`  other calls  ${OUTCOMES.map((kind) => `${kind} ${operations[kind]}`).join(' · ')}`] : []),
    ...(reads ? [`  reads        ${reads.success} answered · ${latencies(reads.latency_ms)}`] : []),
    ...(summary.delay_ms ? [`  seen after   ${latencies(summary.delay_ms)} · ${summary.stale_reads} stale reads`] : []),
    ...(summary.plain_read_ms ? [`  plain read   ${latencies(summary.plain_read_ms)}`] : []),
    ...(summary.fresh_read_ms ? [`  fresh read   ${latencies(summary.fresh_read_ms)}`] : []),
    ...steps.map((step) => `  ${step.rate}/s`.padEnd(15) + `${step.outcomes.success} acknowledged · ${latencies(step.latency_ms)}`),
    `  dropped      ${summary.dropped_iterations} iterations`,
    `  thresholds   ${summary.crossed.length ? `CROSSED: ${summary.crossed.join('; ')}` : 'all kept'}`,
    '',
  ];
}

function latencies(latency) {
  if (!latency) return 'none';
  const { p50, p95, p99, max } = latency;
  return `p50 ${p50.toFixed(1)} · p95 ${p95.toFixed(1)} · p99 ${p99.toFixed(1)} · max ${max.toFixed(1)} ms`;
}
