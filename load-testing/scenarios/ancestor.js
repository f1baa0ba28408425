// The shape that this lab's ancestor was measured with: clients ramp up, hold and leave, and each waits half a second
// between its transfers, all from one wallet to another.

import { sleep } from 'k6';

import { transfer } from '../lib/calls.js';
import { ramped } from '../lib/shapes.js';
import { HOT_PAIR, prepareHotPair } from '../lib/wallets.js';

const PAUSE_SECONDS = 0.5;

function iterate(run) {
  transfer(run, HOT_PAIR);
  sleep(PAUSE_SECONDS);
}

export const normal = { load: { normal: ramped(50) }, prepare: prepareHotPair, iterate };
export const highload = { load: { highload: ramped(500) }, prepare: prepareHotPair, iterate };
