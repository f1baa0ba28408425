// Measures the time from a write's answer until a read has returned the write. One client pays to a wallet that gets no
// other payments, and reads it until the payment shows. With RATE, that many transfers per second run between other
// wallets.
//
// If the write's answer has a `position`, the client reads until the wallet shows that position. In every second
// iteration it reads once with `min_position` instead, and that read must be fresh. The durations of both kinds of read
// show the price of a fresh read. Without a position, the first read must show the wallet's next version.

import { check } from 'k6';
import { Counter, Trend } from 'k6/metrics';

import { readBalance, transfer } from '../lib/calls.js';
import { number } from '../lib/config.js';
import { now } from '../lib/record.js';
import { arriving, closed } from '../lib/shapes.js';
import { HOT_PAIR, pairOf, prepareHotPair, prepareWallets, uniform } from '../lib/wallets.js';

const GIVE_UP_MS = 10000;

const visibleMs = new Trend('wallet_visible_ms');
const plainReadMs = new Trend('wallet_plain_read_ms');
const freshReadMs = new Trend('wallet_fresh_read_ms');
const staleReads = new Counter('wallet_stale_reads');

const rate = number('RATE', 0);
const count = number('WALLETS', 1000);
const draw = uniform(count);

// The payee's version at the last read. Unknown at first, and after a transfer that may still take effect.
let version;

export const consistency = {
  load: {
    consistency: { ...closed(1), vus: 1 },
    ...(rate ? { beside: { ...arriving(rate, 100), exec: 'beside' } } : {}),
  },
  prepare() {
    prepareHotPair();
    if (rate) prepareWallets(count);
  },
  iterate(run) {
    if (version === undefined) version = readBalance(HOT_PAIR.to).wallet?.version;
    const { kind, document } = transfer(run, HOT_PAIR);
    const acknowledged = { at: now(), position: document.position, version: version + 1 };
    version = undefined;
    if (kind !== 'success') return;
    const hasPosition = document.position !== undefined;
    version = hasPosition && __ITER % 2 ? readWithPosition(acknowledged) : readUntilSeen(acknowledged, hasPosition);
  },
  beside: (run) => transfer(run, pairOf(draw, count), 'beside'),
};

function readWithPosition(acknowledged) {
  const sentAt = now();
  const { wallet } = readBalance(HOT_PAIR.to, acknowledged.position);
  if (wallet) freshReadMs.add(now() - sentAt);
  return checked(wallet, acknowledged);
}

// The delay ends when the first read that shows the payment has returned. The first read after the write shows what a
// read without a position costs.
function readUntilSeen(acknowledged, mayBeStale) {
  let stale = 0;
  for (let sentAt = now(); sentAt - acknowledged.at < GIVE_UP_MS; sentAt = now()) {
    const { wallet } = readBalance(HOT_PAIR.to);
    const returnedAt = now();
    if (wallet && !stale) plainReadMs.add(returnedAt - sentAt);
    if (wallet && shows(wallet, acknowledged)) {
      visibleMs.add(returnedAt - acknowledged.at);
      staleReads.add(stale);
      if (!mayBeStale) check(stale, { 'without a position, the first read shows the write': (reads) => reads === 0 });
      return checked(wallet, acknowledged);
    }
    if (wallet) stale += 1;
  }
  check(null, { 'seen within ten seconds': () => false });
  return undefined;
}

function shows(wallet, { position, version: grown }) {
  return position === undefined ? !(wallet.version < grown) : wallet.position >= position;
}

function checked(wallet, acknowledged) {
  if (!wallet) return undefined;
  check(wallet, { 'a read as new as the write shows the write': ({ version: read }) => !(read < acknowledged.version) });
  return wallet.version;
}
