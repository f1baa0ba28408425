// All transfers from one wallet to one other, on another shard: nothing is left for sharding to divide.

import { transfer } from '../lib/calls.js';
import { closed } from '../lib/shapes.js';
import { HOT_PAIR, prepareHotPair } from '../lib/wallets.js';

export const hotPair = {
  load: { 'hot-pair': closed(50) },
  prepare: prepareHotPair,
  iterate: (run) => transfer(run, HOT_PAIR),
};
