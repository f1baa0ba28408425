// All transfers go from one wallet to another wallet on another shard, so more shards cannot divide the load.

import { transfer } from '../lib/calls.js';
import { closed } from '../lib/shapes.js';
import { HOT_PAIR, prepareHotPair } from '../lib/wallets.js';

export const hotPair = {
  load: { 'hot-pair': closed(50) },
  prepare: prepareHotPair,
  iterate: (run) => transfer(run, HOT_PAIR),
};
