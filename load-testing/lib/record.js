// The record of calls: one line per call, with its request, its times and its response. README.md describes a line.
// k6 cannot write files, but it writes log lines to the file of --log-output.

import exec from 'k6/execution';

import { config } from './config.js';

// A call that k6's HTTP library may have sent twice took longer than this to send (README.md, "Limits of k6").
const RESENDING_MS_MIN = 0.05;
const CLOCK_READINGS = 5;

// To look up `exec.instance` for every call would take 12 µs. Its duration alone takes 1.3 µs.
let instance;

// Milliseconds since k6's start. Date.now() is cheaper, but it has no decimals.
export function now() {
  instance = instance || exec.instance;
  return instance.currentTestRunDuration;
}

// Records the wall clock at k6's start, in ms. Date.now() has no decimals, so each reading waits for the next millisecond.
// If k6 had to wait for the processor between the two clocks, a reading is too low, so the highest one counts.
export function recordClock() {
  if (!config.recordsCalls) return;
  let startMs = 0;
  for (let reading = 0; reading < CLOCK_READINGS; reading += 1) {
    const before = Date.now();
    let wallMs = before;
    while (wallMs === before) wallMs = Date.now();
    startMs = Math.max(startMs, wallMs - now());
  }
  console.log(`clock\t${startMs}`);
}

// Records a call before its answer, with the fields of its later line that are known. If k6 is stopped before the answer,
// this line is all that is known about the call.
export function recordRequest(call, client, sentMs) {
  if (!config.recordsRequests) return;
  console.log(
    `sent\t${client}\t${call.part || config.scenario}\t${call.operation}\t${sentMs}\t\t\t\t\t\t`
    + `\t${call.key || ''}\t${call.path}\t${call.body || ''}\t`,
  );
}

// Records a call. Requests and answers are recorded as they are, because a conversion would cost more and could hide a
// wrong answer.
export function record(call, answer, outcome, { client, sentMs, answeredMs, elapsedMs }) {
  if (!config.recordsCalls) return;
  const { kind, what, isReplayed } = outcome;
  console.log(
    `call\t${client}\t${call.part || config.scenario}\t${call.operation}\t${sentMs}\t${answeredMs}\t${elapsedMs.toFixed(3)}`
    + `\t${answer.status}\t${what ? `${kind}:${what}` : kind}\t${isReplayed ? 'replayed' : ''}`
    + `\t${kind !== 'success' || isReplayed ? resent(answer) : ''}\t${call.key || ''}\t${call.path}\t${call.body || ''}`
    + `\t${oneLine(answer.body)}`,
  );
}

function resent({ timings: { connecting, sending } }) {
  return connecting === 0 && sending > RESENDING_MS_MIN ? 'resent' : '';
}

// No answer of the contract has several lines.
function oneLine(body) {
  if (!body) return '';
  return body.indexOf('\n') < 0 ? body : JSON.stringify(body);
}
