// The load shape of this lab's predecessor: the number of clients increases, holds and decreases. All transfers go from
// one wallet to another, and each client waits half a second between its transfers.

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
